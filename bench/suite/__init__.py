"""What is measured: suite files and their cases."""

from bench.suite.case import Case as Case
from bench.suite.reading import Suite as Suite
from bench.suite.reading import load as load
from bench.suite.reading import name_and_scale as name_and_scale
from bench.suite.reading import names as names
from bench.suite.reading import shipped as shipped
