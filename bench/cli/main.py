"""`rnn-bench`: the verbs, and how errors are shown."""

import sys

import typer
from rich.console import Console

from bench.cli.check import check
from bench.cli.compare import compare
from bench.cli.list import list_
from bench.cli.machine import machine
from bench.cli.report import report
from bench.cli.run import run
from bench.cli.tables import tables
from bench.cli.targets import targets
from bench.cli.tune import tune
from bench.errors import UsageError

USAGE = 2

app = typer.Typer(
    help="Measures how far the gradient of a recurrent net reaches, and what that means for learning.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("list")(list_)
app.command()(run)
app.command()(tables)
app.command()(compare)
app.command()(check)
app.command()(report)
app.command()(targets)
app.command()(machine)
app.command()(tune)


def main() -> None:
    """The script `rnn-bench`. Exits 0 all well, 1 a case failed, nothing was measured or a check found something,
    2 usage, 3 a regression, 130 Ctrl-C.
    """
    try:
        app()
    except UsageError as error:
        _complain(str(error))
        sys.exit(USAGE)


def _complain(message: str) -> None:
    Console(stderr=True, highlight=False, soft_wrap=True).print(f"rnn-bench: {message}", markup=False)
