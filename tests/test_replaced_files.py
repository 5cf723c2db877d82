"""Several files are put in place of others, all or none, also where the process is killed between two moves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scaleflow.errors import DataError
from scaleflow.replaced_files import holds_replaced_files, place_files, put_back_files

NAMES = [f"frame_{number}.png" for number in range(4)]

KILLED = """
import os, signal, sys
from pathlib import Path
from scaleflow.replaced_files import place_files
real, moves = os.replace, int(sys.argv[2])
def replace(source, target):
    global moves
    if not moves:
        os.kill(os.getpid(), signal.SIGKILL)
    moves -= 1
    real(source, target)
os.replace = replace
folder = Path(sys.argv[1])
place_files(folder / ".partial", folder, sys.argv[3:], True)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three old files of four names, a foreign one, and four new ones."""
    (tmp_path / ".partial").mkdir()
    for name in NAMES:
        (tmp_path / ".partial" / name).write_text("new")
    for name in (*NAMES[:3], "mine.png"):
        (tmp_path / name).write_text("old")
    return tmp_path


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


def test_all_are_replaced(folder: Path) -> None:
    (folder / NAMES[0]).chmod(0o604)
    place_files(folder / ".partial", folder, NAMES, True)
    assert content(folder) == {**dict.fromkeys(NAMES, "new"), "mine.png": "old"}
    assert (folder / NAMES[0]).stat().st_mode & 0o777 == 0o604 and not any((folder / ".partial").iterdir())


KILLED_WHEN_DONE = """
import os, signal, sys
from pathlib import Path
from scaleflow.replaced_files import place_files
real, removals = Path.unlink, int(sys.argv[2])
def unlink(self, missing_ok=False):
    global removals
    if not removals:
        os.kill(os.getpid(), signal.SIGKILL)
    removals -= 1
    real(self, missing_ok)
Path.unlink = unlink
folder = Path(sys.argv[1])
place_files(folder / ".partial", folder, sys.argv[3:], True)
"""


@pytest.mark.parametrize("removals", range(3))
def test_killed_while_the_old_ones_are_removed(folder: Path, removals: int) -> None:
    """Then all are new, and nothing of the old ones comes back beside them."""
    command = [sys.executable, "-c", KILLED_WHEN_DONE, str(folder), str(removals), *NAMES]
    assert subprocess.run(command, check=False).returncode == -9
    assert not holds_replaced_files(folder / ".partial") and put_back_files(folder / ".partial", folder) == 0
    assert content(folder) == {**dict.fromkeys(NAMES, "new"), "mine.png": "old"}


@pytest.mark.parametrize("moves", range(7))
def test_killed_between_moves(folder: Path, moves: int) -> None:
    before = content(folder)
    command = [sys.executable, "-c", KILLED, str(folder), str(moves), *NAMES]
    assert subprocess.run(command, check=False).returncode == -9
    count = put_back_files(folder / ".partial", folder)
    after = content(folder)
    # What was new, and replaced nothing, may be there; whatever was there before is again.
    assert {name: text for name, text in after.items() if name in before} == before
    assert count == (moves + 1) // 2 and not holds_replaced_files(folder / ".partial")


@pytest.mark.parametrize("moves", range(7))
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_move_that_fails(folder: Path, moves: int, error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    before, real, left = content(folder), os.replace, [moves]

    def replace(source: str, target: str) -> None:
        left[0] -= 1
        if left[0] == -1:
            raise error
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(type(error)):
        place_files(folder / ".partial", folder, NAMES, True)
    assert content(folder) == before and not holds_replaced_files(folder / ".partial")


def test_links_among_them_are_followed(folder: Path, tmp_path: Path) -> None:
    (folder / "deep").mkdir()
    (folder / NAMES[0]).rename(folder / "deep" / "kept.png")
    (folder / NAMES[0]).symlink_to("deep/kept.png")
    place_files(folder / ".partial", folder, NAMES, True)
    assert (folder / NAMES[0]).is_symlink() and (folder / "deep" / "kept.png").read_text() == "new"


def test_folders_and_what_may_not_be_replaced(folder: Path) -> None:
    before = content(folder)
    with pytest.raises(DataError, match=r"frame_0\.png: has appeared in the meantime; nothing was replaced"):
        place_files(folder / ".partial", folder, NAMES, False)
    (folder / NAMES[3]).mkdir()
    with pytest.raises(DataError, match=r"frame_3\.png: is a folder; nothing was replaced"):
        place_files(folder / ".partial", folder, NAMES, True)
    assert content(folder) == before
