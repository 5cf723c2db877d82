"""A convolution whose student predicts the change of its output from the change of its input."""

from __future__ import annotations

import copy

from torch import Tensor, nn

from scaleflow.efficient_nets.delta_distillation.delta_layer import Candidate, DeltaLayer, DeltaState
from scaleflow.efficient_nets.delta_distillation.low_rank import LowRankConvolution, student_rank
from scaleflow.efficient_nets.delta_distillation.settings import DeltaDistillationSettings
from scaleflow.efficient_nets.video.convolution import VideoConvolution
from scaleflow.efficient_nets.video.cost_record import counted


class DeltaConvolution(DeltaLayer, VideoConvolution):
    """The linear form: a :class:`LowRankConvolution` of the input's change.

    No student has a bias, which is in the key frame's output already. The released code copies the teacher's bias to
    the compressed student, where it is added to every later frame again until training removes it.

    Predictions are linear in the change, so deltas against the frame before add up to those against the key frame: both
    references give the same outputs, to float precision, and differ in what the distillation loss compares.
    """

    def __init__(self, dense: nn.Conv2d, settings: DeltaDistillationSettings) -> None:
        super().__init__(dense)
        rank = student_rank(dense, settings.policy, settings.gamma)
        students: dict[str, nn.Module] = {"compressed": LowRankConvolution(dense, rank, settings.start)}
        if settings.search and settings.full == "copy":
            students["full"] = _without_bias(dense)
        self.start_deltas(settings, students, dense.weight)

    def predict(self, candidate: Candidate, x: Tensor, state: DeltaState) -> tuple[Tensor, int]:
        """See :class:`DeltaLayer`."""
        return self._convolve(candidate, x - state.input)

    def predict_clip(self, candidate: Candidate, clip: Tensor, first: Tensor) -> tuple[Tensor, int]:
        """See :class:`DeltaLayer`."""
        changes = self.differences(clip)
        outputs, macs = self._convolve(candidate, changes.flatten(0, 1))
        return outputs.unflatten(0, changes.shape[:2]), macs

    def _convolve(self, candidate: Candidate, change: Tensor) -> tuple[Tensor, int]:
        if candidate not in self.students:  # the teacher is the full candidate
            output = self._conv_forward(change, self.weight, None)
            return output, self.dense_macs(output)
        student = self.students[candidate]
        with counted(student) as macs:
            output = student(change)
        return output, sum(macs)


def _without_bias(dense: nn.Conv2d) -> nn.Conv2d:
    """A copy to be trained."""
    student = copy.deepcopy(dense).requires_grad_()
    student.register_parameter("bias", None)
    return student
