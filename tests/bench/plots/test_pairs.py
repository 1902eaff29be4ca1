import math
import re

import pytest

from bench import plots


def pair_rows(row, value=None, cells=("gru",)):
    return [
        row("pair_norms", cell=cell, case_id=cell, seed=seed, later_time=s, earlier_time=t,
            log10_spectral_norm=-0.1 * (s - t) if value is None else value)
        for cell in cells
        for seed in (0, 1)
        for s in (0, 5, 10)
        for t in (0, 5, 10)
        if t <= s
    ]  # fmt: skip


def test_a_heat_map_names_its_nets_and_axes(row, folder_of):
    store = folder_of(pair_norms=pair_rows(row, cells=("gru", "lstm")))
    assert "pairs" in {path.stem for path in plots.draw(store)}
    text = (store.folder / "figures" / "pairs.svg").read_text()
    for word in ("gru, gain", "lstm, gain", "t (steps)", "s (steps)", "log10 of the norm of dh_s/dh_t"):
        assert re.search(re.escape(word), text), word


@pytest.mark.parametrize("value", [-math.inf, math.inf, math.nan])
def test_no_norm_breaks_it(value, row, folder_of):
    assert "pairs" in {path.stem for path in plots.draw(folder_of(pair_norms=pair_rows(row, value)))}


def test_other_norms_give_another_picture(row, folder_of):
    def picture(value):
        store = folder_of(pair_norms=pair_rows(row, value))
        plots.draw(store)
        return (store.folder / "figures" / "pairs.png").read_bytes()

    assert picture(-3.0) != picture(2.0)
