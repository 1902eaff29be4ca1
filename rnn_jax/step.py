"""What a step is, how its arguments are checked, and how it is compiled."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from rnn_jax.messages import NEEDS_A_VALUE, first_line
from rnn_jax.whole_numbers import is_whole

State = Any
Inputs = Any
Step = Callable[[State, Any], State]


_OF_JAX = ("dot_general", "matmul", "shape", "ndim", "indexing", "unsupported operand", "subscriptable")
"""Words of what JAX and Python say of arguments that do not fit; a step's own errors are left alone."""


def checked(step: Step, state: State, xs: Inputs, length: int | None) -> tuple[State, Inputs, int]:
    """Checks a step against its state and inputs by shapes alone, before anything is compiled.

    Args:
        step: a callable `(state, x) -> state`.
        state: the initial state h_0, a pytree.
        xs: the inputs x_1..x_T, a pytree whose leaves lead with the time axis, or None.
        length: T; needed when `xs` is None.

    Returns:
        the state and inputs as arrays, and T.

    Raises:
        TypeError: `step` is not callable.
        ValueError: the leading axes of `xs` differ, `length` is missing or contradicts them, the
            step returns a state of another structure, shape or dtype, or the state or an input is no number.
    """
    if isinstance(step, type):
        raise TypeError(
            f"step must be a cell, got the class {step.__name__} itself; make one by its `create`"
        )
    if not callable(step):
        raise TypeError(f"step must be a callable (state, x) -> state, got {type(step).__name__}")
    state, xs = arrays_of("state", state), arrays_of("xs", xs)
    if not sum(leaf.size for leaf in jax.tree.leaves(state)):
        raise ValueError(f"state must hold at least one number, got {_shapes(state) or 'an empty pytree'}")
    length = _sequence_length(xs, length)
    known = signature(step, state, xs) if is_pytree_of_arrays(step) else None
    if known in _CHECKED:
        return state, xs, length
    one = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), xs)
    before = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), state)
    try:
        if is_pytree_of_arrays(step):
            after = jax.eval_shape(lambda step, h, x: step(h, x), step, before, one)
        else:
            after = jax.eval_shape(lambda h, x: step(h, x), before, one)
    except Exception as error:
        if isinstance(error, NEEDS_A_VALUE) and (numbers := _python_numbers(step)):
            raise ValueError(
                f"step needs the value of a number that it holds, {' or '.join(numbers)}, but numbers are traced like "
                "weights; close over it in the function, or make it a static field of the cell"
            ) from error
        if isinstance(error, AttributeError) or any(word in str(error) for word in _OF_JAX):
            raise ValueError(
                f"step does not accept a state of {_shapes(before)} with an input of {_shapes(one)} "
                f"(is the order (state, x)?{_hint(step, state, xs)}): {first_line(error)}"
            ) from error
        error.add_note(
            f"raised by the step, given a state of {_shapes(before)} and an input of {_shapes(one)}"
        )
        raise
    require_same_state(before, after)
    if known is not None:
        _CHECKED[known] = None
        # A function in a `Partial` that is made anew at every call is another signature each time.
        if len(_CHECKED) > _MOST_CHECKED:
            _CHECKED.pop(next(iter(list(_CHECKED))), None)
    return state, xs, length


