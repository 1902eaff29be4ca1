import importlib
import subprocess
import sys

import pytest

import rnn_jax as rj
from rnn_jax.adapters import packages

FRAMEWORKS = ("equinox", "flax", "torch")


def test_importing_rnn_jax_imports_no_framework():
    program = f"import sys, rnn_jax; print([name for name in {FRAMEWORKS} if name in sys.modules])"
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=200
    )
    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("call", "package"),
    [
        (lambda: rj.adapters.from_equinox(None), "equinox"),
        (lambda: rj.adapters.from_flax_nnx(None), "flax"),
        (lambda: rj.adapters.from_flax_linen(None, {}), "flax"),
    ],
)
def test_a_missing_package_is_named_with_its_install(call, package, monkeypatch):
    def missing(module):
        name = module.partition(".")[0]
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(packages, "import_module", missing)
    with pytest.raises(ImportError, match=rf"needs the package {package}, .*: pip install {package}$"):
        call()


def test_what_an_installed_package_lacks_is_left_alone(monkeypatch):
    def broken(module):
        return importlib.import_module("a_dependency_of_it")

    monkeypatch.setattr(packages, "import_module", broken)
    with pytest.raises(ModuleNotFoundError, match=r"^No module named 'a_dependency_of_it'$"):
        rj.adapters.from_equinox(None)
