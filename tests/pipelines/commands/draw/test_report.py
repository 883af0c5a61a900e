"""favor-data report and show: what people see of a corpus, in a real browser where there is one."""

from __future__ import annotations

import base64
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from pipelines.commands.command import main
from pipelines.commands.draw.inline import inline
from report.charts import bars, histogram

from ...conftest import manifest

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
MARKUP = "</script><img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def page(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("report") / "report.html"
    assert main(["report", str(corpus), "--output", str(target)]) == 0
    return target


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: the page is not looked at")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        running = driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        )
        yield running
        running.close()


@pytest.fixture
def opened(browser: Any, page: Path) -> Iterator[Any]:
    """The page, with what its console said and what it asked for under `said` and `asked`."""
    tab = browser.new_page(viewport={"width": 1100, "height": 900})
    tab.said, tab.asked = [], []
    tab.on("console", lambda message: tab.said.append(message.text))
    tab.on("pageerror", lambda error: tab.said.append(str(error)))
    tab.on("request", lambda request: tab.asked.append(request.url))
    tab.goto(page.as_uri())
    yield tab
    tab.close()


def test_totals_and_every_sample_are_there(page: Path, corpus: Path) -> None:
    html = page.read_text()
    index = pd.read_parquet(corpus / "index.parquet")
    assert html.count('<article class="sheet"') == len(index)
    for key in index["key"]:
        assert f'id="sample-{key}"' in html
    talk = index[index["id"] == "talk.mp4"].iloc[0]
    drawn = html.split(f'id="sample-{talk["key"]}"')[1].split("</article>")[0]
    assert drawn.count('alt="frame of') == talk["visual_steps"]
    assert drawn.count('class="a"') == talk["audio_steps"]
    cells = re.findall(r'class="a[^>]*></span>([^<]*)</li>', drawn)
    assert sum(len(cell.split()) for cell in cells) == talk["words"]


