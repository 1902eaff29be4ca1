"""Derivatives of tanh and the logistic function that keep their digits where these saturate.

Autodiff takes them from the value: 1 - y**2 of tanh, y (1 - y) of the logistic function s. Where y has come so near to 1
that rounding shows, the digits of 1 - y are gone, and once y is 1 the derivative is exactly zero: of tanh in float32 on a
CPU from |z| = 8 on, where it is 4.5e-7, in float64 from 19 on. A chain through such a unit ends there, and the spectrum of
a chaotic net has exponents of -inf. As s(z) s(-z), and 4 s(2z) s(-2z) of tanh, they are right to rounding as far as the
dtype's range goes: of tanh to |z| = 43 in float32, to 354 in float64.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Literal
from jaxtyping import Array

_INLINED = {"jit", "pjit", "closed_call"}
"""Primitives that only call what they hold."""

_CHECKPOINTS = {"checkpoint", "remat", "remat2"}
"""Those of `jax.checkpoint`."""

_LOOPS = {"scan", "while", "cond"}
"""Primitives whose parts are functions of their own."""


@jax.custom_jvp
def tanh(z: Array) -> Array:
    """tanh, whose derivatives of any order are taken from z."""
    return jnp.tanh(z)


@jax.custom_jvp
def logistic(z: Array) -> Array:
    """1 / (1 + exp(-z)), whose derivatives of any order are taken from z."""
    return jax.nn.sigmoid(z)


@tanh.defjvp
def _of_tanh(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (z,), (along,) = primals, tangents
    return tanh(z), 4 * logistic(2 * z) * logistic(-2 * z) * along


@logistic.defjvp
def _of_logistic(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (z,), (along,) = primals, tangents
    return logistic(z), logistic(z) * logistic(-z) * along


_EXACT = {"tanh": tanh, "logistic": logistic}


def with_exact_slopes(function: Callable, *arguments: Any) -> Callable:
    """A function, with the derivatives of this module wherever it calls tanh or the logistic function.

    Its values are the same. It is looked through as JAX traces it, its own functions and loops included; where it says
    its derivative itself, by `jax.custom_jvp` or `jax.custom_vjp`, that stands. What is within a `jax.shard_map` of its own,
    and functions of complex numbers, keep autodiff's derivatives.

    Args:
        function: of arrays, or pytrees of them.
        arguments: such as it will be given; their shapes and dtypes are looked at.

    Returns:
        a function of arguments of these structures, shapes and dtypes, which gives what `function` does.
    """
    traced, shapes = jax.make_jaxpr(function, return_shape=True)(*arguments)
    if not _saturates(traced.jaxpr):
        return function
    structure = jax.tree.structure(shapes)

    def exact(*arguments: Any) -> Any:
        return jax.tree.unflatten(structure, _values(traced, jax.tree.leaves(arguments)))

    return exact


def _values(program: Any, arguments: Sequence[Any]) -> list[Any]:
    """What a program gives, with exact slopes."""
    program, constants = _parts(program)
    known: dict[Any, Any] = dict(zip(program.constvars, constants, strict=True))
    known |= zip(program.invars, arguments, strict=True)

    def read(variable: Any) -> Any:
        return variable.val if isinstance(variable, Literal) else known[variable]

    for equation in program.eqns:
        values = list(map(read, equation.invars))
        with equation.ctx.manager:
            known |= zip(equation.outvars, _value(equation, values), strict=True)
    return list(map(read, program.outvars))


def _value(equation: Any, values: list[Any]) -> Sequence[Any]:
    primitive, parameters = equation.primitive, equation.params
    if _is_exchanged(equation):
        return [_EXACT[primitive.name](*values)]
    if primitive.name in _INLINED:
        return _values(parameters["jaxpr"], values)
    if primitive.name in _CHECKPOINTS:
        how = {name: parameters[name] for name in ("policy", "prevent_cse")}
        return jax.checkpoint(lambda *values: _values(parameters["jaxpr"], values), **how)(*values)
    if primitive.name in _LOOPS:
        parameters = {name: _exact(parameter) for name, parameter in parameters.items()}
    made = primitive.bind(*values, **primitive.get_bind_params(parameters))
    return made if primitive.multiple_results else [made]


def _exact(parameter: Any) -> Any:
    """A loop's parameter; where it is a program, that with exact slopes."""
    if isinstance(parameter, tuple):
        return tuple(map(_exact, parameter))
    if not _is_program(parameter) or not _saturates(parameter):
        return parameter
    like = [each.aval for each in _parts(parameter)[0].invars]
    return jax.make_jaxpr(lambda *values: _values(parameter, values))(*like)


def _saturates(program: Any) -> bool:
    """Whether a program calls tanh or the logistic function where that could be exchanged."""
    for equation in _parts(program)[0].eqns:
        if _is_exchanged(equation):
            return True
        if equation.primitive.name in _INLINED | _CHECKPOINTS | _LOOPS:
            held = jax.tree.leaves(list(equation.params.values()), is_leaf=_is_program)
            if any(_is_program(each) and _saturates(each) for each in held):
                return True
    return False


def _is_exchanged(equation: Any) -> bool:
    """Whether an equation is tanh or the logistic function of real numbers, as usual: of no accuracy that is asked for."""
    usual = equation.primitive.name in _EXACT and equation.params.get("accuracy") is None
    return usual and jnp.issubdtype(equation.invars[0].aval.dtype, jnp.floating)


def _is_program(parameter: Any) -> bool:
    return hasattr(parameter, "eqns")


def _parts(program: Any) -> tuple[Any, Sequence[Any]]:
    """A program and its constants; newer JAX holds both in one."""
    return getattr(program, "jaxpr", program), getattr(program, "consts", ())
