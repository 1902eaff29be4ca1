"""Suite files: what they mean, and what is said of a wrong one."""

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rnn_jax as rj
from bench import suite
from bench.cases import KINDS
from bench.errors import UsageError


@pytest.fixture
def refused(loaded):
    """`refused(text)` is what the UsageError says; the file is always named."""

    def refuse(text):
        with pytest.raises(UsageError) as error:
            loaded(text)
        told = str(error.value)
        assert "mine.toml" in told
        return told

    return refuse


# --- shipped suites


@pytest.mark.parametrize("name", suite.names())
def test_shipped_suite_loads(name):
    shipped = suite.load(name)
    assert shipped.name == name
    assert shipped.description.endswith(".") or shipped.description.endswith("?")
    assert shipped.estimate_s > 0
    alike = {(case.match_id(), case.dtype, case.parameters.get("method")) for case in shipped.cases}
    assert len(alike) == len(shipped.cases)
    for case in shipped.cases:
        assert set(case.parameters) == {each.name for each in KINDS[case.kind].PARAMETERS}


@pytest.mark.parametrize("name", ["quick", "gpu-tiny", "targets-cpu-long"])
def test_a_shipped_suite_is_found_by_the_name_that_results_carry(name):
    found = suite.shipped(name)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize("name", ["tiny", "gpu-huge", "quick-", "", "targets"])
def test_what_no_shipped_suite_is_called_is_none(name):
    assert suite.shipped(name) is None


def test_shipped_suites_are_known_by_name():
    assert {"smoke", "quick", "cpu"} <= set(suite.names())


def test_quick_and_smoke_measure_the_cells_that_people_ask_for_in_every_way():
    for name in ("smoke", "quick"):
        # An extra; no cell, twice; the suites `gpu`, `devices` and `data-generation`.
        for kind in set(KINDS) - {
            "peers",
            "ceilings",
            "dependence",
            "precision",
            "devices",
            "data_generation",
        }:
            if (name, kind) == ("quick", "spectra"):
                continue  # whole spectra want float64; the suite `theory` measures them
            cells = {case["cell"] for case in suite.load(name).cases if case.kind == kind}
            assert {"elman_tanh", "lstm", "gru"} <= cells, (name, kind)


def test_every_generated_task_is_trained_and_its_drawing_timed():
    generated = {name for name, kind in rj.tasks.TASKS.items() if not hasattr(kind, "data_regime")}
    trained = {case["task"] for case in suite.load("tasks").cases}
    assert trained - {"sequential_digits"} == generated
    timed = suite.load("data-generation").cases
    for net in {(case["cell"], case["hidden_size"]) for case in timed}:
        assert {case["task"] for case in timed if (case["cell"], case["hidden_size"]) == net} == generated


# --- what a file means


def test_a_suite_may_ask_for_a_dtype(loaded, refused):
    case = '[[exactness]]\ncell = "gru"\n'
    assert loaded(case).dtype == "float32"
    assert loaded('dtype = "float64"\n' + case).dtype == "float64"
    assert loaded('dtype = "float64"\n' + case).with_seeds(1).only("cell=gru").dtype == "float64"
    assert suite.load("theory").dtype == "float64"
    told = refused('dtype = "float16"\n' + case)
    assert "dtype must be one of float32, float64, got 'float16'" in told


def test_sweeps_multiply_in_the_files_order(loaded):
    swept = loaded(
        '[[gradient_norms]]\ncell = ["gru", "lstm"]\nhidden_size = [4, 8]\ngain = [0.5, 1.0, 2.0]\nseeds = 5\n'
        '[[exactness]]\ncell = "irnn"\n'
    )
    told = [(case["cell"], case["hidden_size"], case["gain"]) for case in swept.cases[:-1]]
    assert sorted(told) == sorted(itertools.product(["gru", "lstm"], [4, 8], [0.5, 1.0, 2.0]))
    assert [case["cell"] for case in swept.cases[:6]] == ["gru"] * 6
    assert all(case.seeds == (0, 1, 2, 3, 4) for case in swept.cases[:-1])
    assert swept.cases[-1].kind == "exactness"
    assert swept.name == "mine"


