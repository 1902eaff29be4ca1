"""A report: result folders as one HTML file that a person can mail, open anywhere and look into."""

from bench.report.page import MOST_BYTES as MOST_BYTES
from bench.report.page import page as page
from bench.report.results import read as read
