"""Other ways to the same numbers, to be timed beside ours: one rival a file, imported only when used.

A rival's file has `contenders(problem)`, which carries our weights and inputs over to the rival and
returns what can be called. What a rival answers is compared with ours before it is timed.
"""

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec

from bench.peers.contender import Contender as Contender
from bench.peers.contender import Problem

INSTALL = "pip install 'rnn-jax-bench[peers]'"

RIVALS: dict[str, dict[str, str]] = {
    "jacobian_chain": {"jax_jacrev": "jax", "torch_autograd": "torch", "torch_func": "torch"},
    "lyapunov_spectrum": {"lyapax_spectrum": "lyapax"},
    "training_step": {"torch_nn": "torch"},
}
"""The files of the rivals in each operation, and the package that each needs."""


def require(operation: str) -> None:
    """Raises unless every rival in an operation is installed.

    Raises:
        ModuleNotFoundError: a package is missing; the message says how to install it.
    """
    missing = sorted({package for package in RIVALS[operation].values() if find_spec(package) is None})
    if missing:
        raise ModuleNotFoundError(
            f"{' and '.join(missing)} not installed, so there is nothing to compare with: {INSTALL}"
        )


def contenders(problem: Problem) -> Sequence[Contender]:
    """Every rival's way to a problem's answer.

    Raises:
        ModuleNotFoundError: as `require`.
    """
    require(problem.operation)
    files = [import_module(f"bench.peers.{name}") for name in RIVALS[problem.operation]]
    return [contender for file in files for contender in file.contenders(problem)]
