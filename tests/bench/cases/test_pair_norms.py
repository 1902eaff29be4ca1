import math

import pytest

from bench.cases import pair_norms
from bench.machine import Environment
from bench.suite.case import Case

DOUBLE = Environment("slow-chip-2-cores", "cpu", "Slow Chip", "0.10.1", "float64")


@pytest.mark.parametrize("gain", [0.1, 3.0])
def test_a_scaled_rotation_has_the_power_of_its_gain_for_every_pair(gain):
    parameters = {each.name: each.default for each in pair_norms.PARAMETERS} | {
        "cell": "elman_identity", "initialization": "orthogonal", "gain": gain, "hidden_size": 4,
        "sequence_length": 40, "times": 5,
    }  # fmt: skip
    case = Case("pair_norms", pair_norms.resolved(parameters), (0, 1))
    rows = pair_norms.run(case, DOUBLE, "tiny", lambda *_: None)["pair_norms"]
    times = [0, 10, 20, 30, 40]
    pairs = [(s, t) for s in times for t in times if t <= s]
    assert [(row["seed"], row["later_time"], row["earlier_time"]) for row in rows] == [
        (seed, *pair) for seed in (0, 1) for pair in pairs
    ]
    for row in rows:
        expected = (row["later_time"] - row["earlier_time"]) * math.log10(gain)
        assert row["log10_spectral_norm"] == pytest.approx(expected, abs=1e-5)
        assert row["log10_frobenius_norm"] == pytest.approx(expected + math.log10(2), abs=1e-5)
