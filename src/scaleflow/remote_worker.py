"""A worker as it is on a node of a cluster: it says what it is, takes its work, and does one task after the other.

Nothing here knows what carries the calls.
"""

from __future__ import annotations

import hashlib
import logging
import os
import pickle
import platform
import signal
import warnings
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scaleflow.errors import DataError, ScaleFlowError, UsageError
from scaleflow.version import code_hash, scaleflow_version
from scaleflow.workers import attempt


@dataclass(frozen=True)
class Greeting:
    """What runs in a process, as far as it may change what is coded."""

    node: str
    process: int
    scaleflow: str
    code: str
    torch: str
    instructions: str

    @staticmethod
    def of_this_process() -> Greeting:
        """Of the process that asks."""
        import torch

        return Greeting(
            node=platform.node() or "node",
            process=os.getpid(),
            scaleflow=scaleflow_version(),
            code=code_hash(),
            torch=_installed("torch"),
            instructions=torch.backends.cpu.get_cpu_capability(),
        )

    def difference(self, other: Greeting) -> str | None:
        """What ``other`` has that this one has not, where the two must not work together."""
        if other.scaleflow != self.scaleflow:
            return f"has ScaleFlow {other.scaleflow}, and this machine {self.scaleflow}"
        if other.code != self.code:
            return f"has other code of ScaleFlow {other.scaleflow} than this machine"
        if other.torch != self.torch:
            return f"has PyTorch {other.torch}, and this machine {self.torch}"
        return None


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


class RemoteWorker:
    """Lives in a process of its own on some node. Its methods are called one after the other."""

    def __init__(self) -> None:
        warnings.simplefilter("ignore")  # The machine that asks has imported, and warned of, the same.
        logging.getLogger("scaleflow").setLevel(logging.ERROR)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # Where it is ignored, encoders that fail seem to have done well.
        self._work: Any = None

    def greet(self) -> Greeting:
        """What runs here."""
        return Greeting.of_this_process()

    def prepare(self, pickled: NDArray[np.uint8], digest: str) -> ScaleFlowError | None:
        """Take the work, weights included.

        Args:
            pickled: a :class:`scaleflow.workers.Work`, as bytes.
            digest: of these bytes, by SHA-256.

        Returns:
            What stands in the way; None where all is well.
        """
        try:
            if hashlib.sha256(pickled.data).hexdigest() != digest:
                return DataError("has received other weights than were sent")
            self._work = pickle.loads(pickled.data)
            self._work.begin()
        except ScaleFlowError as error:
            return error
        except (ImportError, AttributeError) as error:
            return UsageError(f"lacks something that this machine has: {error}")
        return None

    def do(self, task: Any) -> Any:
        """A task's result, or the :class:`ScaleFlowError` that came of it."""
        return attempt(self._work, task)
