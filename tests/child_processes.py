"""What a process has started, as Linux says it."""

from __future__ import annotations

import subprocess


def children(process: int) -> list[int]:
    """Numbers of the processes that a process has started, from the lowest."""
    found = subprocess.run(["pgrep", "-P", str(process)], capture_output=True, text=True, check=False)
    return sorted(int(number) for number in found.stdout.split())


def descendants(process: int) -> list[int]:
    """Of those, and of those that they have started."""
    own = children(process)
    return own + [number for child in own for number in descendants(child)]
