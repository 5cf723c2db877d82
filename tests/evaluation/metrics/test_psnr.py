"""PSNR against ffmpeg's filter, scikit-image, and arithmetic by hand."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from scaleflow.codec.video import RawVideoFormat, open_video
from scaleflow.evaluation.metrics.comparison import compare

FORMATS = ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le", "yuv420p12le"]


def ffmpeg_psnr(ffmpeg: Callable[..., None], original: Path, decoded: Path, log: Path) -> dict[str, list[float]]:
    """Per picture and plane, by ffmpeg."""
    ffmpeg("-i", decoded, "-i", original, "-lavfi", f"[0][1]psnr=stats_file={log}", "-f", "null", "-")
    found = re.findall(r"psnr_y:(\S+) psnr_u:(\S+) psnr_v:(\S+)", log.read_text())
    return {name: [float(line[n]) for line in found] for n, name in enumerate(("psnr-y", "psnr-u", "psnr-v"))}


@pytest.mark.parametrize("pixel_format", FORMATS)
@pytest.mark.parametrize("size", ["336:224", "161:123"])
def test_planes_agree_with_ffmpeg(
    ffmpeg: Callable[..., None], bikes: Path, tmp_path: Path, pixel_format: str, size: str
) -> None:
    original, decoded = tmp_path / "original.mkv", tmp_path / "decoded.mkv"
    crop = ("-vf", f"crop={size}:0:0:exact=1,format={pixel_format},crop={size}:0:0:exact=1", "-frames:v", 4)
    ffmpeg("-i", bikes, *crop, "-c:v", "ffv1", original)
    spoil = "lutyuv=y=val*0.98+3:u=val*0.97+5:v=val*0.96+4"
    ffmpeg("-i", original, "-vf", f"{spoil},format={pixel_format}", "-c:v", "ffv1", decoded)
    found = compare(original, decoded, ["psnr"])
    for name, values in ffmpeg_psnr(ffmpeg, original, decoded, tmp_path / "psnr.log").items():
        assert found.frames[name] == pytest.approx(values, abs=0.01)
        assert found.means[name] == pytest.approx(np.mean(values), abs=0.01)
    weighted = [
        (6 * y + u + v) / 8 for y, u, v in zip(*(found.frames[f"psnr-{plane}"] for plane in "yuv"), strict=True)
    ]
    assert found.frames["psnr-yuv"] == pytest.approx(weighted)
    assert (found.width, found.height, found.identical) == (*map(int, size.split(":")), 0)


def test_coded_pictures_agree_with_scikit_image(bikes: Path, coded_bikes: Path) -> None:
    found = compare(bikes, coded_bikes, ["psnr-y", "psnr-v"])
    errors = []
    with open_video(bikes) as ours, open_video(coded_bikes) as theirs:
        for n, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            for name, plane in (("psnr-y", 0), ("psnr-v", 2)):
                expected = peak_signal_noise_ratio(a.planes[plane], b.planes[plane], data_range=255)
                assert found.frames[name][n] == pytest.approx(expected, abs=1e-4)
            errors.append(np.mean((a.planes[0].astype(float) - b.planes[0].astype(float)) ** 2))
    assert found.means["psnr-y-of-mean-mse"] == pytest.approx(10 * math.log10(255**2 / np.mean(errors)), abs=1e-4)
    assert found.means["psnr-y-of-mean-mse"] < found.means["psnr-y"]
    assert set(found.frames) == {"psnr-y", "psnr-v"}


def write_raw(path: Path, planes: list[np.ndarray]) -> Path:
    path.write_bytes(b"".join(plane.tobytes() for plane in planes))
    return path


@pytest.mark.parametrize(("bits", "dtype"), [(8, np.uint8), (10, np.uint16)])
def test_rgb_is_converted_by_matrix_and_range(tmp_path: Path, bits: int, dtype: type) -> None:
    """BT.601 of limited range, as small untagged video is read, in double precision and written out."""
    random = np.random.default_rng(3)
    top, step = 2**bits - 1, 2 ** (bits - 8)
    pictures = []
    for name in ("original", "decoded"):
        planes = [random.integers(60 * step, 160 * step, (48, 64)).astype(dtype) for _ in range(3)]
        write_raw(tmp_path / f"{name}_64x48_25fps_444_{bits}bit.yuv", planes)
        y = (planes[0].astype(float) - 16 * step) / (219 * step)
        cb, cr = ((plane.astype(float) - 128 * step) / (224 * step) for plane in planes[1:])
        rgb = [y + 1.402 * cr, y - 0.114 * 1.772 / 0.587 * cb - 0.299 * 1.402 / 0.587 * cr, y + 1.772 * cb]
        pictures.append(np.clip(np.floor(np.stack(rgb) * top + 0.5), 0, top))
    expected = 10 * math.log10(top**2 / np.mean((pictures[0] - pictures[1]) ** 2))
    names = [tmp_path / f"{name}_64x48_25fps_444_{bits}bit.yuv" for name in ("original", "decoded")]
    found = compare(names[0], names[1], ["psnr-rgb"])
    assert found.means["psnr-rgb"] == pytest.approx(expected, abs=1e-3)
    assert any(f"{bits}-bit R'G'B', converted by matrix smpte170m, limited range" in note for note in found.notes)


def test_identical_pictures_are_counted_and_left_out_of_means(tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    form = RawVideoFormat(32, 32, Fraction(25))
    samples = random.integers(16, 235, (4, form.frame_size)).astype(np.uint8)
    (tmp_path / "original_32x32_25fps.yuv").write_bytes(samples.tobytes())
    samples[1, : 32 * 32] += 2
    samples[2, 32 * 32] += 1
    (tmp_path / "decoded_32x32_25fps.yuv").write_bytes(samples.tobytes())
    found = compare(tmp_path / "original_32x32_25fps.yuv", tmp_path / "decoded_32x32_25fps.yuv", ["psnr", "ms-ssim"])
    assert found.identical == 2
    luma = 10 * math.log10(255**2 / 4)
    assert found.frames["psnr-y"] == pytest.approx([math.inf, luma, math.inf, math.inf])
    assert found.means["psnr-y"] == pytest.approx(luma)
    assert found.means["psnr-y-of-mean-mse"] == pytest.approx(10 * math.log10(255**2))
    # A plane that is identical counts as 100 dB beside planes that are not.
    chroma = 10 * math.log10(255**2 * 256)
    assert found.frames["psnr-yuv"] == pytest.approx([math.inf, (6 * luma + 200) / 8, (700 + chroma) / 8, math.inf])
    assert math.isinf(found.means["psnr-v"]) and math.isinf(found.means["psnr-v-of-mean-mse"])
    assert all(math.isnan(value) for value in found.frames["ms-ssim-y"]) and math.isnan(found.means["ms-ssim-rgb"])
