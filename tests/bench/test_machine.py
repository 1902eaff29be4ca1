"""What is said of the machine, and where its results go."""

import getpass
import json
import re
import socket
from dataclasses import replace
from pathlib import Path

import jax
import pytest

from bench import machine
from bench.errors import UsageError
from bench.running.folders import default_folder, result_folders
from bench.store import Store
from rnn_jax import devices


def strings(value):
    """Every text in a JSON value."""
    if isinstance(value, dict):
        return [text for each in value.values() for text in strings(each)]
    if isinstance(value, list):
        return [text for each in value for text in strings(each)]
    return [value] if isinstance(value, str) else []


@pytest.fixture
def described():
    return machine.describe(machine.environment("float32"), ["run", "tiny"])


def test_the_environment_is_this_process(described):
    here = machine.environment("float64")
    assert here.jax_version == jax.__version__
    assert here.dtype == "float64"
    assert here.backend in machine.BACKENDS
    assert here.matmul_precision == "highest"
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", here.machine), "a folder's name"
    assert described["identity"]["machine"] == here.machine
    assert described["identity"]["packages"]["jax"] == jax.__version__
    assert described["volatile"]["command"] == "rnn-bench run tiny"


def test_two_descriptions_of_one_machine_are_one_identity(described):
    again = machine.describe(machine.environment("float32"), ["run", "another"])
    assert machine.differences(described, again) == []
    assert machine.identity_hash(described) == machine.identity_hash(again)
    assert json.loads(json.dumps(described)) == described


def absolute_paths(facts):
    return [text for text in strings(facts) if re.search(r"(^|[\s=\"'])(/|~|[A-Za-z]:\\)\w", text)]


def test_nothing_says_who_or_where(described):
    text = json.dumps(described)
    names = {socket.gethostname(), getpass.getuser(), str(Path.home()), str(Path.cwd())} - {"", "/"}
    for name in names:
        assert not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text), name
    assert absolute_paths(described) == []


@pytest.mark.parametrize(
    "command",
    [
        ["run", "/home/alice/my.toml"],
        ["run", "quick", "--out", "/home/alice/results"],
        ["run", "quick", "--out=/home/alice/results"],
    ],
    ids=" ".join,
)
def test_the_command_says_nothing_of_home_folders(command):
    facts = machine.describe(machine.environment("float32"), command)
    assert "alice" not in json.dumps(facts)
    assert absolute_paths(facts) == []
    assert facts["volatile"]["command"].startswith("rnn-bench run ")


def test_xla_flags_say_nothing_of_home_folders(monkeypatch):
    flags = "--xla_cpu_enable_fast_math=false --xla_dump_to=/home/alice/dump"
    monkeypatch.setenv("XLA_FLAGS", flags)
    facts = machine.describe(machine.environment("float32"), ["run", "quick"])
    assert "--xla_cpu_enable_fast_math=false" in facts["identity"]["xla_flags"], "this one changes results"
    assert "alice" not in json.dumps(facts)


def test_a_machine_without_git_or_driver_is_described(monkeypatch):
    monkeypatch.setenv("PATH", "")
    facts = machine.describe(machine.environment("float32"), ["run"])
    assert facts["volatile"]["commit"] is None
    assert facts["volatile"]["uncommitted_changes"] is None
    assert facts["volatile"]["driver"] is None


@pytest.mark.parametrize(
    ("model", "cores", "name"),
    [
        ("AMD EPYC", 2, "amd-epyc-2-cores"),
        ("AMD EPYC 7763 64-Core Processor", 64, "amd-epyc-7763-64-core-64-cores"),
        ("Intel(R) Xeon(R) CPU @ 2.20GHz", 2, "intel-xeon-cpu-2-cores"),
        ("Intel(R) Core(TM) i7-8550U CPU @ 1.80GHz", 8, "intel-core-i7-8550u-cpu-8-cores"),
        ("12th Gen Intel(R) Core(TM) i9-12900K", 16, "12th-gen-intel-core-i9-12900k-16-cores"),
        ("Apple M2 Pro", 10, "apple-m2-pro-10-cores"),
        ("aarch64", 4, "aarch64-4-cores"),
        ("Intel(R) Xeon(R) Platinum 8375C CPU @ 2.90GHz", 1, "intel-xeon-platinum-8375c-cpu-1-cores"),
    ],
)
def test_a_cpus_name_is_short_and_counts_cores(model, cores, name, monkeypatch):
    if jax.devices()[0].platform != "cpu":
        pytest.skip("names the CPU only where JAX runs on it")
    monkeypatch.setattr("bench.machine.environments.cpu_model", lambda: model)
    monkeypatch.setattr(devices, "usable_cores", lambda: cores)
    here = machine.environment("float32")
    assert here.machine == name
    assert here.device_kind == model


