"""Derived tables, a subject a file: each can be made again from the CSV files of a folder."""

from bench.tables.formatting import markdown as markdown
from bench.tables.of_folder import TABLES as TABLES
from bench.tables.of_folder import tables as tables
