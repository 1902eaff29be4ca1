"""Comparisons that are kept, and made again from the folders that they are of."""

import shutil

import pytest

from bench.comparing import comparison
from bench.deriving import pages
from bench.errors import UsageError
from bench.store import read_machine


@pytest.fixture
def sides(folder_of, row):
    """Two folders in which the right one is slow at 16 units and fast at 64."""

    def timings(seconds):
        return [
            row("timings", match_id=f"m{size}", state_size=size, run_s=run_s, cell="lstm")
            for size, run_s in seconds.items()
        ]

    return (
        folder_of("left", timings=timings({16: 1.0, 64: 8.0})).folder,
        folder_of("right", timings=timings({16: 2.0, 64: 4.0})).folder,
    )


def test_it_is_made_again_byte_for_byte(sides, tmp_path):
    kept = tmp_path / "kept"
    written = comparison.keep(sides, kept)
    assert {"comparison.json", "times.csv", "crossovers.md", "times.png"} <= {path.name for path in written}
    before = {path: path.read_bytes() for path in written}
    for path in written[1:]:
        path.unlink()
    comparison.derive(kept)
    assert {path: path.read_bytes() for path in written} == before
    assert comparison.folders_below(tmp_path) == [kept]


def test_without_pictures_only_its_tables_are_made_again(sides, tmp_path):
    kept = tmp_path / "kept"
    written = comparison.keep(sides, kept)
    for path in written[1:]:
        path.unlink()
    made = comparison.derive(kept, pictures=False)
    assert set(made) == {path for path in written[1:] if path.suffix in (".csv", ".md")} != set()
    assert not list(kept.glob("*.png"))


def test_the_tables_say_who_is_faster_from_where_on(sides, tmp_path):
    comparison.keep(sides, tmp_path / "kept")
    tables = dict(comparison.tables(tmp_path / "kept"))
    assert tables["times"]["ratio"].to_list() == [2.0, 0.5]
    found = tables["crossovers"].iloc[0]
    assert (found["faster"], found["from_size"]) == ("right", pytest.approx(32.0))


def test_its_tables_name_machine_and_folder_and_not_where_they_lie(sides, folder_of, row, tmp_path):
    (left, right), person = sides, tmp_path / "alice"
    person.mkdir()
    for side in (right, left):
        shutil.copytree(side, person / right.name, dirs_exist_ok=True)
    comparison.keep([left, right, person / right.name], tmp_path / "kept")
    machine = read_machine(right)["identity"]["machine"]
    labels = dict(comparison.tables(tmp_path / "kept"))["times"]["right"].unique()
    assert labels.tolist() == [f"{machine}/right (1)", f"{machine}/right (2)"]


def test_it_moves_with_its_folders(sides, tmp_path):
    comparison.keep(sides, tmp_path / "kept")
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for name in ("left", "right", "kept"):
        (tmp_path / name).rename(moved / name)
    assert len(dict(comparison.tables(moved / "kept"))["times"]) == 2


def test_a_page_shows_its_tables(sides, tmp_path):
    comparison.keep(sides, tmp_path / "kept")
    page = "<!-- results kept crossovers: cell, faster, from_size -->\n<!-- end -->\n"
    assert "| lstm | right | 32 |" in pages.filled("README.md", page, tmp_path)


def test_what_cannot_be_compared_leaves_no_folder(sides, folder_of, row, tmp_path):
    other = folder_of("other", decay=[row("decay")]).folder
    with pytest.raises(UsageError, match="no case in common"):
        comparison.keep([sides[0], other], tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_a_place_that_takes_no_folder_is_told(sides, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(
        UsageError, match=r"--out .*file/kept cannot be made: .*file takes no files; choose another"
    ):
        comparison.require_own_folder(tmp_path / "file" / "kept")
    assert (tmp_path / "file").read_text() == "mine"


def test_it_does_not_write_among_results(sides):
    with pytest.raises(UsageError, match="holds results; choose a folder of its own"):
        comparison.keep(sides, sides[0])


@pytest.mark.parametrize("text", ["", "[]", '{"left": "../left"}'])
def test_a_damaged_one_is_told(text, sides, tmp_path):
    comparison.keep(sides, tmp_path / "kept")
    (tmp_path / "kept" / "comparison.json").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="keeps no comparison"):
        comparison.derive(tmp_path / "kept")