def test_the_page_asks_for_nothing_and_says_no_error(opened: Any, page: Path) -> None:
    opened.wait_for_timeout(300)
    assert opened.said == []
    assert [url for url in opened.asked if not url.startswith("data:")] == [page.as_uri()]
    for chart in opened.locator("figure svg").all():
        assert chart.get_attribute("aria-label")
        assert len(chart.locator("text").all()) >= 4  # ticks and both labels


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(browser: Any, page: Path, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    tab = browser.new_page(color_scheme=scheme, viewport={"width": 400, "height": 800})
    tab.goto(page.as_uri())
    found = Axe().run(tab).response["violations"]
    assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")  # nothing overflows a phone
    tab.close()


def test_the_cursor_follows_the_sound(opened: Any) -> None:
    sheet = opened.locator(".sheet", has=opened.locator("audio")).first
    audio, axis = sheet.locator("audio"), sheet.locator(".axis")
    seconds = float(axis.get_attribute("data-seconds"))
    audio.evaluate("(sound, to) => { sound.currentTime = to }", seconds / 2)
    opened.wait_for_timeout(300)
    left = sheet.locator(".cursor").evaluate("cursor => parseFloat(cursor.style.left)")
    assert left == pytest.approx(axis.evaluate("axis => axis.clientWidth") / 2, rel=0.02)
    place = sheet.locator(".steps li").evaluate_all("all => all.findIndex(x => x.classList.contains('now'))")
    assert place == int(seconds / 2 / 0.5)
    axis.locator("..").press("ArrowRight")
    assert audio.evaluate("sound => sound.currentTime") == pytest.approx(seconds / 2 + 0.5, abs=0.01)


def test_samples_are_found_by_id_and_by_words(opened: Any) -> None:
    opened.fill("#find", "talk")
    assert "1 samples by name" in opened.locator("#found").inner_text()
    assert opened.locator(".sheet:visible").count() == 1
    opened.fill("#find", "no such thing")
    assert opened.locator(".sheet:visible").count() == 0
    opened.fill("#find", "")
    assert opened.locator(".sheet:visible").count() > 3


def test_markup_in_what_users_wrote_is_text(media: Path, features: list[str], tmp_path: Path) -> None:
    said = [{"from": "human", "value": MARKUP}, {"from": "gpt", "value": MARKUP}]
    row = {"id": MARKUP, "video": str(media / "silent.ogv"), "conversations": said, "title": MARKUP}
    missing = {"id": "b", "video": str(tmp_path / "<b>gone.mp4")}
    table = manifest(tmp_path / "m.jsonl", row, missing)
    assert main(["build", str(table), "--output", str(tmp_path / "o"), *features]) == 0
    target = tmp_path / "r.html"
    assert main(["report", str(tmp_path / "o"), "--output", str(target)]) == 0
    html = target.read_text()
    assert "<img src=x" not in html
    assert "<b>gone" not in html
    assert html.count("&lt;img src=x onerror=alert(1)&gt;") >= 4
    assert "not_found" in html
    assert "--retry not_found" in html


def test_without_kept_pictures_sources_are_read_where_they_are_the_same(
    media: Path, features: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    film = tmp_path / "film.ogv"
    shutil.copy2(media / "silent.ogv", film)
    assert main(["build", str(film), "--output", str(tmp_path / "o"), *features]) == 0
    target = tmp_path / "r.html"
    assert main(["report", str(tmp_path / "o"), "--output", str(target)]) == 0
    assert target.read_text().count('alt="frame of') == 4
    film.write_bytes(b"another film")
    assert main(["report", str(tmp_path / "o"), "--output", str(target)]) == 0
    assert "has other bytes now" in target.read_text()
    film.unlink()
    assert main(["report", str(tmp_path / "o"), "--output", str(target)]) == 0
    assert "cannot be had here" in target.read_text()


def test_a_condition_chooses_and_a_wrong_one_is_a_users_mistake(corpus, tmp_path, capsys) -> None:
    target = tmp_path / "r.html"
    command = ["report", str(corpus), "--output", str(target), "--where"]
    assert main([*command, "visual_steps = 0"]) == 0
    assert target.read_text().count('<article class="sheet"') == 1
    assert main([*command, "no_such_column > 1"]) == 2
    assert "no_such_column" in capsys.readouterr().err


def test_show_tells_of_one_sample_and_draws_its_frames(corpus, tmp_path, capsys) -> None:
    target = tmp_path / "talk.png"
    assert main(["show", str(corpus), "talk.mp4", "--output", str(target)]) == 0
    said = capsys.readouterr().out
    assert "whisper     float16 [11, 25, 384]" in said
    assert str(corpus) not in said
    assert "11 with sound, 11 with a frame" in said
    with Image.open(target) as strip:
        assert strip.size == (128 * 11, 96)
    assert main(["show", str(corpus), "xyzzy"]) == 2
    assert main(["show", str(corpus), "TALK"]) == 2
    nothing, near = capsys.readouterr().err.splitlines()
    assert "has no sample 'xyzzy': index.parquet lists keys and ids" in nothing
    assert near.endswith("has no sample 'TALK': did you mean talk.mp4?")


def test_pictures_are_shown_where_a_terminal_shows_them() -> None:
    png = bytes(range(256)) * 40
    sent = inline(png, {"KITTY_WINDOW_ID": "1"})
    pieces = re.findall(r"\033_G(.*?);(.*?)\033\\", sent)
    assert [head for head, _ in pieces] == ["a=T,f=100,m=1", "m=1", "m=1", "m=0"]
    assert max(len(chunk) for _, chunk in pieces) <= 4096
    assert base64.b64decode("".join(chunk for _, chunk in pieces)) == png
    assert inline(b"png", {"TERM": "xterm-kitty"}) == "\033_Ga=T,f=100;cG5n\033\\\n"
    assert inline(b"png", {"TERM_PROGRAM": "iTerm.app"}) == "\033]1337;File=inline=1;size=3:cG5n\a\n"
    assert inline(png, {"TERM": "xterm-256color"}) == ""
    assert inline(png, {"TERM": "xterm-kitty", "TMUX": "/tmp/tmux"}) == ""


def test_charts_say_what_they_show() -> None:
    import numpy as np

    drawn = histogram("loudness", "LUFS", np.array([-30.0, -20.0, float("nan"), -10.0]))
    assert drawn.summary == "loudness: -30 to -10 LUFS, median -20; 3 samples, 1 without"
    assert drawn.svg.count("<rect") == 24
    assert "&lt;b&gt;" in bars("split", [("<b>", 3), ("test", 1)]).svg
