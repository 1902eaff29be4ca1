"""What all verbs share: `--debug`, and that an error is a sentence and an exit code, never a traceback."""

import functools
import inspect
import traceback
from collections.abc import Callable
from typing import Annotated, Any

import typer

from bench.cli.show import say
from bench.errors import UsageError

FAILED, USAGE, INTERRUPTED = 1, 2, 130
UNWRITABLE, PIPE_CLOSED = 74, 141
"""Of standard output: EX_IOERR of sysexits.h, and what a shell says of a program that SIGPIPE ended."""
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


def verb(function: Callable[..., None]) -> Callable[..., None]:
    """The function of a verb with an option `--debug`, if it has none, and with its errors told in a sentence."""
    signature = inspect.signature(function)
    has_debug = "debug" in signature.parameters

    @functools.wraps(function)
    def guarded(*arguments: Any, **options: Any) -> None:
        debug = options["debug"] if has_debug else options.pop("debug", False)
        try:
            function(*arguments, **options)
        except Exception as error:
            if not _is_told_by_us(error):
                raise
            if debug:
                traceback.print_exc()
            code, sentence = sentence_of(error, debug)
            say(f"rnn-bench: {sentence}", error=True)
            raise typer.Exit(code) from None
        except KeyboardInterrupt:
            if debug:
                traceback.print_exc()
            say("rnn-bench: interrupted", error=True)
            raise typer.Exit(INTERRUPTED) from None

    if not has_debug:
        own = inspect.Parameter("debug", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Debug)
        guarded.__signature__ = signature.replace(parameters=[*signature.parameters.values(), own])  # pyright: ignore[reportAttributeAccessIssue]
        guarded.__annotations__ = {**function.__annotations__, "debug": Debug}
    return guarded


def sentence_of(error: Exception, debug: bool = False) -> tuple[int, str]:
    """The exit code of an error, and what is said of it in one line."""
    if isinstance(error, UsageError):
        return USAGE, str(error)
    if isinstance(error, OSError) and error.filename is not None:
        return USAGE, f"{error.filename}: {error.strerror or type(error).__name__}"
    if isinstance(error, MemoryError):
        return FAILED, "there is not enough memory for this"
    line = next(iter(str(error).splitlines()), "")
    hint = "" if debug else " (a fault of this program: --debug shows where)"
    return FAILED, f"{type(error).__name__}{': ' if line else ''}{line}{hint}"


def _is_told_by_us(error: Exception) -> bool:
    """Not what the command line's own library raises to say how a program ends, nor of a pipe that nobody reads."""
    own = type(error).__module__.partition(".")[0] in ("typer", "click")
    return not own and not isinstance(error, BrokenPipeError)
