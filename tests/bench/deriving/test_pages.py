"""The parts of the pages that are written from results and from the schema."""

from pathlib import Path

import pytest

from bench.deriving import pages
from bench.errors import UsageError
from bench.schema import COMMON, RESULT_FILES

COMMITTED = Path(__file__).parents[3] / "results" / "README.md"
NAME = "results/FINDINGS.md"
PAGE = """# Title

Before. <!-- a comment of one's own -->

<!-- results results decay_summary: cell, rate_nats_per_step -->
old | text
<!-- end -->

Between.

<!-- results results exactness_summary -->
<!-- end -->
After, with a backslash \\1 and \\g<start>.
"""


@pytest.fixture
def root(row, folder_of, tmp_path):
    folder_of(
        decay=[row("decay", cell="gru", rate_nats_per_step=-0.25)],
        exactness=[row("exactness", lag=7, relative_error=1e-7)],
    )
    return tmp_path


def test_marked_parts_are_replaced_and_the_rest_is_kept(root):
    filled = pages.filled(NAME, PAGE, root)
    assert (
        "<!-- results results decay_summary: cell, rate_nats_per_step -->\n"
        "| cell | rate_nats_per_step |\n|---|---|\n| gru | -0.25 |\n<!-- end -->\n\nBetween.\n"
    ) in filled
    assert "old | text" not in filled
    assert "| elman_tanh | gaussian | 1 |  | 4 | float32 | 7 | 1 | 1e-07 |" in filled
    assert filled.startswith("# Title\n\nBefore. <!-- a comment of one's own -->\n")
    assert filled.endswith("<!-- end -->\nAfter, with a backslash \\1 and \\g<start>.\n")


def test_filling_twice_changes_nothing(root):
    once = pages.filled(NAME, PAGE, root)
    assert pages.filled(NAME, once, root) == once


def test_columns_stand_in_the_order_that_is_asked_for(root):
    page = "<!-- results results decay_summary: rate_nats_per_step,cell -->\n<!-- end -->\n"
    assert "| rate_nats_per_step | cell |" in pages.filled(NAME, page, root)


def test_a_page_without_parts_stays_as_it_is(root):
    assert pages.filled(NAME, "# Title\n", root) == "# Title\n"


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ("results decay_sumary", ["results", "'decay_sumary'", "decay_summary", "exactness_summary"]),
        ("results chain_cost", ["'chain_cost'"]),
        ("results decay_summary: cell, rate", ["decay_summary", "'rate'"]),
        ("nowhere decay_summary", ["nowhere"]),
        ("nowhere claims", ["nowhere"]),
    ],
)
def test_a_part_that_cannot_be_filled_is_told(part, told, root):
    with pytest.raises(UsageError) as error:
        pages.filled(NAME, f"<!-- results {part} -->\n<!-- end -->\n", root)
    for words in [NAME, *told]:
        assert words in str(error.value)


def test_a_part_without_an_end_is_told_and_swallows_nothing(root):
    page = (
        "<!-- results results decay_summary -->\nA paragraph.\n\n"
        "<!-- results results exactness_summary -->\n<!-- end -->\n"
    )
    with pytest.raises(UsageError, match="end"):
        pages.filled(NAME, page, root)


def test_write_fills_every_page_that_is_there(root):
    for page in pages.PAGES:
        (root / page).write_text(PAGE, encoding="utf-8")
    written = [root / "README.md", root / "results" / "FINDINGS.md", root / "results" / "README.md"]
    assert pages.write(root) == written
    for path in written[:2]:
        assert path.read_text(encoding="utf-8") == pages.filled(NAME, PAGE, root) != PAGE
    assert written[2].read_text(encoding="utf-8") == pages.data_dictionary()
    written[1].unlink()
    assert pages.write(root) == [written[0], written[2]]
    assert not written[1].exists()


def test_write_leaves_every_page_where_a_part_of_one_is_wrong(root):
    wrong = "<!-- results results chain_cost -->\nold\n<!-- end -->\n"
    for page, text in zip(pages.PAGES, [PAGE, wrong], strict=True):
        (root / page).write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"results/FINDINGS\.md"):
        pages.write(root)
    assert (root / "README.md").read_text(encoding="utf-8") == PAGE
    assert (root / "results" / "FINDINGS.md").read_text(encoding="utf-8") == wrong


def test_the_data_dictionary_explains_every_column_of_every_file():
    parts = pages.data_dictionary().split("\n## ")
    assert len(parts) == 2 + len(RESULT_FILES)
    named = {part.splitlines()[0]: part for part in parts[1:]}
    for title, columns in {
        "Every file begins with": COMMON,
        **{f"{kind}.csv": file.columns for kind, file in RESULT_FILES.items()},
    }.items():
        lines = [line for line in named[title].splitlines() if line.startswith("| `")]
        assert [line.split("`")[1] for line in lines] == [column.name for column in columns]
        for line, column in zip(lines, columns, strict=True):
            assert line.endswith(f"| {column.meaning} |")
            assert ("*time*" in line) == column.is_time
            assert column.meaning.count("|") == 0


@pytest.mark.parametrize("kind", sorted(RESULT_FILES))
def test_a_files_columns_are_named_once_and_ordered_by_some_of_them(kind):
    names = [column.name for column in RESULT_FILES[kind].all_columns]
    assert len(set(names)) == len(names)
    assert set(RESULT_FILES[kind].order) <= set(names)


def test_what_depends_on_a_clock_is_marked_as_time():
    columns = {column.name: column for column in RESULT_FILES["timings"].columns}
    for name in ("run_s", "compile_s", "inner_calls"):  # calls a sample are chosen from a measured time
        assert columns[name].is_time, name


def test_the_committed_data_dictionary_is_that_of_the_schema():
    assert COMMITTED.read_text(encoding="utf-8") == pages.data_dictionary()