def test_defaults_are_filled_in(loaded):
    lstm, task = loaded(
        '[[gradient_norms]]\ncell = "lstm"\n'
        '[[task_accuracy]]\ncell = "elman_tanh"\ntask = "copy"\ntask_length = 10\nremedy = "clip_by_norm"\n'
    ).cases
    assert lstm.seeds == (0, 1, 2)
    assert loaded('[[timings]]\ncell = "gru"\n').cases[0].seeds == (0,)
    assert (lstm["initialization"], lstm["gain"], lstm["forget_bias"]) == ("orthogonal", 1.0, 1.0)
    assert (lstm["sequence_length"], lstm["sequences"], lstm["lags"]) == (200, 16, 40)
    assert (task["initialization"], task["forget_bias"]) == ("gaussian", None)
    assert (task["variant"], task["remedy_strength"]) == ("urnn", 1.0)
    assert (task["optimizer"], task["learning_rate"], task["step_budget"]) == ("adam", 2e-3, 2000)


def test_every_cell_can_be_named(loaded):
    listed = ", ".join(f'"{name}"' for name in rj.cells.CELLS)
    cells = [case["cell"] for case in loaded(f"[[exactness]]\ncell = [{listed}]\n").cases]
    assert cells == list(rj.cells.CELLS)


def test_a_case_named_twice_is_measured_once(loaded):
    same = loaded(
        '[[exactness]]\ncell = "gru"\ngain = 1\n[[exactness]]\ncell = ["gru", "lstm"]\ngain = [1.0, 1]\n'
    )
    assert [case["cell"] for case in same.cases] == ["gru", "lstm"]


def test_a_case_whose_package_is_missing_is_left_out(loaded):
    found = loaded(
        '[[exactness]]\ncell = "gru"\nneeds = "no_such_package"\n'
        '[[exactness]]\ncell = "lstm"\nneeds = "numpy"\n[[exactness]]\ncell = "elman_tanh"\n'
    )
    kept, left_out = found.installed()
    assert [case["cell"] for case in kept.cases] == ["lstm", "elman_tanh"]
    assert [case["cell"] for case in left_out] == ["gru"]


def test_what_a_case_needs_does_not_change_what_it_is(loaded):
    one, other = (
        loaded(f'[[exactness]]\ncell = "gru"\n{needs}').cases[0] for needs in ("", 'needs = "numpy"\n')
    )
    assert one.match_id() == other.match_id()
    assert one.difference() == other.difference()


def test_what_a_case_needs_is_a_name(refused):
    assert "needs must name one package" in refused('[[exactness]]\ncell = "gru"\nneeds = 3\n')


def test_with_seeds():
    some = suite.load("smoke").with_seeds(4)
    assert {case.seeds for case in some.cases if case.kind != "timings"} == {(0, 1, 2, 3)}
    assert {case.seeds for case in some.cases if case.kind == "timings"} == {(0,)}
    for count in (0, 10_001):
        with pytest.raises(UsageError, match=f"--seeds must be a whole number from 1 to 10000, got {count}"):
            some.with_seeds(count)


# --- what is said of a wrong one

