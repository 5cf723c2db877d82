"""A results folder as one HTML file that needs nothing else."""

from scaleflow.evaluation.report.html_file import write_report
from scaleflow.evaluation.report.settings import ReportSettings

__all__ = ["ReportSettings", "write_report"]
