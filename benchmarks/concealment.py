"""What is shown in place of lost pictures: how many a hit costs, and how far they are from the source.

    python -m benchmarks.concealment CLIP [CLIP ...] [--size 176x144] [--pictures 96] [--quality 32]
        [--intra-period 32] [--hits 20] [--seed 1] [--kinds flip lost swapped cut]
    python -m benchmarks.concealment CLIP [CLIP ...] [--size 176x144] [--pictures 96] --holes 4 16 31

Each clip is encoded and decoded once. Then its file is hit, one time after the other, and read again; pictures that can
be decoded are those of the sound file, which the decoder would give again. Kinds of hits, at random places behind the
first packet: ``flip``, a bit; ``lost``, a packet of inter pictures that is not there; ``swapped``, two neighbouring
packets of inter pictures in the wrong order; ``cut``, 1 to 4000 bytes that are not there. A line of the table says how
many pictures a hit costs on average, and the mean PSNR-YUV against the source over all pictures in holes, in dB: as
they are without the hit, with the last good picture in their place, and with what the decoder shows; the last column
is the least that a hole gained.

With ``--holes``, nothing is coded: so many pictures are taken out of the source, at every 33rd picture, and the table
says how close to them is what the last picture before, a dissolve at rest, and concealment put in their place.
"""

from __future__ import annotations

import argparse
import io
import math
import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

import scaleflow
from benchmarks.drift import read_pictures
from scaleflow.codec.container import SfvReader, VideoPacket
from scaleflow.codec.decoding.concealment import conceal
from scaleflow.codec.decoding.stream_decoder import DecodedPicture, StreamDecoder
from scaleflow.codec.distortion import picture_psnr, weighted_psnr
from scaleflow.codec.encoding.request import VideoSource
from scaleflow.codec.encoding.settings import EncodeSettings
from scaleflow.codec.models.model_around import ModelAround
from scaleflow.codec.models.registry import load_model
from scaleflow.codec.models.video_model import PictureGeometry, Reference, VideoModel
from scaleflow.codec.picture import Planes
from scaleflow.codec.video.raw_format import RawVideoFormat

KINDS = ("flip", "lost", "swapped", "cut")

LONGEST_CUT = 4000

HOLE_DISTANCE = 33


@dataclass(frozen=True)
class _Known:
    """A picture that was decoded before."""

    decoded: Planes

    def planes(self) -> Planes:
        return self.decoded


class DecodedBefore(ModelAround):
    """Implements :class:`scaleflow.codec.models.video_model.VideoModel` by what another one made of each payload, so
    that a file can be read a hundred times."""

    def __init__(self, model: VideoModel) -> None:
        super().__init__(model)
        self._known: dict[tuple[bytes, int], Reference] = {}

    def decode_picture(self, payload: bytes, geometry: PictureGeometry, reference: Reference | None) -> Reference:
        """As the model does, or did."""
        key = payload, id(reference)
        if key not in self._known:
            self._known[key] = self._inner.decode_picture(payload, geometry, reference)
        return self._known[key]


@dataclass
class Coded:
    """A clip, its file, and what its file decodes to."""

    source: list[Planes]
    content: bytes
    packets: list[tuple[int, int, str]]
    model: DecodedBefore
    sound: list[Planes]


@dataclass
class Tally:
    """Of all hits of a kind: pictures lost, and PSNR-YUV of each picture in a hole."""

    hits: int = 0
    lost: int = 0
    shown: int = 0
    sound: list[float] = field(default_factory=list)
    repeated: list[float] = field(default_factory=list)
    concealed: list[float] = field(default_factory=list)
    gains: list[float] = field(default_factory=list)


def encode_clip(clip: Path, size: tuple[int, int], options: argparse.Namespace, model: VideoModel) -> Coded:
    """Encode and decode once."""
    width, height = size
    source = read_pictures(clip, size, options.pictures)
    with tempfile.TemporaryDirectory() as temporary:
        raw, coded = Path(temporary) / "clip.yuv", Path(temporary) / "clip.sfv"
        raw.write_bytes(b"".join(plane.tobytes() for planes in source for plane in planes))
        video = VideoSource(raw, raw=RawVideoFormat(width, height, Fraction(25)))
        settings = EncodeSettings(quality=options.quality, intra_period=options.intra_period)
        scaleflow.encode(video, coded, settings, model=model)
        content = coded.read_bytes()
    known = DecodedBefore(model)
    return Coded(source, content, _packets(content), known, list(_decode(content, known, True).values()))


def _packets(content: bytes) -> list[tuple[int, int, str]]:
    """Where the packets of pictures begin and end, and their kinds."""
    with SfvReader(io.BytesIO(content)) as reader:
        found: dict[int, str] = {}
        for item in reader:
            if isinstance(item, VideoPacket):
                found[item.offset] = item.kind
        end = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    starts = sorted(found)
    return [(start, stop, found[start]) for start, stop in zip(starts, [*starts[1:], end], strict=True)]


def _decode(content: bytes, model: DecodedBefore, conceals: bool) -> dict[int, Planes]:
    with SfvReader(io.BytesIO(content)) as reader:
        events = StreamDecoder(reader.header, model, conceals=conceals).decode(reader)
        return {event.frame_number: event.planes for event in events if isinstance(event, DecodedPicture)}


