"""Files appear when they are complete, one process writes a name at a time, and what was there is kept until then."""

from __future__ import annotations

import logging
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scaleflow.errors import DataError, UsageError
from scaleflow.output_file import open_output_file, whole_file, write_whole_file
from scaleflow.output_folder import whole_folder
from scaleflow.partial_file import only_writer, partial_name

OLD, NEW = b"old" * 1000, b"new" * 200_000

WRITER = """
import sys, time
from scaleflow.output_file import open_output_file
output = open_output_file(sys.argv[1], overwrite=True)
print("open", flush=True)
for part in range(100):
    output.write({new!r}[part * 6000 : (part + 1) * 6000])
    output.flush()
    time.sleep(float(sys.argv[2]))
output.commit()
"""


def start_writer(path: Path, pause: float) -> subprocess.Popen[str]:
    """A process that writes :data:`NEW` in a hundred steps; it has opened the file when this returns."""
    program = WRITER.replace("{new!r}", "(b'new' * 200_000)")
    command = [sys.executable, "-c", program, str(path), str(pause)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "open\n"
    return process


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_process_killed_at_any_moment_leaves_the_old_file(tmp_path: Path, number: int) -> None:
    target, source = tmp_path / "a.bin", random.Random(number)
    target.write_bytes(OLD)
    seen = set()
    for _ in range(4):
        process = start_writer(target, 0.002)
        time.sleep(source.uniform(0, 0.3))
        process.send_signal(number)
        process.wait()
        seen.add(target.read_bytes())
        target.write_bytes(OLD)
    assert seen <= {OLD, NEW} and OLD in seen
    write_whole_file(str(target), NEW, overwrite=True)
    assert target.read_bytes() == NEW and names_in(tmp_path) == ["a.bin"]


def test_the_second_writer_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    process = start_writer(target, 0.02)
    with pytest.raises(UsageError, match=r"a\.bin: is being written by another process"):
        write_whole_file(str(target), OLD, overwrite=True)
    process.kill()
    process.wait()
    assert partial_name(target).exists()
    write_whole_file(str(target), OLD, overwrite=True)
    assert target.read_bytes() == OLD and names_in(tmp_path) == ["a.bin"]


def test_writers_of_several_processes_take_turns(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    program = (
        "import sys\n"
        "from scaleflow.errors import UsageError\n"
        "from scaleflow.output_file import write_whole_file\n"
        "for number in range(200):\n"
        "    try: write_whole_file(sys.argv[1], sys.argv[2].encode() * 3000, True)\n"
        "    except UsageError as error: assert 'another process' in str(error), error\n"
    )
    processes = [subprocess.Popen([sys.executable, "-c", program, str(target), letter]) for letter in "abc"]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert target.read_bytes() in {letter.encode() * 3000 for letter in "abc"} and names_in(tmp_path) == ["a.bin"]


@pytest.mark.usefixtures("umask")
def test_modes_of_new_and_replaced_files(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    write_whole_file(str(target), OLD, overwrite=False)
    assert target.stat().st_mode & 0o777 == 0o640
    target.chmod(0o604)
    output = open_output_file(str(target), overwrite=True)
    assert partial_name(target).stat().st_mode & 0o777 == 0o604  # While it is written, too.
    output.write(NEW)
    output.commit()
    assert target.stat().st_mode & 0o777 == 0o604


def test_links_are_followed_and_stay(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "a.bin", tmp_path / "link.bin"
    target.write_bytes(OLD)
    link.symlink_to("elsewhere/a.bin")
    write_whole_file(str(link), NEW, overwrite=True)
    assert link.is_symlink() and not target.is_symlink() and target.read_bytes() == NEW
    hanging = tmp_path / "hanging.bin"
    hanging.symlink_to("elsewhere/b.bin")
    write_whole_file(str(hanging), NEW, overwrite=False)
    assert hanging.is_symlink() and names_in(tmp_path / "elsewhere") == ["a.bin", "b.bin"]


def test_further_names_of_a_file_keep_what_it_held(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    target, other = tmp_path / "a.bin", tmp_path / "b.bin"
    target.write_bytes(OLD)
    os.link(target, other)
    with caplog.at_level(logging.WARNING):
        write_whole_file(str(target), NEW, overwrite=True)
    assert (target.read_bytes(), other.read_bytes()) == (NEW, OLD)
    assert "a.bin: has further names (hard links), which keep what it holds now" in caplog.text


def test_what_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    output = open_output_file(str(target), overwrite=False)
    output.write(NEW)
    target.write_bytes(OLD)
    with pytest.raises(DataError, match=r"a\.bin: has appeared in the meantime; nothing was written"):
        output.commit()
    assert target.read_bytes() == OLD and names_in(tmp_path) == ["a.bin"]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    target.write_bytes(OLD)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(DataError, match=r"a\.bin: writing failed: File too large; nothing was kept"):
            write_whole_file(str(target), NEW, overwrite=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert target.read_bytes() == OLD and names_in(tmp_path) == ["a.bin"]


def test_long_names_and_planted_links(tmp_path: Path) -> None:
    name = "é" * 125 + ".bin"
    write_whole_file(str(tmp_path / name), NEW, overwrite=False)
    assert names_in(tmp_path) == [name]
    victim = tmp_path / "victim"
    victim.write_bytes(OLD)
    partial_name(tmp_path / "b.bin").symlink_to(victim)
    with pytest.raises(UsageError, match=r"b\.bin: cannot be written"):
        write_whole_file(str(tmp_path / "b.bin"), NEW, overwrite=True)
    assert victim.read_bytes() == OLD


def test_paths_for_other_programs(tmp_path: Path) -> None:
    target = tmp_path / "a.nut"
    target.write_bytes(OLD)
    with whole_file(str(target), overwrite=True) as path:
        assert path.suffix == ".nut" and path.parent == tmp_path
        path.write_bytes(NEW)
        with pytest.raises(UsageError, match="another process"):
            open_output_file(str(target), overwrite=True)
        assert target.read_bytes() == OLD
    assert target.read_bytes() == NEW and names_in(tmp_path) == ["a.nut"]
    with pytest.raises(RuntimeError), whole_file(str(target), overwrite=True) as path:
        path.write_bytes(OLD)
        raise RuntimeError
    assert target.read_bytes() == NEW and names_in(tmp_path) == ["a.nut"]


def test_folders_appear_when_they_are_complete(tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    with whole_folder(folder) as partial:
        (partial / "a").write_bytes(NEW)
        assert not folder.exists()
        with pytest.raises(UsageError, match="clips: is being written by another process"), whole_folder(folder):
            pass
    assert names_in(tmp_path) == ["clips"] and names_in(folder) == ["a"]
    with pytest.raises(UsageError, match="clips: is not empty"), whole_folder(folder):
        pass
    dead = partial_name(tmp_path / "other")
    (dead / "deep").mkdir(parents=True)
    with whole_folder(tmp_path / "other") as partial:
        (partial / "b").write_bytes(NEW)
    assert names_in(tmp_path / "other") == ["b"]


def test_a_folder_has_one_writer(tmp_path: Path) -> None:
    with only_writer(tmp_path):
        with pytest.raises(UsageError, match="is being written by another process"), only_writer(tmp_path):
            pass
    with only_writer(tmp_path):
        pass
