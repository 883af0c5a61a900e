"""From the README alone: a folder of somebody's own videos becomes a trained model that answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from docs.site.blocks import ROOT, RUN, blocks
from scores.answers import read_answers
from tests.docs.conftest import stood_in
from tests.docs.test_commands import typed, typed_lines

README = ROOT / "README.md"
ROOMS = ("decoders", "pipelines", "featurizers", "loaders", "schemas", "storage")


def test_what_is_typed_ends_in_right_answers(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    [block] = [block for block in blocks(README.read_text(encoding="utf-8")) if block.mark == RUN]
    for line in typed_lines(stood_in(block.text)):
        assert typed(line) == 0, f"{line}\n{capfd.readouterr().err[-2000:]}"
    losses = [
        json.loads(line).get("answer") for line in (home / "run" / "log.jsonl").read_text().splitlines()
    ]
    losses = [loss for loss in losses if loss is not None]
    assert losses[-1] < losses[0] / 2
    answers = {answer.id: answer for answer in read_answers(home / "answers.jsonl")}
    assert set(answers) == {"videos/talk.mp4", "videos/walk.mp4", "videos/cook.mp4"}
    assert all(answer.text in answer.references for answer in answers.values()), answers
    assert (home / "corpus.html").stat().st_size > 10_000


def test_its_python_reads_every_sample(home: Path) -> None:
    [block] = [block for block in blocks(README.read_text(encoding="utf-8")) if block.language == "python"]
    assert (
        typed(
            stood_in(
                "favor-data build videos/ --output corpus --whisper none --clip openai/clip-vit-base-patch32"
            )
        )
        == 0
    )
    seen: list[dict] = []
    code = block.text.replace('    sample["json"]', '    seen.append(sample); sample["json"]')
    exec(compile(code, "README.md", "exec"), {"seen": seen})
    assert len(seen) == 3
    assert all(sample["clip.npy"].shape[0] == sample["json"]["steps"] for sample in seen)


def test_it_fits_two_screens_and_names_no_room_of_the_code() -> None:
    text = README.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 100
    assert "docs/report-light.png" in text
    assert not [room for room in ROOMS if f"{room}/" in text]
