"""Cases that were measured for fewer seeds and for more: the rows of both stay, and the nets count once."""

import pytest

from bench import plots
from bench.report import results


@pytest.fixture
def both(row, folder_of):
    """`both(kind=columns that the case of one seed has for itself)`: a folder with it and with one of three."""

    def make(**kinds):
        return folder_of(
            **{
                kind: [row(kind, case_id="of three", seed=seed) for seed in range(3)]
                + [row(kind, case_id="of one", match_id="m1", seed=0, **own)]
                for kind, own in kinds.items()
            }
        )

    return make


def cases_of(store, kind):
    return store.each_seed_once().read(kind)["case_id"].unique().tolist()


def test_the_case_of_fewer_seeds_is_left_out_and_its_rows_stay_in_the_files(both):
    store = both(decay={}, exactness={"relative_error": 0.1250001})
    once = store.each_seed_once()
    assert [once.read(kind)["seed"].tolist() for kind in ("decay", "exactness")] == [[0, 1, 2]] * 2
    assert once.left_out == once.each_seed_once().left_out == {"of one"}
    before = (store.folder / "decay.csv").read_bytes()
    (store.shards / "c0.json").unlink()
    once.collate({"of one", "of three"})
    assert (store.folder / "decay.csv").read_bytes() == before
    assert store.case_ids() == {"of one", "of three"}


@pytest.mark.parametrize(
    "own",
    [
        {"decay": {"gain": 2.0}},
        {"decay": {"dtype": "float64"}},
        {"decay": {"sequence_count": 7}},
        {"decay": {"weights": "trained"}, "gradient_norms": {"sequence_length": 7}},
        {"task_accuracy": {"remedy": "clip_by_norm"}, "decay": {}},
        {"task_accuracy": {"learning_rate": 0.1}, "decay": {}},
        {"task_accuracy": {"step_budget": 7}, "training_curves": {}},
        {"lyapunov": {"state_scale": 2.0}},
        {"decay": {"seed": 3}},
        {"decay": {"reach_steps": 7}},  # of a cell of somebody's own that was changed
        {"lyapunov": {"qr_interval_steps": 7}},
        {"singular_values": {"lag": 7}},
        {"decay": {}, "snapshots": None},
    ],
    ids=str,
)
def test_a_case_of_another_setting_or_of_a_seed_of_its_own_counts(own, row, folder_of):
    store = folder_of(
        **{
            kind: [row(kind, case_id="of two", seed=seed) for seed in range(2) if columns is not None]
            + [row(kind, case_id="of one") | (columns or {})]
            for kind, columns in own.items()
        }
    )
    assert sorted(cases_of(store, next(iter(own)))) == ["of one", "of two"]


def test_a_case_of_other_lags_counts(row, folder_of):
    lags = [row("gradient_norms", case_id="of one", lag=lag) for lag in (1, 2)]
    three = [row("gradient_norms", case_id="of three", seed=seed, lag=1) for seed in range(3)]
    assert sorted(cases_of(folder_of(gradient_norms=lags + three), "gradient_norms")) == [
        "of one",
        "of three",
    ]


def test_what_only_other_seeds_have_is_no_difference(both, row, folder_of):
    curve = [row("training_curves", case_id="of one")]
    three = [row("training_curves", case_id="of three", seed=seed) for seed in range(3)]
    broken = [row("explosions", case_id="of three", seed=2)]
    assert cases_of(folder_of(training_curves=curve + three, explosions=broken), "training_curves") == [
        "of three"
    ]


def test_two_cases_of_the_same_seeds_both_count(row, folder_of):
    store = folder_of(decay=[row("decay", case_id=name, seed=seed) for name in "ab" for seed in range(2)])
    assert cases_of(store, "decay") == ["a", "b"]


def test_a_file_that_cannot_be_read_does_not_hide_the_others(both):
    store = both(decay={}, exactness={})
    (store.folder / "exactness.csv").write_text("nonsense\n", encoding="utf-8")
    assert cases_of(store, "decay") == ["of three"]


def test_pictures_and_reports_take_each_seed_once(both, monkeypatch):
    store, seen = both(decay={}), []
    monkeypatch.setitem(plots._MAKERS, "decay", lambda store: seen.append(store.read("decay")))
    plots.draw(store, ["decay"])
    ((_, frame),) = results.read([store.folder]).having("decay")
    assert [len(each) for each in (*seen, frame)] == [3, 3]
