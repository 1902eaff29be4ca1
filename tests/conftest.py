"""JAX is strict in every test: float64 exists, dtypes and ranks never promote, annotations are checked.

Compiling is most of what tests take, so every program is kept in a folder from which all processes and later runs take it,
and all but those marked `as_users_compile` do it without optimising, in one thread, and with the emitters that are four
times as quick where this version of XLA still has a choice. The last two hold for a
whole process: with RNN_JAX_TESTS=as_users in the environment they are left alone and nothing is optimised less. `make
test` runs the marked tests so, `make test-all` everything about Jacobians.
"""

import gc
import os
import shutil
import sys
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

if os.environ.get("RNN_JAX_TESTS") != "as_users" and version("jaxlib").startswith("0.10."):
    # XLA reads them when it is first used, which the imports below are not; a version without the flag would end the process.
    os.environ["XLA_FLAGS"] = " ".join(
        [
            os.environ.get("XLA_FLAGS", ""),
            "--xla_cpu_use_fusion_emitters=false",
            "--xla_cpu_parallel_codegen_split_count=1",  # every core has a process of tests already
        ]
    )

import jax
import pytest
from beartype import beartype
from beartype.roar import BeartypeDecorHintPep3119Exception
from jaxtyping import install_import_hook

AS_USERS = os.environ.get("RNN_JAX_TESTS") == "as_users"

COMPILED = Path(__file__).parents[1] / ".pytest_cache" / "compiled"
MOST_BYTES = 2**30

jax.config.update("jax_compilation_cache_dir", str(COMPILED))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
# For the processes that tests start. One that is killed as it writes leaves a program that cannot be read, which is told.
os.environ |= {
    "JAX_COMPILATION_CACHE_DIR": str(COMPILED),
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "PYTHONWARNINGS": "ignore:Error reading persistent compilation cache",
}
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")


def check_annotations(function):
    """Beartype, but for two things that it cannot look at.

    The fields of a dataclass: JAX fills pytrees with shapes and markers too. And functions that take
    a `Task`: that protocol is for type checkers, not for `isinstance`.
    """
    if function.__name__ == "__init__":
        return function
    try:
        return beartype(function)
    except BeartypeDecorHintPep3119Exception:
        return function


# The hook takes its checker by name, and imports it once rnn_jax is imported.
sys.modules["annotation_checker"] = SimpleNamespace(check=check_annotations)
install_import_hook("rnn_jax", "annotation_checker.check")


def pytest_configure(config):
    """Begins anew where programs of former code have gathered; the first process alone."""
    is_worker = hasattr(config, "workerinput")
    if not is_worker and COMPILED.is_dir() and sum(f.stat().st_size for f in COMPILED.iterdir()) > MOST_BYTES:
        shutil.rmtree(COMPILED)


def pytest_addoption(parser):
    parser.addoption(
        "--one-of-each", action="store_true", help="of each test the first of its parameters only"
    )
    parser.addoption(
        "--every-case", action="store_true", help="of tests marked costly too every one of their parameters"
    )


def pytest_collection_modifyitems(config, items):
    """Leaves out what was not asked for: of a costly test all parameters but the first and the last."""
    cases = {}
    for item in items:
        cases.setdefault(item.nodeid.split("[")[0], []).append(item)
    kept = set()
    for alike in cases.values():
        if config.getoption("--one-of-each"):
            kept.update(alike if alike[0].get_closest_marker("every_one") else alike[:1])
        elif alike[0].get_closest_marker("costly") and not config.getoption("--every-case"):
            kept.update((alike[0], alike[-1]))
        else:
            kept.update(alike)
    left_out = [item for item in items if item not in kept]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item in kept]


def pytest_collection_finish():
    """What is imported by now stays: not looked through again and again for garbage, tests take 0.92 of the CPU time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


@pytest.fixture(scope="module", autouse=True)
def programs_of_one_module():
    """Every compiled program holds memory maps, and Linux allows a process 65,530: past that XLA's compiler crashes."""
    yield
    jax.clear_caches()


@pytest.fixture(scope="module", autouse=True)
def quick_compilation(request):
    """Without optimising where nothing depends on it, for the fixtures of a module too."""
    with optimising(AS_USERS or request.node.get_closest_marker("as_users_compile") is not None):
        yield


@pytest.fixture(autouse=True)
def compiled_as_users_do(request, quick_compilation):
    """A marked test in a module that is not marked compiles for itself."""
    wanted = request.node.get_closest_marker("as_users_compile") is not None
    if not wanted or not jax.config.values["jax_disable_most_optimizations"]:
        yield
        return
    jax.clear_caches()
    with optimising(True):
        yield
    jax.clear_caches()


@contextmanager
def optimising(wanted):
    before = jax.config.values["jax_disable_most_optimizations"]
    jax.config.update("jax_disable_most_optimizations", not wanted)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


@pytest.fixture
def jax_promotes():
    """Ordinary promotion, for tests that call optax: its optimisers mix dtypes and ranks."""
    with ExitStack() as stack:
        stack.enter_context(jax.numpy_dtype_promotion("standard"))
        stack.enter_context(jax.numpy_rank_promotion("allow"))
        yield


@pytest.fixture
def eight_devices():
    """Eight devices. Of a CPU's one, `test_simulated_devices.py` makes as many in a process of its own."""
    devices = jax.devices()[:8]
    if len(devices) < 8:
        pytest.skip("needs 8 devices: tests/test_simulated_devices.py runs it with JAX_NUM_CPU_DEVICES=8")
    return devices
