"""What is measured: suite files, their cases, and the commands that measure them again."""

from bench.suite.case import Case as Case
from bench.suite.suite import Suite as Suite
from bench.suite.suite import load as load
from bench.suite.suite import name_and_scale as name_and_scale
from bench.suite.suite import names as names
from bench.suite.suite import shipped as shipped
