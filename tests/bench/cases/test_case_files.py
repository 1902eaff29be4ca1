"""The files that each kind of case always writes: of every kind, and true of all that is published."""

from bench.cases import KINDS
from bench.running import plan
from bench.running.folders import result_folders
from bench.schema import ALWAYS_WRITTEN, RESULT_FILES, lacking
from bench.store import Store


def test_every_kind_says_which_files_it_always_writes():
    assert set(ALWAYS_WRITTEN) == set(KINDS)
    assert all(files and set(files) <= set(RESULT_FILES) for files in ALWAYS_WRITTEN.values())


def test_every_published_case_has_rows_in_the_files_that_its_kind_always_writes():
    measured = set()
    for folder in result_folders():
        kept, files = plan.read(folder), Store(folder).files_of_cases()
        assert kept is not None
        for each in (each for each in kept.cases if each.case_id in files):
            assert not lacking(each.kind, files[each.case_id]), f"{folder}: {each.label}"
            measured.add(each.kind)
    assert measured == set(KINDS)