def test_identity_hash_is_frozen():
    facts = {"identity": {"machine": "slow", "cores": 2}, "volatile": {"command": "a"}}
    turned = {"volatile": {"command": "b"}, "identity": {"cores": 2, "machine": "slow"}}
    # printf '{"cores": 2, "machine": "slow"}' | sha256sum
    assert machine.identity_hash(facts) == machine.identity_hash(turned) == "7a223eb8"
    assert machine.identity_hash({"identity": {"machine": "slow", "cores": 3}}) != "7a223eb8"


@pytest.mark.parametrize(
    ("backend", "dtype", "told"),
    [
        (None, "float16", "--dtype must be one of float32, float64, got 'float16'"),
        ("tpu", "float32", "--backend must be one of cpu, gpu, got 'tpu'"),
        ("cuda", "float32", "--backend must be one of cpu, gpu, got 'cuda'"),
    ],
)
def test_configure_refuses_what_it_does_not_know(backend, dtype, told):
    with pytest.raises(UsageError, match=re.escape(told)):
        machine.configure(backend, dtype)


@pytest.mark.parametrize(
    ("backend", "count", "told"),
    [
        (None, 8, "--simulated-devices is of the CPU; add --backend cpu, or leave it out"),
        ("gpu", 8, "--simulated-devices is of the CPU"),
        ("cpu", 0, "--simulated-devices must be a number from 1 to 256, got 0"),
    ],
)
def test_configure_simulates_devices_on_the_cpu_only(backend, count, told):
    with pytest.raises(UsageError, match=re.escape(told)):
        machine.configure(backend, "float32", count)


# --- where results go


@pytest.fixture
def somewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Path("results") / "slow-chip-2-cores"


def test_a_fresh_folder_is_named_after_machine_suite_and_dtype(somewhere, environment, facts):
    assert default_folder("cpu", environment, facts) == somewhere / "cpu"
    double = replace(environment, dtype="float64")
    assert default_folder("cpu", double, facts) == somewhere / "cpu-float64"
    assert default_folder("theory", double, facts, "float64") == somewhere / "theory"
    assert default_folder("theory", environment, facts, "float64") == somewhere / "theory-float32"
    assert not somewhere.exists(), "asking makes nothing"


def test_the_same_machine_goes_on_in_its_folder(somewhere, environment, facts):
    Store(somewhere / "cpu").write_machine(facts | {"volatile": {"command": "earlier"}})
    assert default_folder("cpu", environment, facts) == somewhere / "cpu"


def test_another_installation_gets_a_folder_beside_it(somewhere, environment, facts):
    other = {"identity": facts["identity"] | {"packages": {"jax": "0.12.0"}}, "volatile": {}}
    Store(somewhere / "cpu").write_machine(other)
    beside = default_folder("cpu", environment, facts)
    assert beside == somewhere / f"cpu-{machine.identity_hash(facts)}"
    Store(beside).write_machine(facts)
    assert default_folder("cpu", environment, facts) == beside, "the next run goes on there"
    assert default_folder("cpu", environment, other) == somewhere / "cpu"


def test_a_damaged_machine_json_is_left_alone(somewhere, environment, facts):
    (somewhere / "cpu").mkdir(parents=True)
    (somewhere / "cpu" / "machine.json").write_text("{", encoding="utf-8")
    assert default_folder("cpu", environment, facts).parent == somewhere
    assert default_folder("cpu", environment, facts).name.startswith("cpu-")


def test_result_folders_are_found_in_alphabetical_order(tmp_path, facts):
    for name in ("b/quick", "a/quick", "a/cpu"):
        Store(tmp_path / name).write_machine(facts)
    (tmp_path / "a" / "notes").mkdir()
    assert result_folders(tmp_path) == [tmp_path / name for name in ("a/cpu", "a/quick", "b/quick")]
    assert result_folders(tmp_path / "nowhere") == []
