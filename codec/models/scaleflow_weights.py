"""Weights of the default model as its file holds them: float parts in float16, priors in integers, and their hash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from scaleflow.codec.models.frozen_hyperprior import FrozenHyperprior
from scaleflow.codec.models.region_coding import LatentKind
from scaleflow.codec.models.scaleflow import ScaleFlowNetwork
from scaleflow.codec.models.weights_hash import FOR_TRAINING, hash_weights
from scaleflow.entropy.frequency_tables import FrequencyTables
from scaleflow.errors import DataError

_FLOAT_PRIORS = (".bottleneck.", ".conditional.")
_FROZEN_PARTS = (".hyperprior.synthesis.", ".gain.", *_FLOAT_PRIORS)
"""Of the network: what the coder uses in integers only."""

Priors = Mapping[LatentKind, FrozenHyperprior]


@dataclass(frozen=True)
class LoadedWeights:
    """What loading gives beside what it puts into network and priors.

    Attributes:
        hash: the identity of the weights, see :mod:`scaleflow.codec.models.weights_hash`.
        gaussian: tables of the Gaussian priors.
        can_be_trained: whether the file holds what the priors were frozen from.
        float_priors: of that, the priors, for :func:`complete_network`.
    """

    hash: str
    gaussian: FrequencyTables
    can_be_trained: bool
    float_priors: dict[str, Tensor]


def frozen_tensors(network: ScaleFlowNetwork, priors: Priors, gaussian: FrequencyTables) -> dict[str, Tensor]:
    """All that a weights file holds: float parts that only shape pictures in float16, the priors in integers.

    What the priors were frozen from is kept as well, under ``training.``: coding needs none of it.
    """
    tensors: dict[str, Tensor] = {}
    for key, value in network.state_dict().items():
        if not _is_frozen(key):
            tensors[f"network.{key}"] = value.half()
    for key, value in network.named_parameters():
        if _is_frozen(key):
            tensors[f"{FOR_TRAINING}{key}"] = value.half() if ".synthesis." in key else value
    for kind, prior in priors.items():
        for key, value in prior.synthesis.state_dict().items():
            tensors[f"{kind}.synthesis.{key}"] = value
        tensors[f"{kind}.gain"] = prior.gain.anchors
        assert prior.hyper_tables is not None
        for key, value in prior.hyper_tables.to_tensors().items():
            tensors[f"{kind}.hyper_tables.{key}"] = value
    for key, value in gaussian.to_tensors().items():
        tensors[f"gaussian.{key}"] = value
    return {key: value.detach().cpu().contiguous() for key, value in tensors.items()}


def load_frozen_tensors(network: ScaleFlowNetwork, priors: Priors, tensors: dict[str, Tensor]) -> LoadedWeights:
    """Inverse of :func:`frozen_tensors`, into network and priors.

    Raises:
        DataError: a tensor is missing, unknown, or of another shape.
    """
    try:
        state = network.state_dict()
        given = {k.removeprefix("network."): v.float() for k, v in tensors.items() if k.startswith("network.")}
        unknown = given.keys() - state.keys()
        if unknown:
            raise DataError(f"weights hold the unknown tensor {sorted(unknown)[0]!r}")
        missing = {k for k in state.keys() - given.keys() if not _is_frozen(k)}
        if missing:
            raise DataError(f"weights lack the tensor {sorted(missing)[0]!r}")
        before_freezing = {key: value.float() for key, value in _below(tensors, FOR_TRAINING).items()}
        network.load_state_dict(given | before_freezing, strict=False)
        gaussian = FrequencyTables.from_tensors(_below(tensors, "gaussian."))
        for kind, prior in priors.items():
            prior.synthesis.load_state_dict(_below(tensors, f"{kind}.synthesis."))
            prior.synthesis.check_bounds()
            prior.gain.anchors.copy_(tensors[f"{kind}.gain"])
            prior.hyper_tables = FrequencyTables.from_tensors(_below(tensors, f"{kind}.hyper_tables."))
            prior.gaussian = gaussian
    except (KeyError, RuntimeError, ValueError) as error:
        raise DataError(f"these weights do not fit the model: {str(error).splitlines()[0]}") from error
    float_priors = {key: value for key, value in before_freezing.items() if any(part in key for part in _FLOAT_PRIORS)}
    return LoadedWeights(hash_weights(tensors), gaussian, bool(before_freezing), float_priors)


def complete_network(network: ScaleFlowNetwork, float_priors: dict[str, Tensor]) -> None:
    """Give a network the float priors that came with its weights: for training, and for estimates of rates.

    Raises:
        DataError: they are of another shape.
    """
    for coder in (network.intra, network.motion, network.residual):
        coder.hyperprior.add_priors()
    try:
        network.load_state_dict(float_priors, strict=False)
    except RuntimeError as error:
        raise DataError(f"these weights do not fit the model: {str(error).splitlines()[0]}") from error
    network.train(network.training)  # the new modules, too


def _is_frozen(key: str) -> bool:
    return any(part in key for part in _FROZEN_PARTS)


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
