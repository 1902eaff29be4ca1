"""Pictures of made-up folders."""

import math
import re

import matplotlib.pyplot as plt
import pytest

from bench import plots

# Of runs that all stayed finite.
ALL = ("decay", "trained_decay", "accuracy", "training_loss")


def decay_rows(row, cells=("elman_tanh", "lstm"), gains=(0.5, 1.5), value=None):
    return [
        row(
            "gradient_norms",
            cell=cell,
            gain=gain,
            seed=seed,
            lag=lag,
            case_id=f"{cell}{gain}",
            log10_spectral_norm=value if value is not None else lag * math.log10(gain) - 0.1 * seed,
        )
        for cell in cells
        for gain in gains
        for seed in (0, 1)
        for lag in (0, 1, 10, 100)
    ]


def task_rows(row, verdict="solved", accuracy=0.9, loss=0.1, settings=(("gru", "none"),), **more):
    """Rows of whole task cases: the outcome, the norms before and after, the training curve."""
    made = {"task_accuracy": [], "gradient_norms": [], "training_curves": []}
    for cell, remedy in settings:
        strength = None if remedy == "none" else 1.0
        case = {"cell": cell, "case_id": f"{cell} {remedy}", "input_kind": "adding"}
        told = {"remedy": remedy, "remedy_strength": strength}
        for seed in (0, 1):
            made["task_accuracy"].append(
                row("task_accuracy", seed=seed, verdict=verdict, accuracy=accuracy, **case, **told, **more)
            )
            made["gradient_norms"] += [
                row(
                    "gradient_norms",
                    seed=seed,
                    weights=weights,
                    lag=lag,
                    log10_spectral_norm=-0.1 * lag,
                    **case,
                )
                for weights in ("initial", "trained")
                for lag in (0, 1, 10, 100)
            ]
            made["training_curves"] += [
                row("training_curves", seed=seed, step=step, loss=loss, **case, **told)
                for step in (1, 50, 100)
            ]
    return made


def drawn(store):
    return sorted({path.stem for path in plots.draw(store)})


def test_every_picture_is_drawn_twice_over(row, folder_of):
    tables = task_rows(row, settings=(("gru", "none"), ("lstm", "clip_by_norm")))
    tables["gradient_norms"] += decay_rows(row)
    store = folder_of(**tables)
    written = plots.draw(store)
    assert sorted(path.name for path in written) == sorted(
        f"{name}{suffix}" for name in ALL for suffix in (".svg", ".png")
    )
    assert set(written) == set((store.folder / "figures").iterdir())
    for path in written:
        start = b"\x89PNG\r\n\x1a\n" if path.suffix == ".png" else b"<?xml"
        assert path.read_bytes().startswith(start)


def test_the_same_data_give_the_same_bytes(row, folder_of):
    tables = task_rows(row)
    tables["gradient_norms"] += decay_rows(row)
    store = folder_of(**tables)
    first = {path.name: path.read_bytes() for path in plots.draw(store)}
    again = {path.name: path.read_bytes() for path in plots.draw(store)}
    assert first == again


def test_other_data_give_another_picture(row, folder_of):
    pictures = [
        plots.draw(folder_of(name, gradient_norms=decay_rows(row, gains=gains)))[0].read_bytes()
        for name, gains in (("one", (0.5,)), ("other", (0.6,)))
    ]
    assert pictures[0] != pictures[1]


def test_a_decay_picture_names_its_cells_gains_and_axes(row, folder_of):
    svg = plots.draw(folder_of(gradient_norms=decay_rows(row)))[0].read_text(encoding="utf-8")
    for words in ("elman_tanh", "lstm", "gain 0.5", "gain 1.5", "lag T − t (steps)", "a norm of 1e-3"):
        assert words in svg


