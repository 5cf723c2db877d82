"""What an installation downloads and unpacks, and whether it codes: wheel and source distribution, installed afresh.

    python -m benchmarks.clean_install [--python python3.10 python3.12 ...] [--extras "" all ...] [--source]
        [--constraint locks/newest.txt] [--requirement torch==2.13.0+cpu ...] [--sizes-only] [--folder FOLDER]

The distributions are built by the package ``build`` in an environment of its own. Of each interpreter and each set of
extras, an environment away from the repository gets the wheel, or with ``--source`` the source distribution, and what
pip finds for it: in the package index and where pip is set up to look. There the installed command encodes, decodes,
verifies and explains a computed clip, and checks the streams of ``scaleflow conformance``. A row says packages, bytes
of the files that were downloaded (ScaleFlow's own with them), bytes of the files in these, and the verdict. With
``--sizes-only`` nothing is unpacked and tried. Only one environment is there at a time; with CUDA, it has some 5 GB,
and its downloads 2.5 GB.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

REPOSITORY = Path(__file__).resolve().parent.parent
PICTURES = 3


@dataclass(frozen=True)
class Installation:
    """What one environment took."""

    python: str
    extras: str
    packages: int
    downloaded: int
    unpacked: int
    verdict: str

    def row(self) -> str:
        """Of the table; sizes in MB of 10^6 bytes."""
        sizes = f"{self.downloaded / 1e6:.0f} | {self.unpacked / 1e6:.0f}"
        return f"| {self.python} | {self.extras or 'none'} | {self.packages} | {sizes} | {self.verdict} |"


def _run(command: list[str], cwd: Path, **variables: str) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, env=os.environ | variables)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return done.stdout


def build_distributions(folder: Path) -> tuple[Path, Path]:
    """The wheel, which is made of the source distribution, and the source distribution."""
    venv.create(folder / "builder", with_pip=True)
    python = str(folder / "builder" / "bin" / "python")
    _run([python, "-m", "pip", "install", "-q", "build"], folder)
    _run([python, "-m", "build", "--outdir", str(folder / "dist"), str(REPOSITORY)], folder)
    (wheel,), (source,) = (folder / "dist").glob("*.whl"), (folder / "dist").glob("*.tar.gz")
    return wheel, source


@dataclass(frozen=True)
class Wanted:
    """What is installed beside the distribution, and how far.

    Attributes:
        requirements: further requirements, such as a build of PyTorch.
        constraint: a lock; None for the newest versions that pip finds.
        sizes_only: nothing is unpacked and tried.
    """

    requirements: list[str]
    constraint: Path | None
    sizes_only: bool


def install(folder: Path, interpreter: str, distribution: Path, extras: str, wanted: Wanted) -> Installation:
    """One environment below ``folder``, which is empty: downloaded, unpacked from the downloads alone, and tried."""
    _run([interpreter, "-m", "venv", "env"], folder)
    python, downloads = str(folder / "env" / "bin" / "python"), folder / "downloads"
    specifications = [f"{distribution}[{extras}]" if extras else str(distribution), *wanted.requirements]
    # By a variable, because it replaces what a machine is set up with, and holds in the environments of builds too.
    variables = {"PIP_CONSTRAINT": str(wanted.constraint)} if wanted.constraint else {}
    _run([python, "-m", "pip", "wheel", "-q", "-w", str(downloads), *specifications], folder, **variables)
    wheels = sorted(downloads.glob("*.whl"))
    if wanted.sizes_only:
        verdict = "no"
    else:
        names = [str(path) for path in wheels]
        _run(
            [python, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--no-compile", *names],
            folder,
            **variables,
        )
        _run([python, "-m", "pip", "check"], folder)
        verdict = try_installation(folder)
    return Installation(
        _run([python, "-c", "import platform; print(platform.python_version())"], folder).strip(),
        extras,
        len(wheels),
        sum(path.stat().st_size for path in wheels),
        sum(map(_unpacked_size, wheels)),
        verdict,
    )


def _unpacked_size(wheel: Path) -> int:
    with zipfile.ZipFile(wheel) as archive:
        return sum(entry.file_size for entry in archive.infolist())


def write_clip(path: Path) -> None:
    """A few pictures of a moving square, 176x144, as H.264."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 176, 144, "yuv420p"
        for number in range(PICTURES):
            picture = np.full((144, 176, 3), 64, np.uint8)
            picture[40:100, 40 + 4 * number : 100 + 4 * number] = 200
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def try_installation(folder: Path) -> str:
    """Run the installed command in ``folder``; raises :class:`SystemExit` where something fails."""
    write_clip(folder / "clip.mp4")
    program = str(folder / "env" / "bin" / "scaleflow")
    coded = json.loads(_run([program, "encode", "clip.mp4", "coded.sfv", "--json"], folder).splitlines()[-1])
    _run([program, "decode", "coded.sfv", "decoded.mp4"], folder)
    _run([program, "verify", "coded.sfv"], folder)
    _run([program, "info", "coded.sfv"], folder)
    if coded["pictures"] != PICTURES:
        raise SystemExit(f"{coded['pictures']} pictures were coded of {PICTURES}")
    streams = json.loads(_run([program, "conformance", "--json"], folder).splitlines()[-1])
    return f"{PICTURES} pictures coded, {streams['passed']} streams pass"


def main() -> None:
    """Print a row for each environment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", nargs="+", default=[sys.executable])
    parser.add_argument("--extras", nargs="+", default=[""])
    parser.add_argument("--source", action="store_true")
    parser.add_argument("--constraint", type=lambda text: Path(text).resolve())
    parser.add_argument("--requirement", nargs="+", default=[])
    parser.add_argument("--sizes-only", action="store_true")
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    wanted = Wanted(arguments.requirement, arguments.constraint, arguments.sizes_only)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        wheel, source = build_distributions(Path(name))
        print(f"wheel {wheel.stat().st_size / 1e6:.1f} MB, source distribution {source.stat().st_size / 1e6:.1f} MB")
        print("| Python | extras | packages | downloaded, MB | unpacked, MB | tried |\n|---|---|---|---|---|---|")
        for interpreter in arguments.python:
            for extras in arguments.extras:
                with tempfile.TemporaryDirectory(dir=name) as place:
                    distribution = source if arguments.source else wheel
                    print(install(Path(place), interpreter, distribution, extras, wanted).row(), flush=True)


if __name__ == "__main__":
    main()
