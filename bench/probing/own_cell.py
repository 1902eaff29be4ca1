"""Somebody's own cell: found by its name, made, and looked at before anything is measured.

Everything that is wrong with it is told in one sentence, with the file and line where it is in their code (`own_error`).
"""

import importlib
import inspect
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun

import rnn_jax as rj
from bench.errors import UsageError
from bench.nearest import nearest
from bench.probing.own_error import of_step, one_line, theirs
from rnn_jax.coordinates import in_coordinates, ravel_reals, real_dtype
from rnn_jax.step import checked, classes_of, is_pytree_of_arrays

CALL = "make_cell(input_size, hidden_size, *, key) -> (step, initial_state)"

MakeCell = Callable[..., Any]


@dataclass(frozen=True)
class Net:
    """A step that was found right, and its initial state.

    Attributes:
        step: a pytree of its weights, callable as `step(state, x)`.
        state: arrays.
    """

    step: Any
    state: Any


@dataclass(frozen=True)
class Constants:
    """What is done with the arrays that a function closes over.

    Two that read alike are equal, so that one compiled program serves the nets of all seeds.
    """

    text: str
    structure: Any
    jaxpr: Any = field(compare=False)

    def __call__(self, arrays: Any, state: Any, x: Any) -> Any:
        """The step, with these arrays in place of those it closed over."""
        run = jaxpr_as_fun(ClosedJaxpr(self.jaxpr, arrays))
        return jax.tree.unflatten(self.structure, run(*jax.tree.leaves((state, x))))


def find(name: str) -> MakeCell:
    """The function that a name such as mypackage:make_cell stands for; the current folder is looked in first.

    Raises:
        UsageError: there is no such module or function, or the module cannot be imported.
    """
    module_name, colon, function_name = name.partition(":")
    if not colon or not module_name or not function_name:
        raise UsageError(f"name the cell as MODULE:FUNCTION, such as mycell:make_cell, got {name!r}")
    if module_name.endswith(".py") or "/" in module_name or os.sep in module_name:
        shown = Path(module_name).stem
        raise UsageError(
            f"name a module, not a file: {shown}:{function_name} in the folder of {shown}.py, got {name!r}"
        )
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    importlib.invalidate_caches()
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing and (module_name + ".").startswith(missing + "."):
            files = sorted(path.stem for path in Path(here).glob("*.py"))
            raise UsageError(
                f"there is no module {missing!r} in the current folder nor among the installed packages"
                f"{nearest(module_name, files)}; run from the folder of its file, or install its package"
            ) from error
        raise theirs(error, f"{module_name} cannot be imported") from error
    found = getattr(module, function_name, None)
    if found is None:
        own = sorted(word for word, value in vars(module).items() if callable(value) and word[:1] != "_")
        raise UsageError(f"module {module_name} has no {function_name!r}{nearest(function_name, own)}")
    if not callable(found):
        raise UsageError(f"{name} is no function but {_kind(found)}; name a function {CALL}")
    return found


def make(name: str, function: MakeCell, input_size: int, hidden_size: int, key: jax.Array, dtype: str) -> Net:
    """Makes the net and looks at it by shapes and at its first step by value.

    Args:
        name: as it is told in errors.
        function: what `find` found.
        input_size, hidden_size, key: what it is called with.
        dtype: of the inputs.

    Raises:
        UsageError: it cannot be called so, does not give a step and a state, or the step does not keep the state's
            structure, shapes and dtypes, or cannot be differentiated.
    """
    try:
        inspect.signature(function).bind(input_size, hidden_size, key=key)
    except TypeError as error:
        message = f"{name} cannot be called as make_cell(input_size, hidden_size, key=key): {error}"
        raise UsageError(f"{message}; its signature must be {CALL}") from error
    except ValueError:  # a builtin tells no signature
        pass
    try:
        made = function(input_size, hidden_size, key=key)
    except (Exception, SystemExit) as error:
        raise theirs(error, f"{name} failed") from error
    step, state = _pair(name, made)
    _refuse_other_leaves(name, state)
    x = jnp.zeros(input_size, dtype)
    try:
        state, _, _ = checked(step, state, x[None], None)
        _refuse_other_dtypes(name, state)
        jax.eval_shape(partial(_pulled_back, step), state, x)
        if [leaf.shape for leaf in jax.tree.leaves(state)] == [x.shape]:
            _refuse_swapped(name, partial(function, input_size + 1, hidden_size, key=key))
        if is_pytree_of_arrays(step):
            return Net(jax.tree.map(jnp.asarray, step), state)
        return Net(with_arrays(step, state, x), state)
    except UsageError:
        raise
    except (Exception, SystemExit) as error:
        raise of_step(name, error) from error


