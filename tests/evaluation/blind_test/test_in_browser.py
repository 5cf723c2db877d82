"""The test in a real browser: ten pairs by keys and buttons, votes saved, and read by ``scaleflow votes``."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scaleflow.evaluation.votes.votes_file import read_votes
from tests.cli.conftest import typed
from tests.evaluation.blind_test.conftest import PAIRS
from tests.evaluation.browser import browser, open_page, requested

__all__ = ["browser"]

LEFT, RIGHT, DOWN, SPACE, ENTER = "\ue012", "\ue014", "\ue015", " ", "\ue007"


def wait_for(browser: Any, script: str) -> Any:
    """What a script returns as soon as that is true."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        found = browser.execute_script(f"return {script}")
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{script} did not become true")


def press(browser: Any, *keys: str) -> None:
    browser.switch_to.active_element.send_keys(*keys)


def click(browser: Any, name: str) -> None:
    browser.find_element("id", name).click()


def wait_for_pair(browser: Any, number: int) -> None:
    wait_for(
        browser, f"test.seen !== null && document.getElementById('progress').textContent === '{number} of {PAIRS}'"
    )


def words_on(browser: Any) -> str:
    text: str = browser.execute_script("return document.body.innerText").lower()
    return text


@pytest.mark.parametrize("width", [1200, 375])
def test_ten_pairs(browser: Any, page: Path, tmp_path: Path, width: int) -> None:
    open_page(browser, page, width)
    behaviour = {"behavior": "allow", "downloadPath": str(tmp_path)}
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", behaviour)
    assert f"{PAIRS} pairs" in words_on(browser)
    click(browser, "start")
    votes: list[Callable[[], None]] = [
        *(lambda: press(browser, LEFT), lambda: press(browser, RIGHT), lambda: press(browser, DOWN)),
        *(lambda: press(browser, SPACE), lambda: click(browser, "left"), lambda: click(browser, "right")),
        *(lambda: click(browser, "none"), lambda: press(browser, SPACE), lambda: press(browser, LEFT)),
        lambda: press(browser, RIGHT),
    ]
    chosen = ["left", "right", None, None, "left", "right", None, None, "left", "right"]
    for number, vote in enumerate(votes, 1):
        wait_for_pair(browser, number)
        assert not {"scaleflow", "x264"} & set(words_on(browser).split())
        overhang = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert browser.execute_script(overhang) == 0
        vote()
    click(browser, "finish")
    assert "scaleflow" in words_on(browser) and "x264" in words_on(browser)
    click(browser, "save")
    path = wait_for_file(tmp_path)

    found = read_votes(path)
    data = browser.execute_script("return {page: data.page, seed: data.seed}")
    assert (found.page, found.seed, found.pairs, len(found.votes)) == (data["page"], data["seed"], PAIRS, PAIRS)
    assert [vote.pair for vote in found.votes] == list(range(1, PAIRS + 1))
    sides = [
        None if vote.choice is None else "left" if vote.choice == vote.left.codec else "right" for vote in found.votes
    ]
    assert sides == chosen
    assert all(vote.milliseconds > 0 and not vote.original_shown for vote in found.votes)

    result = typed("votes", path, path, "--json")
    line = json.loads(result.stdout)
    assert (line["codecs"], line["votes"], line["ties"], line["persons"]) == (["scaleflow", "x264"], PAIRS, 4, 1)
    preferred = [vote.choice for vote in found.votes]
    assert line["preferred"] == [preferred.count("scaleflow"), preferred.count("x264")]
    assert "was given more than once" in result.stderr

    assert browser.get_log("browser") == []
    assert [address for address in requested(browser) if not address.startswith(("data:", "blob:"))] == [page.as_uri()]


def wait_for_file(folder: Path) -> Path:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        found = list(folder.glob("*.json"))
        if found:
            return found[0]
        time.sleep(0.05)
    raise AssertionError("nothing was saved")


