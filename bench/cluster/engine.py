"""The few things that are asked of Ray."""

# Ray need not be installed where these files are checked.
# pyright: reportMissingImports=false

import logging
import os
import re
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NoReturn, Protocol

from bench.cluster.places import Place
from bench.errors import UsageError

_REACH_S = 5.0


class Lost(Exception):  # noqa: N818 (it is news, not a mistake)
    """A worker is not there any more."""


class Engine(Protocol):
    """What starts workers on the nodes of a cluster and calls their methods."""

    def nodes(self) -> Sequence[Mapping[str, Any]]:
        """What `ray.nodes()` tells."""
        ...

    def start(self, place: Place, worker: type, *arguments: Any) -> Any:
        """Starts a worker at its place, and returns at once; it is asked for by what this returns."""
        ...

    def call(self, worker: Any, method: str, *arguments: Any) -> Any:
        """Has a worker called, after what it was called for before; returns at once what `value` takes."""
        ...

    def ready(self, calls: Sequence[Any], wait_s: float) -> Sequence[Any]:
        """Those calls that have an answer, after so many seconds at most."""
        ...

    def value(self, call: Any) -> Any:
        """The answer to a call.

        Raises:
            Lost: there is none, and will be none.
        """
        ...

    def stop(self, worker: Any) -> None:
        """Ends a worker, whatever it is doing."""
        ...


class Ray:
    """Ray, connected to a cluster."""

    def __init__(self, address: str, debug: bool = False):
        """Connects this process.

        Args:
            address: HOST:PORT of the cluster's head, or "auto": the one that this machine is a node of.
            debug: show what workers say.

        Raises:
            UsageError: Ray is not installed, or there is no such cluster to connect to.
        """
        # Nothing is to be told to anyone, by a cluster of which this is the first process either.
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        try:
            import ray
        except ImportError:
            raise UsageError(
                "--ray needs the package ray, here and on every node: pip install 'rnn-jax-bench[ray]'"
            ) from None
        if address != "auto":
            _check(address)
        try:
            ray.init(address, log_to_driver=debug, logging_level=logging.ERROR)
        except Exception as error:
            _refuse(address, error)
        self._ray: Any = ray
        _keep_off_standard_output(ray, debug)

    def nodes(self) -> Sequence[Mapping[str, Any]]:
        """What `ray.nodes()` tells."""
        return self._ray.nodes()

    def start(self, place: Place, worker: type, *arguments: Any) -> Any:
        """Starts an actor there that is never restarted: whoever started it decides what becomes of its case."""
        there = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(place.node, soft=False)
        kind = self._ray.remote(
            num_cpus=place.cpus, num_gpus=place.gpus, scheduling_strategy=there, max_restarts=0
        )(worker)
        return kind.remote(*arguments)

    def call(self, worker: Any, method: str, *arguments: Any) -> Any:
        """Calls a method of an actor."""
        return getattr(worker, method).remote(*arguments)

    def ready(self, calls: Sequence[Any], wait_s: float) -> Sequence[Any]:
        """Those that have an answer."""
        return self._ray.wait(list(calls), num_returns=1, timeout=wait_s)[0]

    def value(self, call: Any) -> Any:
        """The answer to a call."""
        try:
            return self._ray.get(call)
        except self._ray.exceptions.ActorUnavailableError as error:
            raise Lost("its node does not answer") from error
        except self._ray.exceptions.RayError as error:
            raise Lost(str(error)) from error

    def stop(self, worker: Any) -> None:
        """Kills an actor."""
        with suppress(self._ray.exceptions.RayError, ValueError):  # it may be dead
            self._ray.kill(worker)


def _keep_off_standard_output(ray: Any, debug: bool) -> None:
    """What Ray says of its nodes it prints amid our lines, and has no setting for it: to standard error, or nowhere."""
    worker = ray._private.worker
    show = getattr(worker, "print_to_stdstream", None)
    if show is not None:

        def aside(data: Mapping[str, Any], *more: Any, **options: Any) -> None:
            if debug:
                show({**data, "is_err": True}, *more, **options)

        worker.print_to_stdstream = aside


def _check(address: str) -> None:
    """Ray waits for minutes for what is not there: whether anything answers is known at once."""
    match = re.fullmatch(r"\[?([^\s/\[\]]+?)\]?:(\d{1,5})", address)
    if match is None:
        raise UsageError(f"--ray must be auto or HOST:PORT of a cluster's head, got {address!r}")
    try:
        socket.create_connection((match[1], int(match[2])), _REACH_S).close()
    except (OSError, OverflowError, UnicodeError) as error:
        raise UsageError(
            f"--ray {address}: nothing answers there ({error}); is the cluster's head started?"
        ) from error


def _refuse(address: str, error: Exception) -> NoReturn:
    if isinstance(error, ConnectionError):
        raise UsageError(
            f"--ray {address}: no cluster that this machine is a node of; start one with `ray start --head`"
        ) from error
    line = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    raise UsageError(f"--ray {address}: Ray refuses: {line}") from error