CELL = '[[gradient_norms]]\ncell = "lstm"\n'
TASK = '[[task_accuracy]]\ncell = "lstm"\ntask = "adding"\ntask_length = 20\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[[gradient_norm]]\ncell = "lstm"', ["'gradient_norm'", "did you mean 'gradient_norms'", "timings"]),
        ('descripton = "x"\n' + CELL, ["'descripton'", "did you mean 'description'"]),
        (CELL + "hiden_size = 4", ["number 1", "'hiden_size'", "did you mean 'hidden_size'", "seeds"]),
        (CELL + "\n" + CELL + "gian = 4", ["[[gradient_norms]] number 2", "'gian'", "did you mean 'gain'"]),
        ('[[exactness]]\ncell = "lstn"', ["cell", "'lstn'", "did you mean 'lstm'", "gru_reset_before"]),
        ("[[exactness]]\ngain = 1.0", ["cell is missing", "elman_tanh", "gru"]),
        ('[[task_accuracy]]\ncell = "gru"\ntask_length = 20', ["task is missing", "adding", "copy"]),
        ('[[task_accuracy]]\ncell = "gru"\ntask = "adding"', ["task_length is missing", "from 1 to 100000"]),
        (CELL + "hidden_size = 0", ["hidden_size must be a whole number from 1 to 65536, got 0"]),
        (CELL + "hidden_size = 8.0", ["hidden_size must be a whole number", "got 8.0"]),
        (CELL + "hidden_size = true", ["hidden_size must be a whole number", "got True"]),
        (CELL + "gain = true", ["gain must be a number", "got True"]),
        (CELL + "gain = -0.5", ["gain must be a number from 0 to", "got -0.5"]),
        (CELL + "gain = nan", ["gain must be a number", "got nan"]),
        (CELL + "gain = inf", ["gain must be a number", "got inf"]),
        (CELL + 'gain = "1.0"', ["gain must be a number", "got '1.0'"]),
        (CELL + "gain = [1.0, -1.0]", ["gain must be a number", "got -1.0"]),
        (CELL + "gain = [[1.0]]", ["gain must be a number", "got [1.0]"]),
        (CELL + "gain = []", ["gain is an empty list"]),
        (CELL + "initialization = 1", ["initialization must be one of gaussian, orthogonal, identity, sparse, got 1"]),
        (CELL + "seeds = 0", ["seeds must be a whole number from 1 to 10000, got 0"]),
        ('[[timings]]\ncell = "gru"\nseeds = 3', ["seeds must be 1 in every [[timings]], or left out, got 3"]),
        (CELL + "seeds = true", ["seeds", "got True"]),
        (CELL + "seeds = [1, 2]", ["seeds", "got [1, 2]"]),
        (CELL + "sequence_length = 1000001", ["sequence_length", "to 1e+06", "got 1000001"]),
        ('[[exactness]]\ncell = "lstm"\nsequence_length = 501', ["sequence_length", "from 1 to 500"]),
        (TASK + 'variant = "urnn"', ["variant of adding must be one of halves, anywhere, mean, martens, got 'urnn'"]),
        (TASK + 'variant = "halvs"', ["variant of adding must be one of halves", "got 'halvs'"]),
        (TASK.replace("20", "5"), ["adding", "at least 10", "got 5"]),
        (TASK + "remedy_strength = 2.0", ["remedy_strength needs a remedy"]),
        (TASK + 'remedy = ["none", "clip_by_norm"]\nremedy_strength = 2.0', ["remedy_strength needs a remedy"]),
        (TASK + 'remedy = "clip_by_nrm"', ["remedy", "did you mean 'clip_by_norm'"]),
        (TASK + 'optimizer = "adamw"', ["optimizer", "did you mean 'adam'", "rmsprop", "sgd"]),
        ('[[exactness]]\ncell = "gru"\nforget_bias = 1.0', ["cell gru has no forget gate", "forget_bias"]),
        ('[[exactness]]\ncell = "mingru"\ngain = 3.0', ["cell mingru takes gain 1 alone, got 3"]),
        ('[[exactness]]\ncell = "lru"\ngain = 3.0', ["cell lru takes gains from 0 to 1, got 3"]),
        (
            '[[timings]]\ncell = "gru"\nlayers = 2',
            ["[[timings]]", "no key 'layers'; it is one of [[", "[[spectra]]", " alone"],
        ),
        (CELL + "layers = 0", ["layers must be a whole number from 1 to 64, got 0"]),
        (CELL + "layers = 1.5", ["layers must be a whole number", "got 1.5"]),
        (CELL + "input_deviation = -1.0", ["input_deviation must be a number from 0 to 1e+06, got -1.0"]),
        ('[[exactness]]\ncell = "gru"\ndt = 0.1', ["cell gru has no step in time", "dt"]),
        ('[[exactness]]\ncell = "lem"\ndt = 0.0', ["dt", "1e-06", "got 0.0"]),
        ('[[exactness]]\ncell = "irnn"\ninitialization = "gaussian"', ["irnn fixes", "'identity'", "'gaussian'"]),
        ("[gradient_norms]\ncell = 'lstm'", ["gradient_norms must be a list of tables", "[[gradient_norms]]"]),
        ("gradient_norms = [1]", ["gradient_norms must be a list of tables"]),
        ("", ["no cases", "[[gradient_norms]]"]),
        ("description = 3\n" + CELL, ["description must be a text, got 3"]),
        ("seed = 3\n" + CELL, ["unknown key 'seed'; seeds belongs into a table, below its line"]),
        ("gain = 3\n" + CELL, ["unknown key 'gain'; gain belongs into a table"]),
        (CELL + 'remedy = "leaky"', ["no key 'remedy'; it is one of [[task_accuracy]]", "reach_before_steps"]),
        ("gradient_norms = []", ["no cases"]),
        ("estimate_s = 0\n" + CELL, ["estimate_s", "got 0"]),
        ("estimate_s = true\n" + CELL, ["estimate_s", "got True"]),
        ("cell = lstm", ["not a TOML file", "line 1"]),
        (CELL + f"gain = 1{'0' * 400}", ["gain must be a number"]),
        (CELL + f"gain = 1{'0' * 5000}", ["not a TOML file"]),
    ],
    ids=lambda value: value.replace("\n", " ")[-60:] if isinstance(value, str) else "",
)  # fmt: skip
def test_a_wrong_file_is_told(text, told, refused):
    message = refused(text)
    for words in told:
        assert words in message, message
    assert "\n" not in message


