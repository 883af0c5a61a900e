"""Whatever fault is planted, verify names what mends it; the test does as it is told, and it is mended."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipelines.commands.command import main
from schemas.shard import npy_bytes

from ...conftest import manifest

Plant = Callable[[Path], object]
TOLD = re.compile(r"mend: (?:delete (?P<what>it|\S+)(?:, then )?)?(?:favor-data (?P<command>.+))?$")


@pytest.fixture(scope="module")
def whole(media: Path, clip: str, features: list[str], tmp_path_factory) -> Path:
    """Two base shards, a column apart, annotations, a kept state that shares one shard alone."""
    folder = tmp_path_factory.mktemp("mends")
    for name in ("still.png", "silent.ogv"):
        shutil.copy2(media / name, folder / name)
    talk = [{"from": "human", "value": "What?"}, {"from": "gpt", "value": "This."}]
    rows = [{"id": "a", "image": "still.png", "conversations": talk}, {"id": "b", "video": "silent.ogv"}]
    manifest(folder / "rows.jsonl", *rows)
    output = folder / "o"
    build = ["build", str(folder / "rows.jsonl"), "--output", str(output), "--shard-size", "4kB", *features]
    assert main([*build, "--clip-tokens", "pool:2x2"]) == 0
    assert main(["keep", str(output), "pooled"]) == 0
    assert main([*build, "--encode", f"other=clip:{clip}"]) == 0
    assert len(list(output.glob("shards/*.tar"))) == 2
    return output


@pytest.fixture
def output(whole: Path) -> Path:
    """At the same place for every test: SOURCEs and samples stay."""
    saved = whole.with_name("saved")
    if not saved.exists():
        shutil.copytree(whole, saved)
    shutil.rmtree(whole)
    return Path(shutil.copytree(saved, whole))


def one(output: Path, pattern: str) -> Path:
    return min(output.glob(pattern))


def part(output: Path, kind: str, state: str = "states/000002.json") -> Path:
    """A part of the tables of one state alone."""
    texts = {path: path.read_text() for path in (*output.glob("states/*.json"), *output.glob("kept/*.json"))}
    mine = texts.pop(output / state)
    [found] = [
        path
        for path in output.glob(f"tables/{kind}-*")
        if path.name in mine and not any(path.name in other for other in texts.values())
    ]
    return found


def flip(path: Path, at: float = 0.5) -> None:
    data = bytearray(path.read_bytes())
    data[int(len(data) * at)] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-700])


def stray(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")


def garble(path: Path) -> None:
    path.write_bytes(b"{")


def as_told(output: Path, faults: list[str]) -> None:
    """Deletes and runs what the lines say, each thing once."""
    commands = []
    for fault in faults:
        told = TOLD.search(fault)
        assert told, fault
        assert told[0] != "mend: ", fault
        if what := told["what"]:
            path = output / fault.partition(": ")[0] if what == "it" else Path(what)
            path.unlink(missing_ok=True)
        if told["command"] and told["command"] not in commands:
            commands.append(told["command"])
    for command in commands:
        for step in command.split(", then favor-data "):
            assert main(shlex.split(step)) == 0


PLANTS: dict[str, Plant] = {
    "a byte of a base shard": lambda o: flip(one(o, "shards/*.tar")),
    "a byte of a column": lambda o: flip(one(o, "columns/other/*.tar")),
    "a byte of an annotation": lambda o: flip(one(o, "columns/annotations/*.tar"), 0.1),
    "a shard cut short": lambda o: cut(one(o, "shards/*.tar")),
    "no base shard": lambda o: one(o, "shards/*.tar").unlink(),
    "no column shard": lambda o: one(o, "columns/other/*.tar").unlink(),
    "no annotations": lambda o: one(o, "columns/annotations/*.tar").unlink(),
    "a shard too many": lambda o: stray(o / "shards" / "000099.tar"),
    "a column too many": lambda o: stray(o / "columns" / "other" / "000099.tar"),
    "a table too many": lambda o: stray(o / "tables" / "index-0123456789abcdef.parquet"),
    "an old state": lambda o: shutil.copy(one(o, "states/*.json"), o / "states" / "000001.json"),
    "no index": lambda o: (o / "index.parquet").unlink(),
    "no ledger": lambda o: (o / "ledger.parquet").unlink(),
    "an index that is none": lambda o: garble(o / "index.parquet"),
    "a byte of the index": lambda o: flip(o / "index.parquet", 0.1),
    "a byte of the conversations": lambda o: flip(o / "conversations.parquet", 0.1),
    "no corpus.json": lambda o: (o / "corpus.json").unlink(),
    "a corpus.json that is none": lambda o: garble(o / "corpus.json"),
    "a corpus.json edited": lambda o: (o / "corpus.json").write_text(
        (o / "corpus.json").read_text().replace('"samples": 2', '"samples": 3')
    ),
    "no part of the index": lambda o: part(o, "index").unlink(),
    "no part of the ledger": lambda o: part(o, "ledger").unlink(),
    "no part of the conversations": lambda o: one(o, "tables/conversations-*").unlink(),
    "no part of a kept state": lambda o: part(o, "index", "kept/pooled.json").unlink(),
    "a kept state's shard": lambda o: one(o, "kept/shards/*.tar").unlink(),
    "a byte of a kept state's shard": lambda o: flip(one(o, "kept/shards/*.tar")),
    "a kept state that is none": lambda o: garble(o / "kept" / "pooled.json"),
}


@pytest.mark.parametrize("name", PLANTS)
def test_what_is_said_mends_it(name: str, output: Path, read_samples, capsys) -> None:
    before = read_samples(output)
    PLANTS[name](output)
    capsys.readouterr()
    assert main(["verify", str(output)]) == 1
    as_told(output, capsys.readouterr().out.splitlines()[:-1])
    capsys.readouterr()
    status = main(["verify", str(output)])
    assert (status, capsys.readouterr().out.splitlines()) == (0, [f"{output}: no fault found"])
    assert read_samples(output) == before


def test_a_damaged_part_of_the_tables(output: Path, read_samples, capsys) -> None:
    """Parts are named by their content: which one it is, is known. Each is made again."""
    before = read_samples(output)
    for path in sorted(output.glob("tables/*")):
        flip(path, 0.4)
    assert main(["verify", str(output)]) == 1
    faults = capsys.readouterr().out.splitlines()[:-1]
    assert any("its bytes are not those that its name says" in fault for fault in faults)
    as_told(output, faults)
    capsys.readouterr()
    assert main(["verify", str(output)]) == 0, capsys.readouterr().out
    assert read_samples(output) == before


def test_a_cache_that_knows_a_feature_otherwise(media: Path, features, tmp_path: Path, capsys) -> None:
    output, cache = tmp_path / "o", ["--cache", str(tmp_path / "cache")]
    assert main(["build", str(media / "still.png"), "--output", str(output), *cache, *features]) == 0
    [entry] = (tmp_path / "cache").glob("*/*.npy")
    entry.write_bytes(npy_bytes(np.load(entry) + np.float16(1)))
    capsys.readouterr()
    assert main(["verify", str(output), *cache]) == 1
    as_told(output, capsys.readouterr().out.splitlines()[:-1])
    assert main(["verify", str(output), *cache]) == 0


@pytest.mark.parametrize("damage", [garble, lambda path: path.write_text('{"format": 3}'), Path.unlink])
def test_a_state_that_cannot_be_read_is_one_line_everywhere(damage: Plant, output: Path, capsys) -> None:
    """Nothing else holds all that it says, so what mends it is another corpus, out of the same cache."""
    state = one(output, "states/*.json")
    options = json.loads(state.read_text())["options"]
    assert options["shard_bytes"] == 4000
    damage(state)
    capsys.readouterr()
    assert main(["verify", str(output)]) == 1
    assert "favor-data build into another --output" in capsys.readouterr().out.splitlines()[0]
    for command in (["list"], ["build", "--again"], ["prune"], ["keep"], ["pack"]):
        name = ["x"] if command == ["keep"] else []
        assert main([*command, str(output), *name]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1