@pytest.mark.parametrize(
    "change", [{"hidden_size": 8}, {"input_scale": 0.1}, {"forget_bias": 5.0}, {"dt": 0.1}], ids=str
)
def test_a_decay_picture_draws_no_median_over_different_nets(change, row, folder_of):
    one = decay_rows(row, cells=("lstm",), gains=(0.5,), value=-1.0)
    other = [each | change | {"case_id": "other", "log10_spectral_norm": -9.0} for each in one]
    pictures = [
        plots.draw(folder_of(name, gradient_norms=norms))[0].read_text(encoding="utf-8")
        for name, norms in (("one", one), ("both", one + other))
    ]
    lines = [len(re.findall(r'<g id="line2d_', picture)) for picture in pictures]
    assert lines[1] > lines[0], "a line for each of the two nets"


def test_a_task_picture_names_verdicts_and_settings(row, folder_of):
    store = folder_of(**task_rows(row, verdict="at_baseline", settings=(("gru", "clip_by_norm"),)))
    pictures = {
        path.stem: path.read_text(encoding="utf-8") for path in plots.draw(store) if path.suffix == ".svg"
    }
    assert "2 at_baseline" in pictures["training_loss"]
    assert "gru, clip_by_norm 1" in pictures["accuracy"]
    assert "adding (halves)" in pictures["accuracy"]
    assert "fraction within 0.04 of the sum" in pictures["accuracy"]
    assert "T = 100" in pictures["trained_decay"]


def test_a_cross_stands_where_a_run_ended_in_nan(row, folder_of):
    def marks(name, **more):
        store = folder_of(name, **task_rows(row, verdict="diverged", accuracy=None, **more))
        (svg,) = [path for path in plots.draw(store) if path.name == "training_loss.svg"]
        return len(re.findall(r'<g id="line2d_', svg.read_text(encoding="utf-8")))

    assert marks("broken", first_nonfinite_step=70) == marks("whole") + 2


@pytest.mark.parametrize(
    "tables", [{}, {"decay": 1}, {"timings": 1}, {"failures": 1}, {"training_curves": 1}]
)
def test_a_folder_without_such_data_draws_nothing(tables, row, folder_of):
    store = folder_of(**{kind: [row(kind)] for kind in tables})
    assert plots.draw(store) == []
    assert not (store.folder / "figures").exists()


def test_norms_of_task_inputs_alone_draw_no_decay(row, folder_of):
    store = folder_of(gradient_norms=[row("gradient_norms", input_kind="adding")])
    assert drawn(store) == []


@pytest.mark.costly
@pytest.mark.parametrize("value", [-math.inf, math.inf, math.nan, 0.0, -1e6, 1e6])
def test_no_norm_breaks_a_picture(value, row, folder_of):
    norms = decay_rows(row, cells=("elman_relu",), gains=(1.0,), value=value) + decay_rows(row)
    assert drawn(folder_of(gradient_norms=norms)) == ["decay"]


@pytest.mark.costly
@pytest.mark.parametrize("loss", [None, math.inf, 0.0, -1.0, 1e38])
def test_no_loss_breaks_a_picture(loss, row, folder_of):
    tables = task_rows(row, verdict="diverged", accuracy=None, loss=loss, first_nonfinite_step=1)
    assert set(drawn(folder_of(**tables))) >= {"accuracy", "training_loss", "trained_decay"}


def test_one_lag_and_one_step_are_enough(row, folder_of):
    tables = task_rows(row)
    tables["training_curves"] = tables["training_curves"][:1]
    tables["gradient_norms"] = [row("gradient_norms", lag=0)]
    assert set(drawn(folder_of(**tables))) == set(ALL)


def test_sgd_alone_draws_no_accuracy(row, folder_of):
    assert "accuracy" not in drawn(folder_of(**task_rows(row, optimizer="sgd")))


@pytest.mark.costly
@pytest.mark.parametrize("count", range(1, 10))
def test_every_number_of_panels_fits(count, row, folder_of):
    cells = [f"cell{number}" for number in range(count)]
    svg = plots.draw(folder_of(gradient_norms=decay_rows(row, cells=cells)))[0].read_text(encoding="utf-8")
    for cell in cells:
        assert f">{cell}<" in svg


