"""A run is given to like nodes with this code only, and what differs is told."""

import pytest

from bench.cluster.likeness import agreed, why_left_out
from bench.cluster.places import Place
from bench.errors import UsageError
from bench.running.installation import code_hash, installation, unlike

HERE = {"python": "3.11.7", "jax": "0.10.1", "torch": "missing", "code of rnn_jax and bench": "aaa"}
ONE, TWO = Place("a", "10.0.0.1", 0, 2, 0), Place("b", "10.0.0.2", 0, 2, 0)


def answer(cores=2, here=HERE, **installed):
    return {"facts": {"identity": {"cores": cores, "backend": "cpu"}}, "installation": here | installed}


def test_like_nodes_agree():
    assert agreed({ONE: answer(), TWO: answer()}, HERE)["identity"] == {"cores": 2, "backend": "cpu"}


@pytest.mark.parametrize(
    ("second", "told"),
    [
        ({"error": "no memory"}, "node at 10.0.0.2 cannot take part: no memory"),
        (answer(jax="0.11.0"), "10.0.0.2 .* another installation: jax 0.11.0 there and 0.10.1 here; install"),
        (answer(torch="there"), "another installation: torch there there and missing here"),
        (answer() | {"installation": HERE | {"code of rnn_jax and bench": "bbb"}},
         "code of rnn_jax and bench bbb there and aaa here"),
        (answer(cores=4), r"not alike.* At 10.0.0.1 and at 10.0.0.2: cores: 2 and 4\. .*--ray-cpus"),
    ],
    ids=["unfit", "version", "package", "code", "cores"],
)  # fmt: skip
def test_what_differs_is_told(second, told):
    with pytest.raises(UsageError, match=told):
        agreed({ONE: answer(), TWO: second}, HERE)


def test_one_that_comes_later():
    facts = answer()["facts"]
    assert why_left_out(answer(), HERE, facts) == ""
    assert "cores: 2 and 4" in why_left_out(answer(cores=4), HERE, facts)
    assert "jax 0.9 there" in why_left_out(answer(jax="0.9"), HERE, facts)


def test_an_installation_knows_its_packages_and_code(tmp_path):
    here = installation(["json", "no_such_package"])
    assert (here["json"], here["no_such_package"]) == ("there", "missing")
    assert unlike(here, here) == ""
    for name, text in (("bench/a.py", "x = 1"), ("rnn_jax/b.toml", ""), ("bench/notes.txt", "1")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    hashes = [code_hash(tmp_path)]
    (tmp_path / "bench/notes.txt").write_text("no code")
    assert code_hash(tmp_path) == hashes[0]
    (tmp_path / "bench/a.py").write_text("x = 2")
    hashes.append(code_hash(tmp_path))
    (tmp_path / "bench/a.py").rename(tmp_path / "bench/c.py")
    hashes.append(code_hash(tmp_path))
    assert len(set(hashes)) == 3, "content and names count"
    assert len({code_hash(), *hashes}) == 4
