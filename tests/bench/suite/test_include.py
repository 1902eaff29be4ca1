"""Suites that include others, and grids over every parameter."""

import re
from pathlib import Path

import pytest

from bench import suite
from bench.cases import KINDS
from bench.errors import UsageError
from bench.machine import Environment

OTHER = """
estimate_s = 40
[[exactness]]
cell = ["lstm", "gru"]
hidden_size = [4, 8]
"""
OWN = '[[exactness]]\ncell = "irnn"\nhidden_size = 4\n'


@pytest.fixture
def loaded(tmp_path):
    """`loaded(text, name=text)`: the suite `mine.toml` beside other files."""

    def load(text, scale=None, **others):
        for name, content in {"mine": text, "other": OTHER, **others}.items():
            (tmp_path / f"{name}.toml").write_text(content, encoding="utf-8")
        return suite.load(str(tmp_path / "mine.toml"), scale)

    return load


def names_of(cases):
    return [(case["cell"], case["hidden_size"]) for case in cases]


FOUR = [("lstm", 4), ("lstm", 8), ("gru", 4), ("gru", 8)]


def test_included_cases_come_first_and_are_the_same_cases(loaded, tmp_path):
    mine = loaded(f'include = ["other.toml"]\n{OWN}')
    assert names_of(mine.cases) == [*FOUR, ("irnn", 4)]
    assert mine.cases[:4] == suite.load(str(tmp_path / "other.toml")).cases
    assert mine.name == "mine"
    assert mine.estimate_s is None, "of its own case nothing is said"


def test_a_shipped_suite_is_included_by_name(loaded):
    mine = loaded('include = ["smoke"]\n')
    assert mine.cases == suite.load("smoke").cases
    assert mine.estimate_s == suite.load("smoke").estimate_s


def test_a_part_may_be_chosen_given_other_seeds_and_scaled(loaded):
    scaled = OTHER + "[scale.small]\nhidden_size = 2\n"
    mine = loaded(
        'include = [{suite = "other.toml", only = "cell=lstm,hidden_size>4"},'
        '{suite = "scaled.toml", scale = "small", only = "cell=gru", seeds = 7}]',
        scaled=scaled,
    )
    assert names_of(mine.cases) == [("lstm", 8), ("gru", 2)]
    assert [len(case.seeds) for case in mine.cases] == [3, 7]
    assert mine.estimate_s is None, "40 s are said of all four"


def test_a_case_of_two_suites_is_measured_once(loaded):
    mine = loaded(
        'include = ["other.toml", {suite = "other.toml", only = "cell=gru"}]\n[[exactness]]\ncell = "gru"\nhidden_size = 4\n'
    )
    assert names_of(mine.cases) == FOUR


def test_a_file_is_named_relative_to_the_one_that_includes_it(loaded, tmp_path, monkeypatch):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "middle.toml").write_text('include = ["../other.toml"]', encoding="utf-8")
    monkeypatch.chdir("/")
    assert names_of(loaded('include = ["deep/middle.toml"]').cases) == FOUR


def test_a_suite_of_another_dtype_keeps_its_cases_ids(loaded, tmp_path):
    double = f'dtype = "float64"\n{OTHER}'
    mixed = loaded(f'include = ["double.toml"]\n{OWN}', double=double)
    here, there = (Environment("slow", "cpu", "Slow Chip", "0", dtype) for dtype in ("float32", "float64"))
    alone = suite.load(str(tmp_path / "double.toml"))
    assert mixed.dtype == "float32"
    assert [case.case_id(here) for case in mixed.cases[:4]] == [case.case_id(there) for case in alone.cases]
    assert mixed.cases[4].dtype is None
    assert loaded('include = ["double.toml"]', double=double).dtype == "float64", "there is no other"


def test_a_scale_is_each_files_own_or_that_of_the_file_above(loaded):
    own = "[scale.small]\nhidden_size = 5\n"
    assert names_of(loaded(f'include = ["other.toml"]\n{OWN}{own}', "small").cases)[:2] == [
        ("lstm", 4),
        ("lstm", 5),
    ]
    both = loaded(
        f'include = ["scaled.toml"]\n{OWN}{own}', "small", scaled=OTHER + "[scale.small]\nhidden_size = 2\n"
    )
    assert names_of(both.cases) == [("lstm", 2), ("gru", 2), ("irnn", 4)]
    without = loaded(
        'include = ["scaled.toml"]\n', "small", scaled=OTHER + "[scale.small]\nhidden_size = 2\n"
    )
    assert names_of(without.cases) == [("lstm", 2), ("gru", 2)]
    with pytest.raises(UsageError, match=r"other\.toml: no scale 'small'.*included by .*mine\.toml"):
        loaded('include = ["other.toml"]\n', "small")


