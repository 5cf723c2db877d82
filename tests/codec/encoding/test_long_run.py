"""What is read of processes in long runs, and what a table makes of it."""

from __future__ import annotations

import io
import os
import sys

import pytest

from benchmarks.long_run import Reading, feed, read_process, table


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_a_process_is_read() -> None:
    before = read_process(os.getpid(), 5)
    with open(os.devnull, "rb"):
        after = read_process(os.getpid(), 6)
    assert after.open_files == before.open_files + 1
    assert before.pictures == 5 and before.megabytes > 10 and after.seconds >= before.seconds > 0


def test_growth_is_seen() -> None:
    flat = [Reading(100 * n, 500.0, 4, 0.03 * 100 * n) for n in range(1, 101)]
    growing = [Reading(100 * n, 500.0 + n, 4 + n, 3e-6 * (100 * n) ** 2) for n in range(1, 101)]
    assert table(flat, 2000)[-1].startswith("memory -0.0 kB") or table(flat, 2000)[-1].startswith("memory +0.0 kB")
    assert "open files 4 to 4" in table(flat, 2000)[-1]
    last = table(growing, 2000)[-1]
    assert last.startswith("memory +10000.0 kB") and "+6.0000 ms" in last and "to 104" in last
    assert len([line for line in table(flat, 2000) if line.startswith("|")]) == 2 + 5


def test_pictures_come_through_a_pipe() -> None:
    class Kept(io.BytesIO):
        content = b""

        def close(self) -> None:
            Kept.content = self.getvalue()
            super().close()

    feed(Kept(), (16, 8), 3)
    head, *pictures = Kept.content.split(b"FRAME\n")
    assert head.startswith(b"YUV4MPEG2 W16 H8 ") and [len(picture) for picture in pictures] == [192] * 3
