"""The page as text: whole, in order, the same from the same results, harmless whatever they say."""

import json
import re
import sys
from collections import Counter
from html.parser import HTMLParser

import pandas as pd
import pytest

from bench import report
from bench.comparing import comparison
from bench.errors import UsageError
from bench.report import escaping
from bench.report.content import Chart, Table
from bench.report.sections.comparisons import comparisons
from bench.report.sections.decay import decay
from bench.report.tables import html_table, without_constants
from bench.report.thinning import thinned
from bench.running.folders import RESULTS, result_folders
from bench.store import Store

VOID = {"meta", "img", "input", "br", "path", "circle", "rect", "link", "hr"}


class Reader(HTMLParser):
    """Elements with their attributes and text, and whether each that opens also closes."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.texts = [], [], Counter()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "script":
            self.texts[data] += 1

    def of(self, tag):
        return [attributes for each, attributes in self.elements if each == tag]


@pytest.fixture(scope="module")
def read(page):
    return Reader(page)


def test_the_same_results_give_the_same_bytes(whole, page):
    assert report.page(report.read(whole)) == page


def test_every_element_that_opens_closes(read):
    assert read.open == []


def test_names_are_unique_and_what_points_at_one_finds_it(read):
    names = Counter(attributes["id"] for _, attributes in read.elements if "id" in attributes)
    assert [name for name, count in names.items() if count > 1] == []
    pointing = {
        attributes[key]
        for _, attributes in read.elements
        for key in ("for", "aria-labelledby")
        if key in attributes
    }
    pointing |= {attributes["href"].removeprefix("#") for attributes in read.of("a")}
    assert pointing <= set(names)


def test_it_says_what_it_is_and_its_headings_are_in_order(read):
    assert read.of("html") == [{"lang": "en"}]
    assert len(read.of("title")) == 1
    headings = [int(tag[1]) for tag, _ in read.elements if re.fullmatch("h[1-6]", tag)]
    assert headings[0] == 1
    assert set(headings[1:]) == {2}


def test_every_section_is_in_the_navigation(read):
    sections = [attributes["id"] for attributes in read.of("section")]
    assert sections == [
        "claims", "decay", "pairs", "spectra", "accuracy", "remedies", "targets", "comparison", "further", "machines",
        "reproduce",
    ]  # fmt: skip
    assert [f"#{name}" for name in sections] == [a["href"] for a in read.of("a")][1:]


def test_tables_have_captions_and_scopes_and_boxes_for_the_keyboard(read, page):
    assert len(read.of("table")) == len(read.of("caption")) > 5
    assert {attributes.get("scope") for attributes in read.of("th")} == {"col", "row"}
    boxes = [each for each in read.of("div") if each.get("class", "").startswith("scroll")]
    assert len(boxes) == len(read.of("table"))
    assert all(each["tabindex"] == "0" and each["role"] == "region" for each in boxes)


def test_charts_are_told_in_words(read):
    plots = [each for each in read.of("div") if each.get("class") == "plot"]
    assert len(plots) == len(read.of("figure")) == len(read.of("figcaption")) == 6
    assert all(len(each["aria-label"]) > 40 for each in plots)


def test_nothing_is_loaded(read):
    addresses = [
        attributes[key] for _, attributes in read.elements for key in ("src", "href") if key in attributes
    ]
    assert all(address.startswith("#") for address in addresses)
    assert "default-src 'none'" in next(
        each["content"] for each in read.of("meta") if each.get("http-equiv") == "Content-Security-Policy"
    )


def test_a_hostile_name_is_nothing_but_text(read, whole):
    hostile = report.read(whole).folders[0].facts["identity"]["device_kind"]
    assert read.of("img") == []
    assert "b" not in {tag for tag, _ in read.elements}
    shown = "".join(read.texts)
    assert shown.count(hostile) > 5
    attributes = [value for _, each in read.elements for value in each.values() if value]
    assert any(hostile in value for value in attributes)


def test_plotly_is_in_it_once_and_it_can_be_mailed(page):
    assert page.count("plotly.js v") == 1
    assert len(page.encode()) < report.MOST_BYTES


@pytest.mark.slow
def test_all_committed_results_can_be_mailed():
    kept = [*result_folders(), *comparison.folders_below(RESULTS)]
    assert len(report.page(report.read(kept)).encode()) < report.MOST_BYTES


def test_the_ring_of_an_ensemble_stands_where_its_ratio_is_one(whole):
    """It has no lags, so what its line and its crossover have in common is empty in both."""
    (chart,) = [part for part in comparisons(report.read(whole)).parts if isinstance(part, Chart)]
    of_seeds = [view for view in chart.views if view.label == "ensemble, by state size"]
    names = {trace["name"] for view in of_seeds for trace in view.traces}
    rings = [
        trace for view in of_seeds for trace in view.traces if trace["marker"]["symbol"] == "circle-open"
    ]
    assert names == {"gru, seeds = 1", "gru, seeds = 8"}
    assert [list(ring["x"]) for ring in rings] == [[32.0], [32.0]]


def test_what_is_missing_names_the_command_that_measures_it(row, folder_of):
    store = folder_of(exactness=[row("exactness")])
    text = report.page(report.read([store.folder]))
    for name, command in (
        ("decay", "rnn-bench run quick --only kind=gradient_norms"),
        ("pairs", "rnn-bench run quick --only kind=pair_norms"),
        ("spectra", "rnn-bench run theory"),
        ("comparison", "rnn-bench compare LEFT RIGHT"),
    ):
        section = re.search(rf'<section id="{name}".*?</section>', text, re.DOTALL).group()
        assert command in section
        assert "<figure" not in section


def test_a_table_that_no_section_knows_is_shown(row, folder_of, monkeypatch):
    from bench.report import results

    extra = pd.DataFrame({"quantity": ["new"], "value": [1.0]})
    monkeypatch.setattr(
        results, "tables", lambda store: [("a_new_table", extra), ("targets", extra), ("remedy_grid", extra)]
    )
    text = report.page(report.read([folder_of(exactness=[row("exactness")]).folder]))
    for name, caption in (
        ("further", "a new table"),
        ("targets", "Published numbers"),
        ("remedies", "Remedies: "),
    ):
        section = re.search(rf'<section id="{name}".*?</section>', text, re.DOTALL).group()
        assert caption in section
        assert "<td>1</td>" in section or '<td class="number">1</td>' in section


def test_without_plotly_it_says_what_to_install(whole, monkeypatch):
    monkeypatch.setitem(sys.modules, "plotly", None)
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    with pytest.raises(UsageError, match="pip install plotly"):
        report.page(report.read(whole))


@pytest.mark.parametrize("missing", ["nowhere", "empty"])
def test_a_folder_without_results_is_told(missing, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"name (a folder|one) that `rnn-bench run` wrote"):
        report.read([tmp_path / missing])


def test_folders_of_one_name_are_told_apart(row, folder_of, tmp_path, monkeypatch):
    paths = [folder_of(f"{each}/m/cpu", exactness=[row("exactness")]).folder for each in ("a", "b")]
    labels = [folder.label for folder in report.read(paths).folders]
    assert labels == ["slow-chip-2-cores/cpu (1)", "slow-chip-2-cores/cpu (2)"], (
        "no folder that names a person"
    )
    monkeypatch.chdir(tmp_path)
    near = [path.relative_to(tmp_path) for path in paths]
    assert [folder.label for folder in report.read(near).folders] == [path.as_posix() for path in near]


def test_the_program_writes_the_file(rnn_bench, whole, page, tmp_path):
    done = rnn_bench("report", *whole, "--out", tmp_path / "mine.html", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "mine.html").read_text(encoding="utf-8") == page


@pytest.mark.parametrize("name", ["decay.csv", "machine.json", "suite.json", "notes.md", "new/decay.csv"])
def test_a_report_takes_no_other_files_place(name, verb, tiny_folder):
    (tiny_folder / "notes.md").write_text("Mine.\n", encoding="utf-8")
    before = {path: path.read_bytes() for path in tiny_folder.rglob("*") if path.is_file()}
    done = verb("report", tiny_folder, "--out", tiny_folder / name)
    assert done.returncode == 2
    assert f"--out {tiny_folder / name} is" in done.stderr
    assert {path: path.read_bytes() for path in tiny_folder.rglob("*") if path.is_file()} == before


def test_a_report_replaces_a_page_and_an_empty_file(verb, tiny_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(report, "page", lambda results: "<!doctype html>\nnew")
    for before in ("", "<!DOCTYPE HTML>\n<html>old", "\n<html>old"):
        (tmp_path / "mine.html").write_text(before, encoding="utf-8")
        assert verb("report", tiny_folder, "--out", tmp_path / "mine.html").returncode == 0
        assert (tmp_path / "mine.html").read_text(encoding="utf-8") == "<!doctype html>\nnew"


def test_where_this_machine_has_no_results_it_says_so(rnn_bench, complaint, tmp_path):
    assert "measure something first: rnn-bench run quick" in complaint(rnn_bench("report", cwd=tmp_path))


@pytest.mark.parametrize(
    "value",
    ["</script>", "<!--", "&lt;", "\u2028", {"<b>": [float("nan"), -float("inf"), 1.23456789]}],
    ids=repr,
)
def test_data_come_back_as_they_were_and_end_no_block(value):
    written = escaping.data(value)
    assert not set(written) & set("<>&\u2028")
    expected = {"<b>": [None, None, 1.2346]} if isinstance(value, dict) else value
    assert json.loads(written) == expected


def test_what_all_rows_have_in_common_is_said_once():
    frame = pd.DataFrame({"cell": ["gru", "lstm"], "dtype": ["float32"] * 2, "empty": [float("nan")] * 2})
    kept, constant = without_constants(frame)
    assert list(kept.columns) == ["cell"]
    assert constant == {"dtype": "float32"}
    assert "2 rows; dtype: float32" in html_table(Table("two", frame), "t")


def test_a_verdict_has_a_mark_beside_its_colour():
    text = html_table(Table("one", pd.DataFrame({"n": [1, 2], "verdict": ["met", "missed"]})), "t")
    assert re.search('class="verdict good"><span aria-hidden="true">✓</span> met', text)
    assert re.search('class="verdict bad"><span aria-hidden="true">✗</span> missed', text)


def test_thinning_keeps_both_ends():
    at = thinned(1001, 200)
    assert (at[0], at[-1], len(at)) == (0, 1000, 200)
    assert thinned(20, 200).tolist() == list(range(20))


def test_nets_of_two_settings_are_told_apart_and_switched(row, folder_of):
    rows = [
        row(
            "gradient_norms",
            input_scale=scale,
            lag=lag,
            case_id=f"c{scale}",
            log10_spectral_norm=-lag * scale,
        )
        for scale in (0.5, 1.0)
        for lag in (0, 1, 2)
    ]
    (chart, *_) = decay(report.read([folder_of("a", gradient_norms=rows).folder])).parts
    lines = [trace for trace in chart.views[0].traces if trace.get("name")]
    assert len({trace["marker"]["symbol"] for trace in lines}) == 2
    assert [switches.legend for switches in chart.views[0].switches] == ["Cells", "Gains", "Settings"]
    assert [option.label for option in chart.views[0].switches[2].options] == [
        "input scale 0.5",
        "input scale 1",
    ]


@pytest.mark.parametrize(("steepest", "end"), [(1.0, 14), (1e-5, 10_000)])
def test_the_lags_shown_end_where_every_line_that_is_shown_first_has_left_the_chart(
    steepest, end, row, folder_of
):
    lags = [*range(15), 100, 1000, 10_000]
    rows = [
        row("gradient_norms", gain=gain, lag=lag, case_id=f"c{gain}", log10_spectral_norm=-lag * slope)
        for gain, slope in ((1.0, steepest), (0.5, 2 * steepest), (2.0, 1e-9))
        for lag in lags
    ]
    (chart, *_) = decay(report.read([folder_of("a", gradient_norms=rows).folder])).parts
    low, high = chart.views[0].layout["xaxis"]["range"]
    assert low == 0
    assert end - 1 <= high <= 1.06 * end


def test_a_cpu_and_a_gpu_stand_beside_each_other_though_nobody_kept_a_comparison(row, tmp_path, facts):
    folders = []
    for backend, run_s in (("cpu", 1.0), ("gpu", 0.25)):
        store = Store(tmp_path / backend)
        identity = facts["identity"] | {"backend": backend, "machine": f"a-{backend}"}
        store.write_machine({"identity": identity, "volatile": {}})
        rows = [row("timings", backend=backend, run_s=run_s, round=number) for number in range(3)]
        store.write("c0", {"timings": rows})
        store.collate()
        folders.append(store.folder)
    (found,) = report.read(folders).comparisons
    assert (found.left, found.right) == ("a-cpu/cpu", "a-gpu/gpu")
    assert found.tables["times"]["ratio"].tolist() == [0.25]
    assert not report.read(folders[:1]).comparisons
