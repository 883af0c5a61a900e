"""A small corpus and every command that changes it: what is killed at each of its writes."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg
import torch
from PIL import Image
from transformers import CLIPVisionConfig, CLIPVisionModel

from benchmarks.kills.runs import Said, command, start

GOLDEN = Path(__file__).parents[2] / "tests" / "golden" / "1" / "grown"
ROWS: list[dict[str, object]] = [
    {"id": "cat", "media": "media/0.png", "split": "train", "conversations": [["cat?", "a cat"]]},
    {"id": "same", "media": "media/0.png", "split": "test", "conversations": [["tail?", "one"]]},
    {"id": "dog", "media": "media/1.png", "split": "train"},
    {"id": "film", "media": "media/film.mp4", "split": "test", "conversations": [["what?", "a film"]]},
]


@dataclass(frozen=True)
class Scene:
    """One change of a corpus.

    Attributes:
        begin: the corpus before it; None: there is none.
        argv: the command, OUT in place of the corpus.
        after: what is run after a kill where the same command finds that all is done, and says so.
        prepare: changes the media and manifests first.
        planted: the fault that the corpus begins with: verify says it until the command has ended.
    """

    name: str
    begin: Path | None
    argv: tuple[str, ...]
    after: tuple[str, ...] = ()
    prepare: Callable[[], object] = lambda: None
    planted: str | None = None

    def set_up(self, output: Path) -> None:
        """The corpus as it is before."""
        if self.begin is not None:
            shutil.copytree(self.begin, output)


class World:
    """A folder with media, encoders, and the corpora that the scenes begin with."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "media").mkdir(parents=True)
        for number in range(3):
            picture = Image.radial_gradient("L").rotate(40 * number).resize((40, 40))
            picture.convert("RGB").save(folder / "media" / f"{number}.png")
        sources = ["-f", "lavfi", "-i", "testsrc2=size=48x48:rate=8", "-f", "lavfi", "-i", "sine"]
        film = [*sources, "-t", "1", "-c:v", "mpeg4", "-c:a", "aac", str(folder / "media" / "film.mp4")]
        subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", *film], check=True)
        for name, patch in (("clip", 8), ("wide", 16)):
            _encoder(folder / name, patch)
        self.write_rows(ROWS)

    def write_rows(self, rows: Sequence[dict[str, object]]) -> None:
        """The manifest."""
        lines = (json.dumps(row | {"conversations": _turns(row)}) + "\n" for row in rows)
        (self.folder / "rows.jsonl").write_text("".join(lines))

    def build(self, *others: str, sources: Sequence[str] = ("rows.jsonl",)) -> tuple[str, ...]:
        """The command; images, film and sound kept, one sample or two a shard."""
        named = [str(self.folder / source) for source in sources]
        encoder = ["--whisper", "none", "--clip", str(self.folder / "clip"), "--clip-tokens", "cls"]
        options = ["--keep", "audio", "--device", "cpu", "--dtype", "float32", "--shard-size", "6kB"]
        return ("build", *named, "--output", "OUT", *encoder, *options, *others)

    def second(self) -> tuple[str, str]:
        """Options that add a column."""
        return "--encode", f"wide=clip:{self.folder / 'wide'}"

    def made(self, name: str, begin: Path | None, *commands: Sequence[str]) -> Path:
        """A corpus that nobody disturbs."""
        output = self.folder / "made" / name
        if begin is not None:
            shutil.copytree(begin, output)
        for argv in commands:
            said: Said = start(command, placed(argv, output)).end()
            assert said.status == 0, said.text
        return output

    def scenes(self) -> Iterator[Scene]:
        """Each when the one before it is done with: the manifest is another then."""
        build = self.build()
        first = self.made("first", None, build)
        yield Scene("first build", None, build)
        yield Scene("growth", first, self.build(sources=("rows.jsonl", "media/2.png")))
        yield Scene("another column", first, self.build(*self.second()))
        yield Scene("keep", first, ("keep", "OUT", "one"))
        yield Scene("remove", first, ("remove", "OUT", "dog"))
        taken = self.made("taken", first, ("remove", "OUT", "cat"))
        yield Scene("prune", taken, ("prune", "OUT"))
        wide = self.made("wide", first, self.build(*self.second()), ("keep", "OUT", "both"))
        yield Scene("pack, a state kept", wide, ("pack", "OUT"))
        done = (
            "list",
            "OUT",
        )  # the same command says that the column is gone, and puts in order
        yield Scene("drop a column, a state kept", wide, ("drop", "OUT", "--column", "wide"), after=done)
        lost = Path(shutil.copytree(first, self.folder / "made" / "lost"))
        shard = min(lost.glob("shards/*.tar"))
        shard.unlink()
        yield Scene("a missing shard", lost, build, planted=f"shards/{shard.name}: missing")
        yield Scene("migrate", GOLDEN, ("migrate", "OUT"))
        self.write_rows([ROWS[0] | {"conversations": [["cat?", "a lynx"]]}, *ROWS[1:]])
        yield Scene("a corrected answer", first, build)
        self.write_rows(ROWS[:-1])
        yield Scene("mirror", first, self.build("--mirror", "--yes"))


def placed(argv: Sequence[str], output: Path) -> list[str]:
    """The command on a corpus."""
    return [str(output) if word == "OUT" else word for word in argv]


def _encoder(folder: Path, patch: int) -> None:
    torch.manual_seed(patch)
    shape = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    CLIPVisionModel(CLIPVisionConfig(**shape, image_size=32, patch_size=patch)).save_pretrained(folder)


def _turns(row: dict[str, object]) -> list[list[dict[str, str]]]:
    talks = row.get("conversations", [])
    assert isinstance(talks, list)
    return [[{"from": "human", "value": q}, {"from": "gpt", "value": a}] for q, a in talks]
