"""One corpus through every kind of change, and what each state of it must give to whoever reads it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest
import torch
from transformers import CLIPVisionConfig, CLIPVisionModel

from pipelines.commands.command import main

Row = dict[str, Any]


@dataclass(frozen=True)
class Changed:
    """A corpus after a change.

    Attributes:
        answers: id -> the answer of its conversation, None: not annotated; every current sample is here.
        columns: id -> names of its features.
        apart: the layers in shards of their own.
    """

    root: Path
    answers: Mapping[str, str | None]
    columns: Mapping[str, frozenset[str]]
    apart: frozenset[str]

    @property
    def shards(self) -> list[str]:
        """As a plain reader finds them."""
        return self.beside("shards")

    def beside(self, folder: str) -> list[str]:
        """`shards`, or `columns/NAME`."""
        return sorted(str(path) for path in self.root.glob(f"{folder}/*.tar"))


@dataclass
class Maker:
    """Builds, and keeps a copy of every state."""

    folder: Path
    clips: list[str]
    rows: dict[str, Row]
    states: dict[str, Changed] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)

    def build(self, name: str, column: str | None = None, *more: str) -> None:
        (self.folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in self.rows.values()))
        wide = ["--encode", f"wide=clip:{column}"] if column else []
        command = ["build", str(self.folder / "rows.jsonl"), "--output", str(self.output), *wide, *more]
        options = ["--whisper", "random:tiny", "--clip", self.clips[0], "--clip-tokens", "cls"]
        self.run(name, *command, *options, "--device", "cpu", "--dtype", "float32", "--shard-size", "60kB",
                 wide=bool(column), apart={"annotations", "wide"} if column else {"annotations"})  # fmt: skip

    def run(self, name: str, *command: str, wide: bool, apart: set[str]) -> None:
        assert main(list(command)) == 0
        copy = shutil.copytree(
            self.output, self.folder / name, ignore=shutil.ignore_patterns("cache", ".tmp")
        )
        rows = {id_: row for id_, row in self.rows.items() if id_ not in self.removed}
        answers = {id_: _answer(row) for id_, row in rows.items()}
        columns = {id_: _columns(row, wide) for id_, row in rows.items()}
        self.states[name] = Changed(copy, answers, columns, frozenset(apart))

    @property
    def output(self) -> Path:
        return self.folder / "corpus"


def _answer(row: Row) -> str | None:
    return row["conversations"][1]["value"] if "conversations" in row else None


def _columns(row: Row, wide: bool) -> frozenset[str]:
    sound = {"whisper"} if row["media"] in ("talk.mp4", "voice.flac") else set()
    pictures = {"clip", "wide"} if wide else {"clip"}
    return frozenset(sound if row["media"] == "voice.flac" else sound | pictures)


def said(answer: str) -> list[dict[str, str]]:
    return [{"from": "human", "value": "what?"}, {"from": "gpt", "value": answer}]


@pytest.fixture(scope="session")
def changed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Changed]:
    """Change -> the corpus after it. The first samples are not annotated; metadata differ in type."""
    folder = tmp_path_factory.mktemp("changes")
    write_media(folder)
    film = {"media": "talk.mp4"}
    maker = Maker(folder, [write_clip(folder / f"clip{width}", width) for width in (16, 24, 32)], {
        "a0": {**film, "start": 0, "end": 1},
        "a1": {**film, "start": 0.5, "end": 1.5, "score": 1},
        "b0": {**film, "start": 1, "end": 2, "conversations": said("one"), "score": "high", "split": "train",
               "tags": ["x", 1]},
        "b1": {**film, "start": 0, "end": 1.5, "conversations": said("two"), "score": 2.5, "split": "test",
               "more": {"k": [1, "a"]}},
        "c0": {"media": "silent.mp4", "conversations": said("three"), "split": "train"},
        "d0": {"media": "voice.flac", "split": "test"},
    })  # fmt: skip
    for name, row in maker.rows.items():
        row["id"] = name
    maker.build("first build")
    maker.rows["e0"] = {
        **film,
        "id": "e0",
        "start": 0.5,
        "end": 2,
        "conversations": said("four"),
        "score": True,
    }
    maker.rows["a9"] = {"media": "still.png", "id": "a9", "tags": 7}
    maker.build("growth")
    maker.build("another column", maker.clips[1])
    maker.rows["b0"]["conversations"] = said("corrected")
    maker.build("corrected answer", maker.clips[1])
    maker.build("replaced column", maker.clips[2])
    maker.removed.add("a1")  # it stays in the manifest
    everything = {"annotations", "wide"}
    maker.run("remove", "remove", str(maker.output), "a1", wide=True, apart=everything)
    del maker.rows["c0"]
    maker.build("mirror", maker.clips[2], "--mirror", "--yes")
    maker.run("pack", "pack", str(maker.output), wide=True, apart={"annotations"})
    maker.run("drop", "drop", str(maker.output), "--column", "wide", wide=False, apart={"annotations"})
    return maker.states


def write_media(folder: Path) -> None:
    scene = ["-f", "lavfi", "-i", "mandelbrot=size=64x48:rate=10"]
    tone = ["-f", "lavfi", "-i", "sine=frequency=500"]
    for name, arguments in {
        "talk.mp4": [*scene, *tone, "-t", "2", "-c:v", "libx264", "-c:a", "aac"],
        "silent.mp4": [*scene, "-t", "1", "-c:v", "libx264"],
        "voice.flac": [*tone, "-t", "1"],
        "still.png": [*scene, "-frames:v", "1"],
    }.items():
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", *arguments]
        subprocess.run([*command, str(folder / name)], check=True)


def write_clip(folder: Path, width: int) -> str:
    """A CLIP of true structure and small size."""
    torch.manual_seed(width)
    config = CLIPVisionConfig(
        hidden_size=width,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=32,
        patch_size=8,
        initializer_factor=4.0,
    )
    CLIPVisionModel(config).save_pretrained(folder)
    return str(folder)


CHANGES = (
    "first build",
    "growth",
    "another column",
    "corrected answer",
    "replaced column",
    "remove",
    "mirror",
    "pack",
    "drop",
)


@pytest.fixture(params=CHANGES)
def state(request: pytest.FixtureRequest, changed: dict[str, Changed]) -> Changed:
    return changed[request.param]
