"""`rnn-bench`: the verbs, and how errors are shown."""

import os
import sys
from contextlib import redirect_stdout, suppress
from importlib.metadata import version as installed
from typing import Annotated, NoReturn, TextIO, cast

import typer

from bench.cli.check import check
from bench.cli.compare import compare
from bench.cli.list import list_
from bench.cli.machine import machine
from bench.cli.output import OutputError, StandardOutput
from bench.cli.plot import plot
from bench.cli.probe import probe
from bench.cli.report import report
from bench.cli.run import run
from bench.cli.show import say
from bench.cli.status import status
from bench.cli.tables import tables
from bench.cli.targets import targets
from bench.cli.tune import tune
from bench.cli.verb import INTERRUPTED, PIPE_CLOSED, UNWRITABLE, verb

app = typer.Typer(
    help="Measures how far the gradient of a recurrent net reaches, and what that means for learning.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _tell_version(asked: bool) -> None:
    if asked:
        from rnn_jax import __version__  # takes a second, which who asks for help need not wait for

        typer.echo(f"rnn-bench {__version__}, jax {installed('jax')}, jaxlib {installed('jaxlib')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_tell_version, is_eager=True, help="What is installed, and end."),
    ] = False,
) -> None:
    """What stands before a verb."""


VERBS = {
    "list": list_,
    "run": run,
    "status": status,
    "tables": tables,
    "plot": plot,
    "report": report,
    "compare": compare,
    "check": check,
    "targets": targets,
    "machine": machine,
    "probe": probe,
    "tune": tune,
}
for name, function in VERBS.items():
    app.command(name)(verb(function))


def main() -> None:
    """The script `rnn-bench`.

    Exits 0 all well, 1 a case failed, nothing was measured or a check found something, 2 usage, 3 a regression,
    74 standard output cannot be written, 130 Ctrl-C, 141 nobody reads it any more.
    """
    try:
        with redirect_stdout(cast(TextIO, StandardOutput(sys.stdout))) as output:
            try:
                app(prog_name="rnn-bench")
            finally:
                output.flush()
    except OutputError as error:
        if not error.nobody_reads:
            say(f"rnn-bench: {error}", error=True)
        _end_now(PIPE_CLOSED if error.nobody_reads else UNWRITABLE)
    except SystemExit as end:
        if end.code == INTERRUPTED:
            _end_now(INTERRUPTED)
        raise


def _end_now(code: int) -> NoReturn:
    """Ends without the interpreter's own end.

    That would flush once more what cannot be written. And a thread of XLA's may be compiling still: taken down under it,
    the process would end in a fault.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, AttributeError):
            stream.flush()
    os._exit(code)
