"""No result says whose machine it is or where on it things lie."""

import json
import re
import shlex
from pathlib import Path

import pytest

from bench import machine, privacy, report
from bench.cases import KINDS, exactness
from bench.machine.facts import CHANGE_RESULTS
from bench.running import runner
from bench.store import Store
from bench.suite import Case, Suite

USER, HOST = "alicia-k", "bigbox7"
SECRETS = (USER, HOST, "Alicia Kay", "secret")


@pytest.fixture(autouse=True)
def planted(tmp_path, monkeypatch):
    """A person, a machine and folders that may not be told; gives the person's folder, with a space in its name."""
    home = tmp_path / "home" / "Alicia Kay"
    home.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    for name in ("USER", "LOGNAME", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, USER)
    monkeypatch.setattr(privacy, "_host", lambda: f"{HOST}.example.org")
    monkeypatch.chdir(home)
    return home


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("No such file or directory: '/mnt/secret folder/mine.toml'", "No such file or directory: 'mine.toml'"),
        ('File "/usr/secret/lib/x.py", line 3', 'File "x.py", line 3'),
        ("--xla_dump_to=/secret/dump --xla_a=false", "--xla_dump_to=dump --xla_a=false"),
        ("in /secret/a:/secret/b, (/secret/c.py:12)", "in a:b, (c.py:12)"),
        ("file:///secret/x.npz is no file", "x.npz is no file"),
        (r"C:\Users\secret\mine.toml and 'D:\secret files\x'", "mine.toml and 'x'"),
        (r"\\secret\share\x.csv", "x.csv"),
        ("~secret/x ~/y ../../secret/z", "x y z"),
        ("/home/secret is full, /Users/secret/ too", "~ is full, ~ too"),
        (f"cannot reach {HOST}:8080 as {USER}", "cannot reach HOST:8080 as USER"),
        (f"{HOST}.example.org refused", "HOST refused"),
        ("dL/dW at T/2, jit(f)/jit(g)/mul, and/or, 3 // 4, a / b", None),
        ("see https://docs.jax.dev/en/latest and grpc://x/y", None),
        (f"{USER}s {HOST}es x-{USER}", None),
        ("RESOURCE_EXHAUSTED: Out of memory allocating 1,024 bytes", None),
    ],
)  # fmt: skip
def test_texts_lose_folders_and_names_and_nothing_else(text, told):
    assert privacy.without_names(text) == (text if told is None else told)
    assert privacy.without_names(privacy.without_names(text)) == privacy.without_names(text)


def test_own_folders_are_cut_even_with_spaces(planted):
    assert privacy.without_names(f"cannot write {planted}/results/decay.csv") == "cannot write decay.csv"


@pytest.mark.parametrize("name", ["root", "ubuntu", "adam", "ab", "123"])
def test_names_that_name_nobody_stay(name, monkeypatch):
    monkeypatch.setattr(privacy, "_host", lambda: name)
    monkeypatch.setattr(privacy.getpass, "getuser", lambda: name)
    assert privacy.without_names(f"optimizer={name} of {name}") == f"optimizer={name} of {name}"


def test_a_user_without_a_name_or_a_home_is_no_error(monkeypatch):
    def nobody():
        raise KeyError("uid not found")

    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(privacy.getpass, "getuser", nobody)
    monkeypatch.setattr(privacy.Path, "home", no_home)
    assert privacy.without_names("at /secret/x") == "at x"


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["run", "/mnt/Alicia Kay/my suite.toml"], ["run", "my suite.toml"]),
        (["run", "quick", "--out=/mnt/Alicia Kay/out"], ["run", "quick", "--out=out"]),
        (["run", "quick", "--out", "../Alicia Kay/out"], ["run", "quick", "--out", "out"]),
        (["run", "quick", "--out", "/home/secret"], ["run", "quick", "--out", "~"]),
        (["run", "cpu", "--only", "cell=lstm,gain<=1"], None),
        (["run", "cpu", "--out", "results/mine"], None),
    ],
)
def test_the_command_line_can_be_read_again_without_its_folders(command, told):
    facts = machine.describe(machine.environment("float32"), command)
    assert shlex.split(facts["volatile"]["command"]) == ["rnn-bench", *(told or command)]