def test_drawing_leaves_matplotlib_as_it_was(row, folder_of):
    before = dict(plt.rcParams)
    plots.draw(folder_of(gradient_norms=decay_rows(row)))
    assert dict(plt.rcParams) == before
    assert plt.get_fignums() == []


def explosion_rows(row, cases=("a",), norm=lambda rank, lag: 0.1 * lag - rank, step=70):
    """Runs that went non-finite: the chains of the last batch and the training curve up to it."""
    norms = [
        row(
            "explosions",
            case_id=case,
            step=step,
            quantity="gradient",
            rank=rank,
            sequence=7 - rank,
            lag=lag,
            log10_spectral_norm=norm(rank, lag),
        )
        for case in cases
        for rank in (0, 1)
        for lag in (0, 1, 10, 100)
    ]
    curve = [
        row("training_curves", case_id=case, step=at, loss=0.1 * at, gradient_norm=2.0**at)
        for case in cases
        for at in range(1, step + 1, 10)
    ]
    return {"explosions": norms, "training_curves": curve}


def named_svg(store, name):
    (svg,) = [path for path in plots.draw(store) if path.name == f"{name}.svg"]
    return svg.read_text(encoding="utf-8")


def test_panels_say_how_long_their_sequences_are_where_they_differ(row, folder_of):
    short, long = decay_rows(row, cells=("gru",)), decay_rows(row, cells=("lstm",))
    for each in long:
        each["sequence_length"] = 300
    svg = named_svg(folder_of(gradient_norms=[*short, *long]), "decay")
    assert "gru, T = 100<" in svg
    assert "lstm, T = 300<" in svg
    assert "T = 100" not in named_svg(folder_of("one", gradient_norms=short), "decay")


def test_a_probed_cell_that_is_not_finite_is_told_in_the_legend(row, folder_of):
    broken = decay_rows(row, cells=("my:broken",), gains=(1.0,), value=math.nan)
    partly = decay_rows(row, cells=("my:partly",), gains=(1.0,))
    partly[-1]["log10_spectral_norm"] = math.nan
    whole = decay_rows(row, cells=("my:whole",), gains=(1.0,))
    svg = named_svg(folder_of(gradient_norms=[*broken, *partly, *whole]), "probed")
    assert "my:broken (not finite: nothing to draw)" in svg
    assert "my:partly (not finite at some lags)" in svg
    assert "my:whole<" in svg


def explosion_svg(store):
    return named_svg(store, "explosion")


def test_an_explosion_names_its_step_its_quantity_and_the_sequences(row, folder_of):
    svg = explosion_svg(folder_of(**explosion_rows(row)))
    for words in ("gradient not finite at step 70", "sequence 7", "sequence 6", "gradient norm", "gain 1"):
        assert words in svg


@pytest.mark.costly
@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_an_explosion_has_a_row_for_each_of_three_settings_at_most(count, row, folder_of):
    tables = explosion_rows(row, cases=[str(each) for each in range(count)])
    for each in tables["explosions"]:
        each["log10_spectral_norm"] += int(each["case_id"])
    svg = explosion_svg(folder_of(**tables))
    assert svg.count("not finite at step 70") == min(count, 3)
    assert f"{min(count, 3)} of {count} settings that broke" in svg


def test_settings_that_broke_alike_are_one_row_that_names_them_all(row, folder_of):
    tables = explosion_rows(row, cases=["a", "b", "c", "d"])
    for each in tables["explosions"]:
        each["remedy"] = f"remedy_{each['case_id']}"
    svg = explosion_svg(folder_of(**tables))
    assert svg.count("not finite at step 70") == 1
    assert "4 of 4 settings that broke" in svg
    assert all(f"remedy_{case}" in svg for case in "abcd")


@pytest.mark.parametrize("value", [-math.inf, math.inf, math.nan])
def test_no_norm_breaks_an_explosion(value, row, folder_of):
    tables = explosion_rows(row, norm=lambda rank, lag: value, step=1)
    for each in tables["training_curves"]:
        each["loss"], each["gradient_norm"] = math.inf, math.nan
    assert drawn(folder_of(**tables)) == ["explosion"]
