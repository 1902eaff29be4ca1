"""A long run does not end where Linux allows a process no more memory maps."""

import jax
import pytest

from bench import cases
from bench.measuring import memory_maps


@pytest.fixture
def dropped(tmp_path, monkeypatch):
    """`dropped(held, allowed)`: how often JAX was told to forget its programs, where Linux tells such numbers."""

    def call(held, allowed):
        calls = []
        monkeypatch.setattr(jax, "clear_caches", lambda: calls.append(True))
        for name, text in (("HELD", "7f00-7f01 r-xp 0 0 0\n" * held), ("ALLOWED", f"{allowed}\n")):
            monkeypatch.setattr(memory_maps, name, tmp_path / name)
            (tmp_path / name).write_text(text)
        memory_maps.drop_programs_before_there_are_too_many()
        return len(calls)

    return call


@pytest.mark.parametrize(("held", "times"), [(50, 0), (51, 1)])
def test_programs_are_dropped_where_they_hold_more_than_half_of_the_maps(dropped, held, times):
    assert dropped(held, 100) == times


def test_where_nothing_tells_them_nothing_is_dropped(dropped, tmp_path, monkeypatch):
    dropped(9, 10)
    (tmp_path / "ALLOWED").unlink()
    monkeypatch.setattr(jax, "clear_caches", lambda: pytest.fail("dropped"))
    memory_maps.drop_programs_before_there_are_too_many()


@pytest.mark.skipif(not memory_maps.HELD.exists(), reason="only Linux tells which maps a process holds")
def test_this_machine_tells_them():
    assert int(memory_maps.ALLOWED.read_text()) > len(memory_maps.HELD.read_bytes().splitlines()) > 50


def test_every_case_begins_with_it(monkeypatch):
    asked = []
    monkeypatch.setattr(cases, "drop_programs_before_there_are_too_many", lambda: asked.append(True))
    with pytest.raises(AttributeError):
        cases.measure(None, None, "suite", None, None)
    assert asked == [True]
