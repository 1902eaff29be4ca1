"""What is written of a result folder, and what is left alone."""

import pytest

from bench.deriving.derived import derive
from bench.errors import UsageError
from bench.store import Store


def test_derive_writes_each_table_twice_and_the_same_bytes_again(row, folder_of):
    store = folder_of(
        decay=[row("decay", seed=seed, rate_nats_per_step=-seed / 3) for seed in range(3)],
        exactness=[row("exactness")],
    )
    derive(store)
    written = {path.name: path.read_bytes() for path in (store.folder / "tables").iterdir()}
    assert set(written) == {
        f"{name}.{suffix}"
        for name in ("decay_summary", "exactness_summary", "claims")
        for suffix in ("csv", "md")
    }
    assert b"-0.333333333" in written["decay_summary.csv"]
    assert b"-0.3333 |" in written["decay_summary.md"]
    derive(store)
    assert written == {path.name: path.read_bytes() for path in (store.folder / "tables").iterdir()}


def test_derive_without_pictures_leaves_those_that_are_there_alone(row, folder_of):
    store = folder_of(decay=[row("decay")], exactness=[row("exactness")])
    picture = store.folder / "figures" / "decay.png"
    picture.parent.mkdir()
    picture.write_bytes(b"as it was")
    assert "decay_summary" in derive(store, pictures=False)
    assert (store.folder / "tables" / "decay_summary.csv").exists()
    assert [path.name for path in picture.parent.iterdir()] == ["decay.png"]
    assert picture.read_bytes() == b"as it was"


def test_a_table_whose_rows_went_away_goes_away(row, folder_of):
    store = folder_of(decay=[row("decay")])
    derive(store)
    store.write("c0", {"exactness": [row("exactness")]})
    store.collate()
    derive(store)
    assert not (store.folder / "tables" / "decay_summary.csv").exists(), "a table of results that are gone"


def test_derive_does_not_make_a_folder(tmp_path):
    with pytest.raises(UsageError, match="nowhere"):
        derive(Store(tmp_path / "nowhere"))
    assert not (tmp_path / "nowhere").exists()


def test_derive_leaves_files_of_other_names_alone(row, folder_of):
    store = folder_of(decay=[row("decay")])
    mine = store.folder / "tables" / "mine.tex"
    mine.parent.mkdir()
    mine.write_text("mine")
    derive(store)
    assert mine.read_text() == "mine"
    assert (store.folder / "tables" / "decay_summary.csv").is_file()


def test_derive_refuses_a_folder_without_results(tmp_path):
    with pytest.raises(UsageError, match="holds no result file"):
        derive(Store(tmp_path))
