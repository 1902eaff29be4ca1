"""The remedies by the names that suites, CSV files and the command line use."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType

from rnn_jax.remedies.backward import clip_per_step, truncated_bptt
from rnn_jax.remedies.clipping import adaptive_clipping, clip_by_norm, clip_by_value
from rnn_jax.remedies.connections import added_skip, layer_norm, leaky, skip
from rnn_jax.remedies.initialization import (
    chrono_initialization,
    forget_bias,
    identity_initialization,
    orthogonal_initialization,
)
from rnn_jax.remedies.penalties import gradient_flossing, pascanu_omega
from rnn_jax.remedies.remedy import Remedy, combine, none


@dataclass(frozen=True)
class RemedyFamily:
    """A remedy by name.

    Attributes:
        create: `create(strength) -> Remedy`; without argument where there is no strength.
        strength: the one taken where none is named; None where there is none.
        meaning: of the strength.
        reference: where it was published.
        clips: True where the strength is the largest gradient let through.
        version: of what goes by that name, raised where it becomes another remedy.
    """

    create: Callable[..., Remedy]
    strength: float | None
    meaning: str
    reference: str
    clips: bool = field(default=False)
    version: int = 1


_PASCANU = "Pascanu, Mikolov, Bengio 2013, arXiv 1211.5063"
REMEDIES: Mapping[str, RemedyFamily] = MappingProxyType(
    {
        "none": RemedyFamily(none, None, "", ""),
        "clip_by_norm": RemedyFamily(clip_by_norm, 1.0, "largest norm", _PASCANU, clips=True),
        "clip_by_value": RemedyFamily(clip_by_value, 1.0, "largest entry", "Mikolov 2012", clips=True),
        "clip_per_step": RemedyFamily(
            clip_per_step, 1.0, "largest norm of dL/dh_t of a sequence", "Mikolov 2012", clips=True
        ),
        "adaptive_clipping": RemedyFamily(
            adaptive_clipping,
            0.01,
            "largest ratio of a unit's gradient to its weights",
            "Brock et al. 2021, arXiv 2102.06171",
        ),
        "pascanu_omega": RemedyFamily(pascanu_omega, 2.0, "weight of the penalty", _PASCANU),
        "gradient_flossing": RemedyFamily(
            gradient_flossing, 1.0, "weight of the penalty", "Engelken 2023, arXiv 2312.17306"
        ),
        "orthogonal_initialization": RemedyFamily(
            orthogonal_initialization, 1.0, "gain", "Saxe et al. 2014, arXiv 1312.6120"
        ),
        "identity_initialization": RemedyFamily(
            identity_initialization, 1.0, "gain", "Le, Jaitly, Hinton 2015, arXiv 1504.00941"
        ),
        "chrono_initialization": RemedyFamily(
            chrono_initialization,
            100.0,
            "longest dependence in steps",
            "Tallec & Ollivier 2018, arXiv 1804.11188",
        ),
        "forget_bias": RemedyFamily(forget_bias, 1.0, "the bias", "Gers et al. 2000; Jozefowicz et al. 2015"),
        "layer_norm": RemedyFamily(
            layer_norm, 1.0, "gain to begin with", "Ba, Kiros, Hinton 2016, arXiv 1607.06450"
        ),
        "leaky": RemedyFamily(leaky, 0.1, "share of the new state", "Jaeger et al. 2007"),
        "skip": RemedyFamily(
            skip,
            4.0,
            "steps skipped",
            "Lin et al. 1996; Zhang et al. 2016, arXiv 1602.08210",
            version=2,
        ),
        "added_skip": RemedyFamily(
            added_skip,
            4.0,
            "steps skipped, past the nonlinearity; any cell",
            "after He et al. 2016, arXiv 1603.05027",
        ),
        "truncated_bptt": RemedyFamily(
            truncated_bptt, 20.0, "steps that a gradient goes back at most", "Williams & Peng 1990"
        ),
    }
)


@cache
def create(name: str, strength: float | None = None) -> Remedy:
    """The remedy called `name`, or several: "layer_norm+clip_by_norm(0.5)".

    The same words give the same object, so that training with it again compiles nothing.

    Args:
        name: a key of `REMEDIES`; or several joined by +, applied in that order, each with its strength in
            brackets where it is not the family's own.
        strength: its one number; the family's own if None. Not for several.

    Raises:
        ValueError: the name is unknown, it has no strength, or the strength is not allowed.
    """
    if "+" in name or "(" in name:
        if strength is not None:
            raise ValueError(
                f"strengths stand in brackets in {name!r}, so strength must be None, got {strength!r}"
            )
        return combine(*(_from_text(part, name) for part in parts_of(name)))
    if name not in REMEDIES:
        raise ValueError(f"remedy must be one of {', '.join(REMEDIES)}, got {name!r}")
    family = REMEDIES[name]
    if family.strength is None:
        if strength is not None:
            raise ValueError(f"remedy {name} has no strength, got {strength!r}")
        return family.create()
    return family.create(family.strength if strength is None else strength)


def parts_of(name: str) -> list[str]:
    """What "layer_norm+clip_by_norm(0.5)" joins, in order, each with its strength where it has one."""
    return [part.strip() for part in re.split(r"\+(?![^()]*\))", name)]


def _from_text(part: str, whole: str) -> Remedy:
    match = re.fullmatch(r"(\w+)(?:\(([^()]*)\))?", part)
    if match is None:
        raise ValueError(f"remedy must be such as 'layer_norm+clip_by_norm(0.5)', got {whole!r}")
    try:
        strength = None if match[2] is None else float(match[2])
    except ValueError:
        raise ValueError(f"the strength in {part!r} must be a number, got {match[2]!r}") from None
    return create(match[1], strength)
