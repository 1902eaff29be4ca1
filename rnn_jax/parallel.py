"""Trajectories of cells that are linear in their state, all steps at once."""

import operator
from typing import Any

import jax
import jax.numpy as jnp

from rnn_jax.dtypes import at_least_float32
from rnn_jax.step import Inputs, State, call_compiled, checked


def parallel_trajectory(cell: Any, state: State, xs: Inputs, *, length: int | None = None) -> State:
    """`rnn_jax.trajectory` of a cell that is linear in its state, by a parallel scan over time.

    h_t = a_t h_{t-1} + b_t, elementwise, where a and b read the input alone, so that steps combine in any
    order: (a', b') after (a, b) is (a' a, a' b + b'). It takes 2 log2(T) passes over all steps where the
    loop takes T steps one after another: faster on accelerators, for long sequences. Products of a over many steps are
    formed by themselves: where they leave the dtype's range, as of an |a| over 1, or an input is not finite, later states
    are NaN that step by step might not be.

    Args:
        cell: with `drive(x)` and `affine(drive)`, which returns a and b, such as `MinGRU`, `MinLSTM`, `LRU`, `S5`
            or `SelectiveSSM`. Both are like the state, or one complex array for its real and imaginary parts.
        state: the initial state h_0.
        xs: the inputs x_1..x_T, leading with the time axis, or None.
        length: T, for `xs=None`.

    Returns:
        h_0..h_T stacked, as `rnn_jax.trajectory` gives them, to rounding.

    Raises:
        ValueError: the cell has no `affine`, or one that gives other shapes than the state's; or as `rnn_jax.trajectory`.

    References:
        Blelloch 1990, Prefix sums and their applications; Martin & Cundy 2018, arXiv 1709.04057.
    """
    if not hasattr(cell, "affine"):
        raise ValueError(
            f"cell must be linear in its state, with drive and affine, as MinGRU, MinLSTM, LRU, S5 "
            f"and SelectiveSSM are; {type(cell).__name__} is not; use rnn_jax.trajectory"
        )
    state, xs, length = checked(cell, state, xs, length)
    return call_compiled(_run_all, (cell,), state, xs, length=length)


def _combined(earlier: tuple[Any, Any], later: tuple[Any, Any]) -> tuple[Any, Any]:
    factors = jax.tree.map(operator.mul, later[0], earlier[0])
    return factors, jax.tree.map(lambda a, b, c: a * b + c, later[0], earlier[1], later[1])


def _run_all(cell: Any, state: State, xs: Inputs, *, length: int) -> State:
    with jax.default_matmul_precision("highest"):
        factors, offsets = jax.vmap(lambda x: cell.affine(cell.drive(x)), axis_size=length)(xs)
    leaves, structure = jax.tree.flatten(state)
    in_pairs = _is_in_pairs(state, offsets)
    first = jax.lax.complex(*map(at_least_float32, leaves)) if in_pairs else state
    for name, given in (("a", factors), ("b", offsets)):
        _require_like(first, name, given)
    products, sums = jax.lax.associative_scan(_combined, (factors, offsets))
    later = jax.tree.map(
        lambda one, product, sum: jnp.concatenate([one[None], product * one[None] + sum]),
        first,
        products,
        sums,
    )
    if not in_pairs:
        return later
    parts = (each.astype(leaf.dtype) for each, leaf in zip((later.real, later.imag), leaves, strict=True))
    return jax.tree.unflatten(structure, parts)


def _is_in_pairs(state: State, offsets: Any) -> bool:
    """Whether a and b are complex for a state of real and imaginary parts."""
    ours, theirs = jax.tree.leaves(state), jax.tree.leaves(offsets)
    return (
        len(ours) == 2
        and not any(map(jnp.iscomplexobj, ours))
        and len(theirs) == 1
        and jnp.iscomplexobj(theirs[0])
    )


def _require_like(first: State, name: str, given: Any) -> None:
    """Raises ValueError unless what an affine gives for every step has a number for each of the state's."""
    wanted = [leaf.shape for leaf in jax.tree.leaves(first)]
    got = [leaf.shape[1:] for leaf in jax.tree.leaves(given)]
    if jax.tree.structure(first) != jax.tree.structure(given) or wanted != got:
        raise ValueError(
            f"cell.affine must give {name} of h_t = a h_(t-1) + b elementwise, so like the state, of shape "
            f"{', '.join(map(str, wanted))}, got {', '.join(map(str, got))}; jnp.broadcast_to makes one number as many"
        )
