"""A connection to Ray, quietly: one that is started for some work and ends with it, or a cluster that runs.

Ray is imported here, when it is needed, and nowhere else.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import socket
import tempfile
import threading
import warnings
from collections.abc import Iterator
from typing import Any

from scaleflow.cluster import ClusterSettings
from scaleflow.errors import UsageError

SURROUNDINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",  # No word to its makers.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_worker_niceness": "0",  # They do the work that was asked for: 15 leaves it to whatever else runs.
    "RAY_kill_child_processes_on_worker_exit_with_raylet_subreaper": "true",  # Encoders that a worker has started.
    "GRPC_VERBOSITY": "NONE",
    "GLOG_minloglevel": "3",
}
"""Variables that Ray reads when it is imported and started, where a person has not set them."""

TAKEN_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)

LONGEST_FOLDER = 40
"""Characters: Ray puts sockets below, whose paths may have 107."""

LOOPBACK = "127.0.0.1"


@contextlib.contextmanager
def connected(settings: ClusterSettings, threads: int) -> Iterator[Any]:
    """Ray's module, connected. A program that has connected before keeps its connection, which ``local`` then means.

    Args:
        threads: of each worker, which takes as many cores.

    Raises:
        UsageError: the cluster cannot be reached in time, runs other versions of Ray or Python, or is named while the
            program is connected.
    """
    with _as_it_was():
        ray = _imported(settings)
        is_there = ray.is_initialized()
    if is_there:
        if not settings.is_local:
            raise UsageError(
                f"cluster {settings.address}: the program is connected to Ray already: give cluster local for that",
                fields=("cluster",),
            )
        yield ray
        return
    with contextlib.ExitStack() as stack:
        if settings.is_local:
            _start_local(ray, settings, threads, stack)
        else:
            _connect(ray, settings)
        stack.callback(_disconnect, ray)
        yield ray


def _imported(settings: ClusterSettings) -> Any:
    for name, value in SURROUNDINGS.items():
        os.environ.setdefault(name, value)
    if not settings.is_local and _has_token():
        os.environ.setdefault("RAY_AUTH_MODE", "token")  # Heads ask for one by default, and clients send none.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ray
    return ray


def _has_token() -> bool:
    """Whether there is a token where Ray looks for it."""
    place = os.environ.get("RAY_AUTH_TOKEN_PATH") or os.path.expanduser("~/.ray/auth_token")
    return bool(os.environ.get("RAY_AUTH_TOKEN")) or os.path.isfile(place)


def _start_local(ray: Any, settings: ClusterSettings, threads: int, stack: contextlib.ExitStack) -> None:
    workers = settings.local_workers or settings.workers
    folder = tempfile.mkdtemp(prefix="scaleflow-ray-")
    if len(folder) > LONGEST_FOLDER and os.path.isdir("/tmp"):
        os.rmdir(folder)
        folder = tempfile.mkdtemp(prefix="scaleflow-ray-", dir="/tmp")
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    stack.callback(_disconnect, ray)  # Also what a start that fails, or is stopped, has begun.
    with _as_it_was():
        try:
            ray.init(
                "local",  # Whatever RAY_ADDRESS says.
                num_cpus=None if workers is None else workers * threads,
                include_dashboard=False,
                configure_logging=False,
                log_to_driver=False,
                logging_level=logging.CRITICAL,
                _temp_dir=folder,
                _node_ip_address=LOOPBACK,
            )
        except (RuntimeError, OSError, ValueError) as error:
            raise UsageError(
                f"cluster {settings.address}: Ray cannot be started: {_first_line(error)}", fields=("cluster",)
            ) from error


def _connect(ray: Any, settings: ClusterSettings) -> None:
    host, port = settings.address.removeprefix("ray://").rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), timeout=settings.timeout).close()
    except (OSError, OverflowError) as error:
        raise _unreachable(settings, getattr(error, "strerror", None) or str(error)) from error
    with _as_it_was():
        try:
            ray.init(settings.address, log_to_driver=False, logging_level=logging.CRITICAL)
        except (RuntimeError, OSError, ValueError) as error:
            if isinstance(error, ConnectionError):
                raise _unreachable(settings, _first_line(error)) from error
            raise UsageError(f"cluster {settings.address}: {_first_line(error)}", fields=("cluster",)) from error


def _unreachable(settings: ClusterSettings, reason: str) -> UsageError:
    return UsageError(
        f"cluster {settings.address}: cannot be reached within {settings.timeout:g} s ({reason}): is a head of Ray "
        "running there whose Ray Client server has this port, and does it ask for the same token?",
        fields=("cluster",),
    )


def _disconnect(ray: Any) -> None:
    with _as_it_was():
        ray.shutdown()


@contextlib.contextmanager
def _as_it_was() -> Iterator[None]:
    """Ray takes signals, warnings and logging for its own; what the program has set holds again afterwards.

    SIGCHLD is among them, which Ray ignores from then on, below Python: no program would have an exit code any more.
    """
    in_main = threading.current_thread() is threading.main_thread()
    handlers = {number: signal.getsignal(number) for number in TAKEN_SIGNALS} if in_main else {}
    log = logging.getLogger("ray")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            log.setLevel(logging.CRITICAL)
            yield
    finally:
        log.setLevel(logging.CRITICAL)
        for number, handler in handlers.items():
            if handler is not None:
                signal.signal(number, handler)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