def test_undo_and_original(browser: Any, page: Path) -> None:
    open_page(browser, page, 1200)
    run = browser.execute_script
    press(browser, ENTER)
    wait_for_pair(browser, 1)
    press(browser, LEFT)
    wait_for_pair(browser, 2)
    press(browser, "u")
    wait_for_pair(browser, 1)
    assert run("return test.ballot.votes.length") == 0 and not browser.find_element("id", "undo").is_enabled()

    pixels = "[...document.querySelectorAll('canvas')].map((canvas) => canvas.toDataURL())"
    sides = run(f"return {pixels}")
    assert sides[0] != sides[1]
    press(browser, "o")
    shown = run(f"return {pixels}")
    assert shown[0] == shown[1] and shown[0] not in sides
    assert "original" in run("return document.querySelector('figcaption').textContent")
    press(browser, "O")
    assert run(f"return {pixels}")[0] == sides[0] or run("return data.pairs[0].mode") == "moving"
    press(browser, RIGHT)
    wait_for_pair(browser, 2)
    press(browser, DOWN)
    wait_for_pair(browser, 3)
    assert run("return test.ballot.votes.map((vote) => [vote.choice, vote.originalShown])") == [
        ["right", True],
        ["none", False],
    ]
    click(browser, "stop")
    assert "2 of 10 pairs are judged" in words_on(browser)
    click(browser, "continue")
    wait_for_pair(browser, 3)
    click(browser, "stop")
    press(browser, "u")
    wait_for_pair(browser, 2)
    click(browser, "stop")
    press(browser, SPACE)
    assert "stop here?" in words_on(browser) and "scaleflow" not in words_on(browser)
    press(browser, ENTER)
    press(browser, "u", LEFT)  # too late, as names have been seen
    assert run("return test.file.votes.length") == 1 and "scaleflow" in words_on(browser)
    assert browser.get_log("browser") == []


def test_a_window_that_is_too_small_says_so(browser: Any, page: Path) -> None:
    open_page(browser, page, 150)
    press(browser, ENTER)
    number = 1 + [pair["mode"] for pair in browser.execute_script("return data.pairs")].index("still")
    for judged in range(1, number):
        wait_for_pair(browser, judged)
        press(browser, SPACE)
    wait_for_pair(browser, number)
    caption = browser.find_element("css selector", "figcaption").text
    width = browser.find_element("css selector", "canvas").size["width"]
    assert width < 88 and caption == f"left, reduced to {100 * width / 88:.0f} %"


def test_clips_move_in_step_and_enlarged_parts_are_sharp(browser: Any, page: Path) -> None:
    open_page(browser, page, 1200)
    run = browser.execute_script
    click(browser, "start")
    for number in range(1, PAIRS + 1):
        wait_for_pair(browser, number)
        pair = run("return test.view.pair")
        canvas = browser.find_element("css selector", "canvas")
        times = canvas.size["width"] / pair["width"]
        assert times == int(times) and canvas.size["height"] == times * pair["height"]
        assert run("return getComputedStyle(arguments[0]).imageRendering", canvas) == "pixelated"
        assert times >= 8 if pair["mode"] == "zoom" else times <= 2
        if pair["mode"] == "moving":
            # Drawn as the clock has it, both sides at once, again and again.
            script = (
                "const [view, done] = [test.view, arguments[0]], found = []; const draw = view.draw;"
                "view.draw = function (number) { draw.call(this, number);"
                " found.push([number, Math.floor(((performance.now() - view.started) * view.pair.frameRate) / 1000)]);"
                " if (found.length === 9) { delete view.draw; done(found); } };"
            )
            drawn = browser.execute_async_script(script)
            count = len(pair["left"])
            assert {number for number, _ in drawn} <= set(range(count)) and len({number for number, _ in drawn}) > 1
            assert all((now - number) % count <= 1 for number, now in drawn)
        press(browser, SPACE)
    assert browser.get_log("browser") == []
