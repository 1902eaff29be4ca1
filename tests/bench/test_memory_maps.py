"""A long run does not end where Linux allows a process no more memory maps."""

import jax
import jax.numpy as jnp
import pytest

from bench import cases, memory_maps


def held():
    with memory_maps.HELD.open("rb") as maps:
        return sum(1 for _ in maps)


@pytest.fixture
def compiled():
    """Programs that JAX keeps, and how many maps there were before them."""
    if not memory_maps.HELD.exists():
        pytest.skip("only Linux tells which maps a process holds")
    jax.clear_caches()
    before = held()
    for size in range(1, 41):
        jax.jit(lambda x: jnp.sin(x) @ jnp.cos(x))(jnp.ones(size))
    assert held() > before + 60
    return before


def test_programs_are_dropped_where_they_hold_half_of_the_maps(compiled, tmp_path, monkeypatch):
    monkeypatch.setattr(memory_maps, "ALLOWED", tmp_path / "allowed")
    memory_maps.ALLOWED.write_text(f"{4 * held()}\n")
    full = held()
    memory_maps.drop_programs_before_there_are_too_many()
    assert held() >= full
    memory_maps.ALLOWED.write_text(f"{2 * held() - 20}\n")
    memory_maps.drop_programs_before_there_are_too_many()
    assert held() < compiled + 30


def test_where_nothing_tells_them_nothing_is_dropped(compiled, tmp_path, monkeypatch):
    monkeypatch.setattr(memory_maps, "ALLOWED", tmp_path / "nothing here")
    full = held()
    memory_maps.drop_programs_before_there_are_too_many()
    assert held() >= full


def test_every_case_begins_with_it(monkeypatch):
    asked = []
    monkeypatch.setattr(cases, "drop_programs_before_there_are_too_many", lambda: asked.append(True))
    with pytest.raises(AttributeError):
        cases.measure(None, None, "suite", None, None)
    assert asked == [True]