def test_bytes_that_are_no_text_are_told(tmp_path):
    path = tmp_path / "latin.toml"
    path.write_bytes('description = "Schrödinger"'.encode("latin-1"))
    with pytest.raises(UsageError, match=r"latin\.toml: not a TOML file"):
        suite.load(str(path))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("quik", "did you mean 'quick'"),
        ("nothing_like_it", ", ".join(suite.names())),
        ("absent.toml", "there is no file absent.toml"),
        ("results/.toml", "there is no file results/.toml"),
        ("", ", ".join(suite.names())),
        ("a\0b", "no suite 'a\\x00b'"),
    ],
)
def test_a_missing_suite_is_told(name, told):
    with pytest.raises(UsageError) as error:
        suite.load(name)
    assert told in str(error.value)


_SCALARS = st.one_of(
    st.none().map(lambda _: "lstm"),
    st.booleans(),
    st.integers(-(10**6), 10**6),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["adding", "copy", "gru", "irnn", "halves", "none", "clip_by_norm", "gaussian"]),
)
_PARAMETER_NAMES = sorted({each.name for kind in KINDS.values() for each in kind.PARAMETERS})
_TABLES = st.dictionaries(
    st.one_of(st.sampled_from([*_PARAMETER_NAMES, "seeds"]), st.text(max_size=5)),
    st.one_of(_SCALARS, st.lists(_SCALARS, max_size=2), st.dictionaries(st.text(max_size=3), _SCALARS)),
    max_size=4,
)
_COMPLETE = _TABLES.map(lambda table: {"cell": "lstm", "task": "adding", "task_length": 20} | table)
_FILES = st.dictionaries(
    st.one_of(
        st.sampled_from([*KINDS, "description", "estimate_s", "include", "scale", "dtype"]),
        st.text(max_size=5),
    ),
    st.one_of(_SCALARS, st.lists(st.one_of(_TABLES, _COMPLETE), max_size=2), _TABLES),
    max_size=3,
)


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
@given(content=_FILES)
def test_any_file_is_a_suite_or_a_usage_error(content, tmp_path, monkeypatch):
    path = tmp_path / "any.toml"
    path.touch()
    monkeypatch.setattr("bench.suite.reading.read_toml", lambda path: content)
    try:
        assert suite.load(str(path)).cases
    except UsageError as error:
        told = str(error)
        assert "any.toml" in told