def hit(coded: Coded, kind: str, chance: random.Random) -> bytes:
    """The file after one hit."""
    content = bytearray(coded.content)
    first = coded.packets[0][1]
    last = coded.packets[-1][1]
    if kind == "flip":
        content[chance.randrange(first, last)] ^= 1 << chance.randrange(8)
    elif kind == "cut":
        start = chance.randrange(first, last)
        del content[start : min(last, start + chance.randint(1, LONGEST_CUT))]
    else:
        inter = [packet for packet in coded.packets if packet[2] == "inter"]
        if kind == "lost":
            start, stop, _ = chance.choice(inter)
            del content[start:stop]
        else:
            pairs = [(a, b) for a, b in pairwise(inter) if a[1] == b[0]]
            (start, middle, _), (_, stop, _) = chance.choice(pairs)
            content[start:stop] = coded.content[middle:stop] + coded.content[start:middle]
    return bytes(content)


def measure(coded: Coded, kind: str, hits: int, chance: random.Random, tally: Tally) -> None:
    """Hit a clip so often."""
    for _ in range(hits):
        content = hit(coded, kind, chance)
        shown = {conceals: _decode(content, coded.model, conceals) for conceals in (False, True)}
        tally.hits += 1
        missing = set(range(len(coded.source)))
        before: dict[bool, list[float]] = {False: [], True: []}
        for number, planes in shown[True].items():
            same = all(np.array_equal(a, b) for a, b in zip(planes, coded.sound[number], strict=True))
            repeat = shown[False][number]
            if same and all(np.array_equal(a, b) for a, b in zip(repeat, coded.sound[number], strict=True)):
                missing.discard(number)
                continue
            tally.shown += 1
            tally.sound.append(_quality(coded.source[number], coded.sound[number]))
            before[False].append(_quality(coded.source[number], repeat))
            before[True].append(_quality(coded.source[number], planes))
        tally.lost += len(missing)
        tally.repeated += before[False]
        tally.concealed += before[True]
        if before[True]:
            tally.gains.append(float(np.mean(before[True]) - np.mean(before[False])))


def hole_row(clip: Path, pictures: Sequence[Planes], length: int) -> str:
    """A line of the table of holes in a source of 8 bits: mean PSNR-YUV over the pictures of all holes of a length."""
    shares = [(number + 1) / (length + 1) for number in range(length)]
    found: dict[str, list[float]] = {"repeated": [], "dissolved": [], "concealed": []}
    for start in range(0, len(pictures) - length - 1, HOLE_DISTANCE):
        before, after = pictures[start], pictures[start + length + 1]
        made = conceal(before, after, shares, 8)
        for share, source, concealed in zip(shares, pictures[start + 1 :], made, strict=False):
            dissolved = tuple(
                np.rint((1 - share) * a.astype(float) + share * b).astype(np.uint8)
                for a, b in zip(before, after, strict=True)
            )
            for name, planes in zip(found, (before, dissolved, concealed), strict=True):
                found[name].append(_quality(source, planes))
    return f"| {clip.stem} | {length} | " + " | ".join(f"{_mean(values):.2f}" for values in found.values()) + " |"


def _quality(source: Planes, planes: Planes) -> float:
    return weighted_psnr(picture_psnr(source, planes, 8))


def row(name: str, kind: str, tally: Tally) -> str:
    """A line of the table."""
    means = [_mean(values) for values in (tally.sound, tally.repeated, tally.concealed)]
    cells = [name, kind, str(tally.hits), f"{tally.lost / tally.hits:.1f}", f"{tally.shown / tally.hits:.1f}"]
    cells += [f"{mean:.2f}" for mean in means]
    cells.append(f"{min(tally.gains, default=math.nan):+.2f}")
    return "| " + " | ".join(cells) + " |"


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else math.nan


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--size", default="176x144", help="crop of the middle, WIDTHxHEIGHT, even")
    parser.add_argument("--pictures", type=int, default=96)
    parser.add_argument("--quality", type=float, default=32.0)
    parser.add_argument("--intra-period", type=int, default=32)
    parser.add_argument("--hits", type=int, default=20, help="of each kind, of each clip")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", choices=KINDS, nargs="+", default=list(KINDS))
    parser.add_argument("--holes", type=int, nargs="+", help="take so many pictures out of the source instead")
    options = parser.parse_args()
    torch.set_num_threads(1)
    width, height = (int(side) for side in options.size.split("x"))
    if options.holes:
        print("| clip | pictures | repeated | dissolved | concealed |")
        print("|---" * 5 + "|")
        for clip in options.clips:
            pictures = read_pictures(clip, (width, height), options.pictures)
            for length in options.holes:
                print(hole_row(clip, pictures, length), flush=True)
        return
    model = load_model()
    print("| clip | hit | hits | lost | shown | sound | repeated | concealed | least gain |")
    print("|---" * 9 + "|")
    for clip in options.clips:
        coded = encode_clip(clip, (width, height), options, model)
        for kind in options.kinds:
            tally = Tally()
            measure(coded, kind, options.hits, random.Random(f"{options.seed} {clip.stem} {kind}"), tally)
            print(row(clip.stem, kind, tally), flush=True)


if __name__ == "__main__":
    main()