def test_machine_json_says_what_results_depend_on(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true --xla_dump_to=/mnt/secret/dump")
    monkeypatch.setenv("JAX_DISABLE_JIT", "1")
    monkeypatch.setenv("JAX_LOG_COMPILES", "0")
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "/mnt/secret/cache")
    monkeypatch.setenv("JAX_COORDINATOR_ADDRESS", "secret:1234")
    facts = machine.describe(machine.environment("float32"), ["run", "quick"])
    identity, volatile = facts["identity"], facts["volatile"]
    assert identity["xla_flags"] == "--xla_cpu_enable_fast_math=true --xla_dump_to=dump"
    assert identity["settings"]["JAX_DISABLE_JIT"] == "1"
    assert volatile["settings"]["JAX_LOG_COMPILES"] == "0"
    assert not {"JAX_COMPILATION_CACHE_DIR", "JAX_COORDINATOR_ADDRESS"} & set(volatile["settings"])
    told = {
        "backend",
        "device_kind",
        "dtype",
        "matmul_precision",
        "jax_version",
        "packages",
        "python",
        "device_count",
    }
    assert told <= set(identity)
    told = {"commit", "uncommitted_changes", "driver", "kernel", "command", "base_seed"}
    assert told <= set(volatile)
    assert volatile["base_seed"] == machine.BASE_SEED
    monkeypatch.delenv("JAX_DISABLE_JIT")
    other = machine.describe(machine.environment("float32"), ["run", "quick"])
    assert [line.split(":")[0] for line in machine.differences(facts, other)] == ["settings"]


def test_who_sets_nothing_is_who_he_was(monkeypatch):
    for name in CHANGE_RESULTS:
        monkeypatch.delenv(name, raising=False)
    assert "settings" not in machine.describe(machine.environment("float32"), ["run"])["identity"]


def test_the_commit_is_not_that_of_a_repository_around_an_installed_package(monkeypatch):
    asked = []

    def output(*command):
        asked.append(command)
        return None if "ls-files" in command else "0123456789"

    monkeypatch.setattr("bench.machine.system._output", output)
    facts = machine.describe(machine.environment("float32"), ["run"])
    assert facts["volatile"]["commit"] is None
    assert facts["volatile"]["uncommitted_changes"] is None
    assert any("ls-files" in command for command in asked)


class Silent:
    def __getattr__(self, name):
        return lambda *_: None


def test_nothing_in_a_result_folder_or_report_says_who_or_where(planted, environment, row, monkeypatch):
    def run(case, environment, suite, report):
        if case["gain"] == 1.0:
            raise FileNotFoundError(2, "No such file", f"{planted}/secret data/x.csv")
        if case["gain"] == 2.0:
            raise RuntimeError(f"{USER}@{HOST}: cannot open /mnt/secret/device\nsecond line {planted}")
        return {"exactness": [row("exactness", case_id=case.case_id(environment))]}

    monkeypatch.setitem(
        KINDS, "exactness", type("Kind", (), {"PARAMETERS": exactness.PARAMETERS, "VERSION": 1})
    )
    monkeypatch.setattr(KINDS["exactness"], "run", staticmethod(run), raising=False)
    monkeypatch.setenv("XLA_FLAGS", f"--xla_dump_to={planted}/dump")
    plain = {each.name: each.default for each in exactness.PARAMETERS} | {
        "cell": "gru",
        "initialization": "orthogonal",
    }
    cases = tuple(Case("exactness", plain | {"gain": gain}, (0,)) for gain in (0.5, 1.0, 2.0))
    command = ["run", f"{planted}/tiny.toml", "--out", f"{planted}/secret results"]
    facts = machine.describe(machine.environment("float32"), command)
    store = Store(planted / "secret results")
    store.make_folder()
    store.claim(facts)
    outcome = runner.run(Suite("tiny", "", None, cases), environment, store, facts, Silent())
    assert (outcome.measured, outcome.failed) == (1, 2)
    assert set(store.read("failures")["error"]) == {
        "FileNotFoundError: [Errno 2] No such file: 'x.csv'",
        "RuntimeError: USER@HOST: cannot open device",
    }
    page = report.page(report.read([store.folder]))
    own = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    written = {
        path.name: path.read_text("utf-8", errors="replace")
        for path in store.folder.rglob("*")
        if path.is_file()
    }
    assert {"machine.json", "failures.csv", "exactness.csv", "claims.md"} <= set(written)
    assert json.loads(written["machine.json"])["volatile"]["command"].startswith("rnn-bench run tiny.toml")
    for name, text in (written | {"report": own.replace("secret results", "results")}).items():
        if name == "machine.json":
            text = text.replace("secret results", "results")  # the folder's own name, which its owner chose
        for secret in (*SECRETS, str(Path.cwd()), str(planted.parent)):
            assert secret not in text, (name, secret)