def checked_states(
    states: State | None, state: State | None, xs: Inputs, length: int | None
) -> tuple[State | None, State | None]:
    """Checks states that are known beforehand, by shapes alone.

    Args:
        states: h_0..h_T stacked, or None where they are not known.
        state: the initial state, or None where `states` say it.
        xs, length: as for `checked`.

    Returns:
        the states as arrays, and the first of them; both arguments unchanged where `states` is None.

    Raises:
        ValueError: neither is given, there are not T + 1 states, or they are not of the structure,
            shapes and dtypes of `state`.
    """
    if states is None:
        if state is None:
            raise ValueError("state is None; give the initial state h_0, or states=, all of h_0..h_T")
        return None, state
    states = arrays_of("states", states)
    count = 1 + _sequence_length(arrays_of("xs", xs), length)
    leaves = jax.tree.leaves_with_path(states)
    if not leaves:
        raise ValueError(f"states must hold arrays, got {states!r}")
    for path, leaf in leaves:
        if leaf.ndim == 0 or leaf.shape[0] != count:
            raise ValueError(
                f"states must be h_0..h_T, T + 1 = {count} of them on the leading axis, got "
                f"states{jax.tree_util.keystr(path)} of shape {leaf.shape}"
            )
    if state is not None:
        one = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), states)
        given = arrays_of("state", state)
        if jax.tree.structure(given) != jax.tree.structure(one) or [
            (leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(given)
        ] != [(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(one)]:
            raise ValueError(
                f"states must be stacked states like state, each {_described(given)}, got {_described(one)} "
                "each; leave state out (None) if states are right"
            )
    return states, jax.tree.map(lambda leaf: leaf[0], states)


def _python_numbers(step: Step) -> list[str]:
    """Where a step holds plain numbers, and which."""
    numbers = {
        jax.tree_util.keystr(path): leaf
        for path, leaf in jax.tree.leaves_with_path(step)
        if isinstance(leaf, int | float | complex)
    }
    if isinstance(step, jax.tree_util.Partial):
        names = {"[<flat index 0>]": ".args", "[<flat index 1>]": ".keywords"}
        return [f"step{_renamed(path, names)} = {leaf!r}" for path, leaf in numbers.items()]
    return [f"step{path} = {leaf!r}" for path, leaf in numbers.items()]


def _renamed(path: str, names: dict[str, str]) -> str:
    start = path[: path.index("]") + 1]
    return names.get(start, start) + path[len(start) :]


_MOST_SHAPES = 6

_MOST_CHECKED = 1000

_CHECKED: dict[Any, None] = {}
"""Signatures that were found right, the last ones: tracing a step to check it takes longer than a short chain."""


def classes_of(tree: Any) -> tuple[type, ...]:
    """The classes of a pytree's nodes, for the key of a compiled program.

    The structures of two dataclasses with as many fields are equal for JAX 0.10.1, whatever their classes, and their
    hashes often enough alike: a cell could be given the program of another, as one whose class was defined again.
    """
    if tree is None:
        return ()
    nodes, classes = [jax.tree.structure(tree)], []
    while nodes:
        node = nodes.pop()
        data = node.node_data()
        if data is not None:
            classes.append(data[0])
        nodes += node.children()
    return tuple(classes)


def signature(step: Step, state: State, xs: Inputs) -> Any:
    """What the outcome of a check depends on, for a step that is a pytree of arrays."""
    leaves, structure = jax.tree.flatten((step, state, xs))
    shapes = tuple(
        (leaf.shape, leaf.dtype)
        if isinstance(leaf, jax.Array)
        else (jnp.shape(leaf), jnp.result_type(leaf))  # JAX's own are asked at a twentieth of the time
        for leaf in leaves
    )
    return structure, classes_of(step), type(state), type(xs), shapes


def arrays_of(name: str, tree: Any) -> Any:
    """A pytree with its numbers as arrays.

    Raises:
        ValueError: a leaf is no number and no array of numbers.
    """

    try:
        return jax.tree.map(_as_array, tree)
    except (TypeError, ValueError):
        for path, leaf in jax.tree.leaves_with_path(tree):
            _require_numbers(name, jax.tree_util.keystr(path), leaf)
        raise


def _as_array(leaf: Any) -> Any:
    return leaf if isinstance(leaf, jax.Array) else jnp.asarray(leaf)


def _require_numbers(name: str, place: str, leaf: Any) -> None:
    try:
        _as_array(leaf)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} must be a pytree of arrays or numbers, got {name}{place} = {leaf!r}"
        ) from error


def _hint(step: Step, state: State, xs: Inputs) -> str:
    """What else is often meant otherwise: a list, which is a pytree; a cell's own state; the axes of the inputs."""
    if isinstance(xs, list):
        return " And is xs a list of steps? Then give jnp.stack(xs)"
    if isinstance(state, list):
        return " And is state a list of numbers? Then give jnp.asarray(state)"
    if hasattr(step, "initial_state"):
        own = _own_state(step)
        if own is not None and jax.tree.structure(own) != jax.tree.structure(state):
            return f" Its own state is {type(own).__name__} of {_shapes(own)}, as initial_state() gives it"
    if getattr(xs, "ndim", 2) == 1:
        return " And is there one input a step? Then give xs[:, None]"
    return " And do several sequences lead? Then jax.vmap over them" if getattr(xs, "ndim", 2) > 2 else ""


def _own_state(step: Any) -> State | None:
    """The shapes of a cell's own initial state; None where it has none, as of another framework's module."""
    try:
        return jax.eval_shape(step.initial_state)
    except Exception:  # whatever a user's own method raises; this only adds to a message
        return None


def concrete_integers(name: str, values: Any, low: int, high: int) -> np.ndarray:
    """The values as an array of integers in low..high.

    Raises:
        ValueError: they are traced, not integers, not a one-dimensional array, or outside.
    """
    if isinstance(values, Tracer):
        raise ValueError(f"{name} must be concrete integers, got a traced array; close over them instead")
    array = np.asarray(values)
    if array.ndim == 0 and np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"{name} must be a list of whole numbers, got one; write [{values!r}]")
    if array.size == 0:
        raise ValueError(f"{name} must hold at least one whole number, got {values!r}")
    if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"{name} must be whole numbers in one dimension, got {values!r}")
    outside = array[(array < low) | (array > high)]
    if outside.size:
        raise ValueError(f"{name} must lie in {low}..{high}, the length of the sequence, got {outside[0]}")
    return array


