"""Whose folder it is: machine.json and the suite."""

import json

import pytest

from bench.errors import UsageError
from bench.store import Store, read_machine


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results")


def test_a_folder_is_claimed_once(store, facts):
    store.claim(facts)
    assert read_machine(store.folder) == facts
    facts["volatile"] = {"command": "rnn-bench run tiny --seeds 2"}
    store.claim(facts)
    assert read_machine(store.folder)["volatile"] == facts["volatile"], "volatile facts may change"


def test_a_folder_of_another_dtype_is_refused(store, facts):
    store.claim(facts)
    other = {"identity": facts["identity"] | {"dtype": "float64"}, "volatile": {}}
    with pytest.raises(UsageError, match=r"another dtype.*--out.*dtype: 'float32' and 'float64'") as error:
        store.claim(other)
    assert "machine:" not in str(error.value), "only what differs is named"
    assert read_machine(store.folder) == facts


def test_a_key_that_only_one_machine_has_counts(store, facts):
    store.claim(facts)
    other = {"identity": facts["identity"] | {"driver": "580"}, "volatile": {}}
    with pytest.raises(UsageError, match=r"another machine or installation.*driver: None and '580'"):
        store.claim(other)


@pytest.mark.parametrize(
    "content",
    [
        "", "{", "[]", "{}", '{"identity": 3}', "null", '"identity"', '{"identity": {"device_count": "8"}}',
        '{"identity": {"cores": true}}', '{"identity": {}, "volatile": {"earlier_commits": 0.5}}',
    ],
    ids=repr,
)  # fmt: skip
def test_a_damaged_machine_json_is_told(content, store):
    store.folder.mkdir()
    (store.folder / "machine.json").write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match=r"machine\.json is damaged"):
        read_machine(store.folder)


def test_a_folder_without_machine_json_is_told(tmp_path):
    with pytest.raises(UsageError, match=r"is not a result folder: it has no machine\.json"):
        read_machine(tmp_path)
    with pytest.raises(UsageError, match="absent is not a folder; name one that"):
        read_machine(tmp_path / "absent")


def test_machine_json_is_sorted_and_ends_in_a_line_feed(store, facts):
    store.write_machine(facts)
    text = (store.folder / "machine.json").read_text(encoding="utf-8")
    assert text == json.dumps(facts, indent=2, sort_keys=True) + "\n"


def test_commits_of_earlier_runs_are_kept_with_their_rows(row, folder_of, facts):
    def run_of(commit):
        store.write_machine(facts | {"volatile": {"commit": commit}})
        return read_machine(store.folder)["volatile"]

    store = folder_of(decay=[row("decay")])
    (store.folder / "machine.json").unlink(missing_ok=True)
    assert run_of("first") == {"commit": "first"}
    assert run_of("first") == {"commit": "first"}
    assert run_of("second") == {"commit": "second", "earlier_commits": ["first"]}
    assert run_of("third") == {"commit": "third", "earlier_commits": ["first", "second"]}
    assert run_of("second")["earlier_commits"] == ["first", "third"]
    for path in (*store.folder.glob("*.csv"), *store.shards.glob("*.json")):
        path.unlink()
    assert run_of("fourth") == {"commit": "fourth"}


def test_another_suite_does_not_take_the_folder(row, folder_of):
    store = folder_of(decay=[row("decay", suite="mine")])
    store.refuse_other_suites("mine")
    with pytest.raises(
        UsageError, match=r"decay\.csv holds results of suite 'mine'; choose another --out for 'quick'"
    ):
        store.refuse_other_suites("quick")
