"""What a case does with the checkpoints of its trainings, and when they go."""

import pytest

import rnn_jax as rj
from bench import cases
from bench.store import Store
from bench.store.checkpoints import Checkpoints
from bench.suite.case import Case


@pytest.fixture
def notes():
    return []


@pytest.fixture
def own(tmp_path, notes):
    return Checkpoints(tmp_path / "c0.checkpoints", 7.0, notes.append)


@pytest.fixture
def trainings(monkeypatch):
    """Stands for `rnn_jax.train`: goes on from a file "step 40", refuses any other, and writes "step 80"."""
    asked = []

    def train(task, *, checkpoint, checkpoint_every_s, on_progress):
        asked.append((task, checkpoint.name, checkpoint_every_s))
        if checkpoint.is_file():
            if checkpoint.read_text() != "step 40":
                raise rj.CheckpointError(f"{checkpoint.name} is of another training")
            on_progress(40, None)
        on_progress(80, None)
        checkpoint.parent.mkdir(exist_ok=True)
        checkpoint.write_text("step 80")
        return "result"

    monkeypatch.setattr(rj, "train", train)
    return asked


def test_each_training_has_a_file_of_its_own(own, trainings, notes):
    told = []
    for name in ("tuning", "training"):
        assert own.train(name, name, on_progress=lambda step, _: told.append(step)) == "result"
    assert trainings == [("tuning", "tuning.npz", 7.0), ("training", "training.npz", 7.0)]
    assert told == [80, 80]
    assert notes == []
    assert sorted(path.name for path in own.folder.iterdir()) == ["training.npz", "tuning.npz"]


def test_a_training_that_goes_on_says_from_where(own, trainings, notes):
    own.folder.mkdir()
    (own.folder / "training.npz").write_text("step 40")
    told = []
    own.train("training", "task", on_progress=lambda step, _: told.append(step))
    assert notes == ["training goes on from step 40"]
    assert told == [40, 80]


def test_a_stale_checkpoint_breaks_no_case(own, trainings, notes):
    own.folder.mkdir()
    (own.folder / "training.npz").write_text("of other code")
    assert own.train("training", "task") == "result"
    assert notes == ["training begins anew: training.npz is of another training"]
    assert (own.folder / "training.npz").read_text() == "step 80"


def test_checkpoints_go_when_the_case_is_done_and_not_when_it_failed(tmp_path):
    store = Store(tmp_path)
    for case_id in ("c0", "c1"):
        store.checkpoints(case_id).mkdir(parents=True)
        (store.checkpoints(case_id) / "training.npz").write_text("step 40")
    store.write("c0", {}, status="failed")
    assert (store.checkpoints("c0") / "training.npz").is_file(), "given up at a limit, it can go on"
    store.write("c0", {})
    assert not store.checkpoints("c0").exists()
    assert store.checkpoints("c1").exists(), "another case is another's business"


def test_only_a_kind_that_says_so_is_given_them(own, monkeypatch, environment):
    class Plain:
        PARAMETERS, VERSION = (), 1

        @staticmethod
        def run(case, environment, suite, report):
            return {"exactness": []}

    class GoesOn:
        GOES_ON = True
        PARAMETERS, VERSION = (), 1

        @staticmethod
        def run(case, environment, suite, report, checkpoints):
            return {"exactness": [checkpoints]}

    for kind, rows in ((Plain, []), (GoesOn, [own])):
        monkeypatch.setitem(cases.KINDS, "exactness", kind)
        case = Case("exactness", {}, (0,))
        assert cases.measure(case, environment, "tiny", lambda *_: None, own)["exactness"] == rows