def with_arrays(step: Callable[[Any, Any], Any], state: Any, x: Any) -> Any:
    """A plain function as a step that is a pytree of the arrays that it closes over: its weights."""
    closed, shape = jax.make_jaxpr(step, return_shape=True)(state, x)
    arrays = [jnp.asarray(each) for each in closed.consts]
    return jax.tree_util.Partial(
        Constants(str(closed.jaxpr), jax.tree.structure(shape), closed.jaxpr), arrays
    )


def first_not_finite(net: Net, inputs: jax.Array) -> int | None:
    """The first step after which a state on these sequences is not finite; 0 is the initial state; None if none is.

    Args:
        net: what `make` gave.
        inputs: shape (sequences, time, input_size).
    """
    bad = [~np.asarray(_finite_states(classes_of(net.step), net.step, net.state, xs)) for xs in inputs]
    steps = [int(each.argmax()) for each in bad if each.any()]
    return min(steps, default=None)


@partial(jax.jit, static_argnums=0)
def _finite_states(classes: tuple[type, ...], step: Any, state: Any, xs: jax.Array) -> jax.Array:
    """For each of h_0..h_T, whether all of its real coordinates are finite."""
    del classes  # only tells the programs of cells apart
    states = rj.trajectory(step, state, xs)
    return jnp.all(jnp.isfinite(jax.vmap(lambda each: ravel_reals(each)[0])(states)), axis=1)


_ADAPTED = ("equinox", "flax", "torch")


def _pair(name: str, made: Any) -> tuple[Any, Any]:
    must = f"it must return a pair (step, initial_state), see {CALL}"
    if not isinstance(made, tuple | list) or len(made) != 2:
        what = f"{len(made)} values" if isinstance(made, tuple | list) else _kind(made)
        more = ""
        if hasattr(made, "initial_state"):
            more = "; for a cell, return cell, cell.initial_state()"
        elif type(made).__module__.partition(".")[0] in _ADAPTED:
            more = f"; a cell of {type(made).__module__.partition('.')[0]} comes in through rnn_jax.adapters"
        raise UsageError(f"{name} returned {what}; {must}{more}")
    step, state = made
    if not callable(step) and callable(state):
        raise UsageError(f"{name} returned (initial_state, step); swap them: {must}")
    if not callable(step):
        raise UsageError(f"{name} returned {_kind(step)} where the step belongs; {must}")
    if callable(state) and not is_pytree_of_arrays(state):
        raise UsageError(
            f"{name} returned a function where the initial state belongs; call it: {must}, the state as arrays"
        )
    return step, state


def _refuse_other_leaves(name: str, state: Any) -> None:
    """A state is of arrays and numbers alone."""
    for path, leaf in jax.tree.leaves_with_path(state):
        if not isinstance(leaf, int | float | complex | np.ndarray | jax.Array):
            where = f"state{jax.tree_util.keystr(path)}"
            raise UsageError(
                f"{name} returned an initial state that holds {_kind(leaf)} ({where}); give arrays, "
                "such as jnp.zeros(hidden_size)"
            )


def _refuse_other_dtypes(name: str, state: Any) -> None:
    try:
        bits = jnp.finfo(real_dtype(state)).bits
    except ValueError as error:
        raise UsageError(f"{name}: {one_line(error)}; give the initial state a floating dtype") from error
    if bits < 32:
        raise UsageError(
            f"{name}: the state is {real_dtype(state)}; it must be float32 or float64 to be measured"
        )


def _refuse_swapped(name: str, make_wider: Callable[[], Any]) -> None:
    """Where an input and a state have one shape, a step of swapped arguments shows only in a net of more inputs."""
    try:
        step, state = make_wider()
        x = jnp.zeros(state.size + 1, state.dtype)
    except (Exception, SystemExit):  # a cell that has no other size cannot be told
        return
    if _keeps(step, state, x, state) or not _keeps(step, x, state, state):
        return
    raise UsageError(
        f"the step of {name} takes (x, state); it must take (state, x): where both are of one size, as here, "
        "swapped arguments would give wrong numbers without an error"
    )


def _keeps(step: Callable[[Any, Any], Any], first: Any, second: Any, state: Any) -> bool:
    """Whether a call gives something of the state's shape, without an error."""
    try:
        return jax.eval_shape(step, first, second).shape == state.shape
    except (Exception, SystemExit):
        return False


def _pulled_back(step: Callable[[Any, Any], Any], state: Any, x: Any) -> Any:
    """What backpropagation does with the step: traced, it tells whether the step has a derivative."""
    after, pull = jax.vjp(*in_coordinates(step, state, x))
    return pull(after)


def _kind(value: Any) -> str:
    if value is None:
        return "nothing (None)"
    if hasattr(value, "__name__"):
        return f"{type(value).__name__} {value.__name__}"
    shape = getattr(value, "shape", None)
    return (
        f"an array of shape {shape}"
        if shape is not None
        else f"{type(value).__name__} {' '.join(repr(value).split()):.40}"
    )
