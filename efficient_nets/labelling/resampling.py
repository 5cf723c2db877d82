"""A detector that is shown each picture resampled by what was found in the one before, made and run."""

from __future__ import annotations

import time

from torch import Tensor

from scaleflow.efficient_nets.methods.known_methods import DENSE
from scaleflow.efficient_nets.methods.named_method import NamedMethod
from scaleflow.efficient_nets.networks.task_network import TaskNetwork
from scaleflow.efficient_nets.salisa.detector import SalisaDetector, resampling_macs
from scaleflow.efficient_nets.salisa.settings import Salisa
from scaleflow.efficient_nets.tasks.detection_output import detections
from scaleflow.efficient_nets.video.cost import Cost, dense_cost
from scaleflow.efficient_nets.video.network import VideoNetwork
from scaleflow.errors import UsageError


def sampling_detector(trained: TaskNetwork, method: NamedMethod) -> SalisaDetector:
    """The detector, with batch norms folded, and what resamples for it; with its weights where these were trained.

    Raises:
        UsageError: the network is for another task, or was trained for another method or with other control points.
    """
    if trained.task not in method.description.tasks:
        able = " or ".join(method.description.tasks)
        raise UsageError(
            f"{method.name}: the network is for {trained.task}: train one with scaleflow nets train {able}"
        )
    if trained.method.name not in (DENSE, method.name):
        raise UsageError(f"the network was trained for {trained.method.name}: it cannot run as {method.name}")
    settings = method.as_settings(Salisa)
    detector = SalisaDetector(trained.network, settings)
    if trained.tensors:
        try:
            detector.load_state_dict(trained.tensors)
        except RuntimeError as error:
            said = str(error).splitlines()[-1].strip()
            raise UsageError(f"the weights do not fit {method.name} points={settings.points}: {said}") from error
    detector.detector = NamedMethod().apply(detector.detector)
    return detector.eval()


def detect_resampled(detector: SalisaDetector, frame: Tensor, before: Tensor | None) -> tuple[Tensor, Cost, float]:
    """Rows in samples of the frame (1, 3, H, W), cost and seconds; that of finding peaks in the output is in no
    network's time.

    Args:
        before: rows that were found in the frame before; None where this one is to be reduced evenly.
    """
    network = detector.detector
    assert isinstance(network, VideoNetwork)
    network.reset()
    start = time.perf_counter()
    look = detector.look(frame, before)
    if look.warped is None:
        start = time.perf_counter()  # as for the dense network, reducing evenly is not counted
    output = network(look.picture)
    seconds = time.perf_counter() - start
    inner = detections(output[0])
    start = time.perf_counter()
    rows = detector.rows_in_source(inner, look)
    seconds += time.perf_counter() - start
    macs = resampling_macs(detector, look, len(inner))
    return rows, network.cost().latest[-1].total + dense_cost(macs), seconds