# --- --only


@pytest.fixture
def several(loaded):
    return loaded(
        '[[gradient_norms]]\ncell = ["lstm", "gru"]\ngain = [0.5, 1.0, 1.5]\n'
        '[[task_accuracy]]\ncell = ["lstm", "gru"]\ntask = "adding"\ntask_length = [10, 20]\n'
    )


@pytest.mark.parametrize(
    ("conditions", "count"),
    [
        ("cell=lstm", 5),
        ("cell!=lstm", 5),
        ("gain<=1", 8),
        ("gain<1", 2),
        ("gain>=1", 8),
        ("gain>1.0", 2),
        ("gain=1", 6),
        ("gain != 1", 4),
        ("kind=task_accuracy", 4),
        ("cell = gru , kind=gradient_norms, gain<=1", 2),
        ("task_length=20", 2),
        ("forget_bias=1", 5),
    ],
)
def test_only_keeps_the_cases_that_meet_the_conditions(conditions, count, several):
    kept = several.only(conditions)
    assert len(kept.cases) == count
    assert all(each in several.cases for each in kept.cases)
    assert kept.name == several.name


def test_only_does_not_change_what_a_case_is(several, environment):
    whole = {case.case_id(environment) for case in several.cases}
    assert {case.case_id(environment) for case in several.only("cell=gru").cases} < whole


@pytest.mark.parametrize(
    ("conditions", "told"),
    [
        ("gian<1", ["unknown parameter 'gian'", "did you mean 'gain'", "task_length"]),
        ("cell", ["cannot read 'cell'", "cell=lstm"]),
        ("", ["cannot read ''"]),
        ("cell=lstm,", ["cannot read ''"]),
        ("cell<lstm", ["cell is text", "<"]),
        ("gain=much", ["gain is a number", "'much'"]),
        ("gain=<1", ["gain is a number", "'<1'"]),
        ("cell=irnn", ["--only cell=irnn leaves no case of suite mine", "(one of gru, lstm)"]),
        ("gain<=1,cell=lstmm", ["did you mean 'lstm'?"]),
        ("gain<0.1,gain>1", ["leaves no case"]),
        ("gain<0.1,gian>1", ["unknown parameter 'gian'"]),
    ],
)
def test_only_is_told_what_it_cannot_do(conditions, told, several):
    with pytest.raises(UsageError) as error:
        several.only(conditions)
    for words in told:
        assert words in str(error.value)


@pytest.mark.parametrize(
    ("estimate_on", "hinted"),
    [
        ("one H100 or H200", True),
        ("one GPU, a guess", True),
        ("two cores", False),
        ("my M2 laptop", False),
        ("", False),
    ],
)
def test_a_suite_whose_times_are_of_a_gpu_says_so(estimate_on, hinted, loaded):
    case = '[[exactness]]\ncell = "lstm"\nhidden_size = 4\n'
    hint = loaded(f'estimate_s = 10\nestimate_on = "{estimate_on}"\n{case}').gpu_hint
    assert bool(hint) == hinted
    assert hint.startswith(f"its times are of {estimate_on};") or not hinted
    assert suite.load("gpu").gpu_hint
    assert not suite.load("gpu", "tiny").gpu_hint