def call_compiled(function: Callable, callables: tuple[Any, ...], *operands: Any, **static: Any) -> Any:
    """Calls `function(*callables, *operands, **static)` under `jit`.

    A callable that is a pytree of arrays (a cell, a `jax.tree_util.Partial`, also None) is an
    operand like any other: new weights of the same shapes reuse the compiled program. Any other
    callable is a constant of the program, so it is traced anew at every call and what it closes
    over is never stale. Cells come to the function as `materialized` gives them.
    """
    if all(is_pytree_of_arrays(each) for each in callables):
        constants = tuple(sorted(static.items()))
        classes = *map(classes_of, callables), *map(type, operands)
        return _call(function, constants, classes, callables, *operands)
    return jax.jit(lambda *inner: function(*map(materialized, callables), *inner, **static))(*operands)


def materialized(tree: Any) -> Any:
    """A cell, or a pytree with cells in it, with their weights as steps read them.

    A cell whose weights are a function of what is trained, such as a matrix exponential, says so by a method
    `materialized() -> cell`. It is called once for a sequence, not at every step.
    """

    def says_so(node: Any) -> bool:
        return hasattr(node, "materialized")

    return jax.tree.map(lambda node: node.materialized() if says_so(node) else node, tree, is_leaf=says_so)


def bound_method_as_pytree(function: Callable | None) -> Any:
    """`cell.output` as a Partial of the cell, so that the cell's arrays are traced; else unchanged."""
    plain, owner = getattr(function, "__func__", None), getattr(function, "__self__", None)
    if plain is None or owner is None or not is_pytree_of_arrays(owner):
        return function
    return jax.tree_util.Partial(plain, owner)


@partial(jax.jit, static_argnums=(0, 1, 2))
def _call(function, static, classes, callables, *operands):
    del classes
    return function(*map(materialized, callables), *operands, **dict(static))


def is_pytree_of_arrays(tree: Any) -> bool:
    """True for None and for a pytree of arrays or numbers, such as a cell; False for a plain function."""
    leaves = jax.tree.leaves(tree)
    if tree is None:
        return True
    if not leaves or (len(leaves) == 1 and leaves[0] is tree):
        return False  # a Partial without parameters reads its weights from elsewhere, as a function does
    return all(isinstance(leaf, int | float | complex) or hasattr(leaf, "dtype") for leaf in leaves)


def _sequence_length(xs: Inputs, length: int | None) -> int:
    leaves = jax.tree.leaves_with_path(xs)
    if not leaves:
        if length is None:
            raise ValueError("xs is None, so length must be given: the number of steps T")
        if not is_whole(length) or length < 0:
            raise ValueError(f"length must be a whole number of at least 0, got {length!r}")
        return length
    lengths = {}
    for path, leaf in leaves:
        if leaf.ndim == 0:
            raise ValueError(
                f"xs{jax.tree_util.keystr(path)} must lead with the time axis, got a scalar; "
                + (
                    "of a list of steps make one array, jnp.asarray(xs)"
                    if isinstance(xs, list)
                    else "for a net without input pass xs=None and length="
                )
            )
        lengths[jax.tree_util.keystr(path)] = leaf.shape[0]
    if len(set(lengths.values())) > 1:
        listing = ", ".join(f"xs{path} has {size}" for path, size in lengths.items())
        raise ValueError(f"every leaf of xs must lead with the same time axis, but {listing}")
    (steps,) = set(lengths.values())
    if length is not None and length != steps:
        raise ValueError(f"length is {length} but the time axis of xs has {steps}; leave length out")
    return steps


def require_same_state(before: State, after: State) -> None:
    """Raises ValueError unless a step's state has the structure, shapes and dtypes of the one it was given."""
    structure, returned = jax.tree.structure(before), jax.tree.structure(after)
    if structure != returned:
        raise ValueError(
            f"step must return a state of the structure it was given, {structure}, got {returned}"
        )
    pairs = zip(jax.tree.leaves_with_path(before), jax.tree.leaves(after), strict=True)
    for (path, given), got in pairs:
        where = f"state{jax.tree_util.keystr(path)}"
        if given.shape != got.shape:
            raise ValueError(
                f"step must keep the shape of the state: {where} came in as {given.shape} "
                f"and went out as {got.shape}"
            )
        if given.dtype != got.dtype:
            raise ValueError(
                f"step must keep the dtype of the state: {where} came in as {given.dtype} and went "
                f"out as {got.dtype}; cast the weights, the inputs or the state"
            )


def _described(tree: Any) -> str:
    leaves = ", ".join(f"{leaf.shape} {leaf.dtype}" for leaf in jax.tree.leaves(tree))
    return f"{leaves} in {jax.tree.structure(tree)}"


def _shapes(tree: Any) -> str:
    shapes = [str(leaf.shape) for leaf in jax.tree.leaves(tree)]
    if len(shapes) > _MOST_SHAPES:
        shapes[_MOST_SHAPES:] = [f"... ({len(shapes)} leaves)"]
    return f"shape {', '.join(shapes)}" if shapes else "no shape (None)"
