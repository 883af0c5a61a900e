"""Sets in their official form, as small as they can be, through the recipe, the build, and back."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pyarrow.parquet as pq
import pytest
import torch
from transformers import CLIPVisionConfig, CLIPVisionModel

from pipelines.commands.command import main

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


@dataclass
class Item:
    """What the shards hold of one row: its conversations, metadata, span in seconds, and its files' names."""

    conversations: list[list[tuple[str, str]]]
    metadata: dict[str, Any]
    span: list[float]
    media: dict[str, str]


@dataclass
class Folder:
    """A set as downloaded, below one folder; `made` knows each medium by its digest."""

    path: Path
    clip: str
    made: dict[str, str] = field(default_factory=dict)

    def text(self, name: str, content: str | bytes) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def json(self, name: str, content: Any) -> Path:
        return self.text(name, json.dumps(content))

    def medium(self, name: str, seconds: float = 1.0) -> Path:
        """A film with sound, a sound or a picture by its suffix, no two alike."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        number = len(self.made) + 1
        colour = f"color=c=0x{number * 37 % 256:02x}{number * 91 % 256:02x}80:size=64x48:rate=8"
        tone = f"sine=frequency={300 + 10 * number}:sample_rate=16000"
        pictures = ["-f", "lavfi", "-t", str(seconds), "-i", colour]
        sound = ["-f", "lavfi", "-t", str(seconds), "-i", tone]
        arguments = {
            ".mp4": [*pictures, *sound, "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac"],
            ".jpg": [*pictures, "-frames:v", "1"],
            ".wav": sound,
            ".flac": sound,
        }[path.suffix]
        output = path.with_name(f"made{path.suffix}")  # FFmpeg would read a leading "-" as an option
        subprocess.run([FFMPEG, "-v", "error", "-nostdin", "-y", *arguments, str(output)], check=True)
        output.rename(path)
        self.made[hashlib.sha256(path.read_bytes()).hexdigest()] = name
        return path

    def recipe(self, name: str, *options: str, annotations: str = "annotations") -> list[dict]:
        """The rows that the recipe wrote."""
        manifest = self.path / "manifest.jsonl"
        command = [
            "recipe",
            name,
            "--annotations",
            str(self.path / annotations),
            "--media",
            str(self.path / "media"),
        ]
        assert main([*command, "--output", str(manifest), *options]) == 0
        return [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]

    def refused(self, name: str) -> None:
        """The recipe ends with 2 and leaves no manifest."""
        where = ["--annotations", str(self.path / "annotations"), "--media", str(self.path / "media")]
        manifest = self.path / "manifest.jsonl"
        assert main(["recipe", name, *where, "--output", str(manifest)]) == 2
        assert not [path for path in self.path.iterdir() if path.name.startswith("manifest")]

    def left_out(self) -> list[list[str]]:
        return [
            line.split("\t") for line in (self.path / "manifest.jsonl.left_out.tsv").read_text().splitlines()
        ]

    def build(self, *sources: Path) -> dict[str, Item]:
        """Row's id -> what the shards hold of it, every row of the manifest among them."""
        output = self.path / "corpus"
        given = [str(source) for source in sources] or [str(self.path / "manifest.jsonl")]
        command = ["build", *given, "--output", str(output), "--whisper", "none", "--clip", self.clip]
        assert main([*command, "--clip-tokens", "cls", "--dtype", "float32", "--keep", "audio"]) == 0
        said = pq.read_table(output / "conversations.parquet").to_pylist()
        items: dict[str, Item] = {}
        for shard in sorted(output.glob("shards/*.tar")):
            with tarfile.open(shard) as tar:
                for member in tar:
                    if member.name.endswith(".json"):
                        record = json.load(tar.extractfile(member))
                        items |= self._items(record, [row for row in said if row["key"] == record["key"]])
        return items

    def _items(self, record: dict[str, Any], said: list[dict[str, Any]]) -> dict[str, Item]:
        numbered = {row["number"]: row["turns"] for row in said if row["number"] is not None}
        talks = [[(turn["from"], turn["value"]) for turn in numbered[number]] for number in sorted(numbered)]
        media = {name: self.made.get(source["sha256"], "?") for name, source in record["media"].items()}
        rows = [{"id": row["id"], **json.loads(row["metadata"])} for row in said]
        return {row["id"]: Item(talks, row, record["span"], media) for row in rows}


@pytest.fixture(scope="session")
def small_clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("clip")
    torch.manual_seed(7)
    shape = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    CLIPVisionModel(CLIPVisionConfig(**shape, image_size=16, patch_size=8)).save_pretrained(folder)
    return str(folder)


@pytest.fixture
def folder(tmp_path: Path, small_clip: str) -> Folder:
    return Folder(tmp_path, small_clip)
