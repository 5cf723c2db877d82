"""The report in a real browser: it draws, its slider moves, nothing fails and nothing is requested."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.evaluation.browser import browser, open_page, requested

__all__ = ["browser"]


@pytest.mark.parametrize("width", [1200, 375])
def test_report(browser: Any, report: Path, width: int) -> None:
    open_page(browser, report, width)
    run = browser.execute_script
    # Nothing sticks out: a phone scrolls down only.
    assert run("return document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    assert run("return document.querySelectorAll('.chart path.line').length") >= 6
    assert run("return [...document.images].every((image) => image.naturalWidth > 0)")

    before = run("return document.querySelector('img.right').style.clipPath")
    slider = browser.find_element("css selector", "input.position")
    slider.send_keys(*["\ue014"] * 20)  # right arrow
    assert int(slider.get_property("value")) == 520
    assert run("return document.querySelector('img.right').style.clipPath") != before

    # The second picture, four times as large, x264 on the left.
    selects = browser.find_elements("css selector", ".comparison select")
    for select, value in zip(selects, ("2", "1", "1", "4"), strict=True):
        run("arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('change'))", select, value)
    assert run("return document.querySelector('img.left').clientWidth") == 4 * 88
    assert run("return getComputedStyle(document.querySelector('img.left')).imageRendering") == "pixelated"
    assert run("return document.querySelector('img.left').alt") == "x264, picture 3 of carphone.y4m"

    chart = browser.find_element("css selector", ".chart svg")
    chart.send_keys("\ue014")
    tip = run("return document.querySelector('.tip').textContent")
    assert "scaleflow" in tip and "bpp" in tip and "PSNR-YUV" in tip

    assert browser.get_log("browser") == []
    addresses = [address for address in requested(browser) if not address.startswith("data:")]
    assert addresses == [report.as_uri()]


def test_all_choices_draw(browser: Any, report: Path) -> None:
    open_page(browser, report, 900)
    selects = browser.find_elements("css selector", "select")
    for select in selects:
        for option in browser.execute_script("return [...arguments[0].options].map((o) => o.value)", select):
            browser.execute_script(
                "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('change'))", select, option
            )
    assert browser.get_log("browser") == []
    assert "NaN" not in browser.execute_script("return document.querySelector('main').innerHTML")


@pytest.mark.parametrize(("ours", "shown"), [((False, True), "2"), ((True, False), "1"), ((False, False), "1")])
def test_original_is_compared_with_our_codec_first(
    browser: Any, report: Path, ours: tuple[bool, bool], shown: str
) -> None:
    open_page(browser, report, 900)
    versions = [
        {"name": name, "caption": name, "images": [""], "first": first}
        for name, first in zip(("original", "a", "b"), (False, *ours), strict=True)
    ]
    clip = {"width": 8, "height": 8, "pictures": [1], "name": "clip"}
    script = "return comparison(arguments[0], arguments[1]).querySelectorAll('select')[1].value"
    assert browser.execute_script(script, clip, versions) == shown