def test_estimates_add_up_where_all_is_included(loaded):
    assert (
        loaded('include = ["other.toml", "more.toml"]', more=OWN + "[scale.s]\nseeds = 1\n").estimate_s
        is None
    )
    more = "estimate_s = 2\n" + OWN
    assert loaded('include = ["other.toml", "more.toml"]', more=more).estimate_s == 42
    assert loaded('estimate_s = 7\ninclude = ["other.toml", "more.toml"]', more=more).estimate_s == 7


@pytest.mark.parametrize(
    ("include", "told"),
    [
        ('"other.toml"', ["mine.toml: include must be a list of suites", "got 'other.toml'"]),
        ("[3]", ["mine.toml: include number 1", "got 3"]),
        ('["othr.toml"]', ["mine.toml: include 'othr.toml': there is no file othr.toml"]),
        ('["quik"]', ["mine.toml: include 'quik'", "did you mean 'quick'"]),
        ('["other.toml", "other.toml"]', ["mine.toml: include names 'other.toml' twice"]),
        ('[{suit = "quick"}]', ["include number 1: unknown key 'suit'", "did you mean 'suite'"]),
        ('[{only = "cell=gru"}]', ["include number 1: suite is missing"]),
        ('[{suite = "other.toml", seeds = 0}]', ["seeds must be a whole number from 1 to 10000, got 0"]),
        ('[{suite = "other.toml", only = 3}]', ["include number 1: only must be a text, got 3"]),
        ('[{suite = "other.toml", only = "cel=gru"}]', ["mine.toml: include 'other.toml': only: unknown", "'cell'"]),
        ('[{suite = "other.toml", only = "cell=irnn"}]', ["include 'other.toml': only cell=irnn leaves no case"]),
        ('[{suite = "other.toml", scale = "tiny"}]', ["other.toml: no scale 'tiny'", "included by", "mine.toml"]),
        ('["wrong.toml"]', ["wrong.toml: unknown key 'gain'", "included by", "mine.toml"]),
        ('["mine.toml"]', ["mine.toml: include 'mine.toml' goes round in a circle: mine.toml -> mine.toml"]),
        ('["around.toml"]', ["goes round in a circle: mine.toml -> around.toml -> mine.toml"]),
        ("[]", ["no cases; add a table such as [[gradient_norms]], or include a suite"]),
    ],
)  # fmt: skip
def test_a_wrong_include_is_told(include, told, loaded):
    with pytest.raises(UsageError) as error:
        loaded(f"include = {include}\n", wrong="gain = 3\n", around='include = ["mine.toml"]\n')
    for words in told:
        assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_the_accelerators_suite_takes_its_ceilings_from_another():
    ours = {case.difference() for case in suite.load("gpu").cases if case.kind == "ceilings"}
    theirs = {
        case.difference()
        for case in suite.load("roofline").cases
        if case.kind == "ceilings" and case["when"] == "first"
    }
    assert ours == theirs
    assert len(ours) == 2


# --- grids


def _two_values(parameter):
    if parameter.name == "target":
        return ["", "urnn-copy-100-lstm"]
    if parameter.choices:
        return list(parameter.choices[:2])
    if parameter.type is str:
        return ["1e-3", "2e-3 1e-3"]
    low = parameter.low if parameter.low > float("-inf") else 0.0
    return [parameter.type(low), parameter.type(low + 1)]


EVERY = [(kind, each) for kind, module in KINDS.items() for each in module.PARAMETERS]


@pytest.mark.parametrize(("kind", "parameter"), EVERY, ids=lambda value: getattr(value, "name", value))
def test_a_list_of_values_is_a_grid_at_every_parameter(kind, parameter, loaded, monkeypatch):
    monkeypatch.setattr(KINDS[kind], "resolved", dict)  # which values go together is told elsewhere
    values = _two_values(parameter)
    needed = {each.name: _two_values(each)[0] for each in KINDS[kind].PARAMETERS if each.required}
    table = needed | {parameter.name: values}
    lines = [f"{name} = {value!r}".replace("'", '"') for name, value in table.items()]
    swept = loaded("\n".join([f"[[{kind}]]", *lines]))
    assert [case[parameter.name] for case in swept.cases] == values


def test_the_example_of_the_programs_page_is_a_suite(loaded):
    text = (Path(__file__).parents[3] / "bench" / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    mine = loaded(example)
    parts = [
        suite.load("quick"),
        suite.load("cpu").only("cell=lstm,gain<=1").with_seeds(1),
        suite.load("gpu", "tiny"),
    ]
    of_parts = {case.difference() for part in parts for case in part.cases}
    ours = {case.difference() for case in mine.cases}
    assert of_parts < ours
    assert len(ours - of_parts) == len(mine.cases) - len(of_parts) == len(FOUR) + 2 * 3 * 2
