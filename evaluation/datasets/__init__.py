"""The data sets that video codecs are compared on, by name."""

from scaleflow.evaluation.datasets.catalog import DATASETS, Dataset, ExpectedClip
from scaleflow.evaluation.datasets.clips import EvaluationClip, open_dataset

__all__ = ["DATASETS", "Dataset", "EvaluationClip", "ExpectedClip", "open_dataset"]
