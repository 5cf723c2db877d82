"""The data sets that video codecs are compared on, by name."""

from evaluation.datasets.catalog import DATASETS, Dataset, ExpectedClip
from evaluation.datasets.clips import EvaluationClip, open_dataset

__all__ = ["DATASETS", "Dataset", "EvaluationClip", "ExpectedClip", "open_dataset"]
