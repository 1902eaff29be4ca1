"""What is wrong with Ray, or with the address of a cluster, is told in a sentence."""

import socket
import sys

import pytest

from bench.cluster.engine import Ray
from bench.errors import UsageError


def test_without_the_package_it_is_told_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(
        UsageError, match=r"--ray needs the package ray, .*: pip install 'rnn-jax-bench\[ray\]'"
    ):
        Ray("auto")


@pytest.mark.parametrize(
    "address", ["", "here", "ray://head:10001", "head:", ":6379", "head:port", "head:123456"]
)
def test_an_address_that_is_none(address):
    pytest.importorskip("ray", reason="Ray is not installed")
    with pytest.raises(UsageError, match="--ray must be auto or HOST:PORT of a cluster's head, got '"):
        Ray(address)


def test_an_address_where_nothing_answers():
    pytest.importorskip("ray", reason="Ray is not installed")
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UsageError, match=f"--ray {address}: nothing answers there"):
            Ray(address)
