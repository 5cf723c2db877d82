"""The table of settings under which streams are checked, without running them."""

from __future__ import annotations

from benchmarks.conformance_decode import Outcome
from benchmarks.conformance_matrix import ATEN, ONEDNN, processor_flags, row, settings_of


def test_each_instruction_set_goes_with_each_and_each_number_of_threads() -> None:
    settings = dict(settings_of([1, 2]))
    flags = processor_flags()
    onednn = [name for name, flag in ONEDNN.items() if flag in flags]
    found = {
        (setting.variables["ONEDNN_MAX_CPU_ISA"], setting.variables["ATEN_CPU_CAPABILITY"], setting.threads)
        for setting in settings.values()
        if "ONEDNN_MAX_CPU_ISA" in setting.variables and setting.host is None
    }
    assert {name for name, _, _ in found} == set(onednn)
    assert len(found) == len(onednn) * 2 * len({aten for _, aten, _ in found} or {""})
    assert {aten for _, aten, _ in found} <= set(ATEN)
    assert {"contiguous weights", "within autocast", "without oneDNN"} <= set(settings)


def test_a_row_says_what_differs() -> None:
    outcomes = [
        Outcome("a", "fp32", 8, "pass", True, 2),
        Outcome("b", "fp32", 8, "fail", False, 7),
        Outcome("c", "bf16", 10, "pass", True, 0),
        Outcome("d", "fp32", 10, "not run", None, None),
    ]
    assert row("here", outcomes) == "| here | 2 of 3 | **DIFFER** | 7 | - | - | 0 |"
    assert "| equal |" in row("here", outcomes[2:])
