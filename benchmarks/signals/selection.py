"""`python -m benchmarks.signals.selection`: `select` on a corpus whose index has a million rows.

A handful of clips is built; the index names their samples again and again under other keys, with other
signals, so that the bytes are few and the index is long. The view is of the samples that are there.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.progress import told
from loaders.corpus import open_corpus
from loaders.dataset import CorpusDataset
from pipelines.commands.command import main as favor_data
from pipelines.states.commit import Changes, commit, latest
from pipelines.states.derived import ensure_derived
from pipelines.states.parts import Parts
from schemas.rows import Row
from schemas.state import PART_ROWS, State

RULE = "speech_share > 0.5 AND black_share < 0.1 AND brightness BETWEEN 0.2 AND 0.9"


def multiplied(output: Path, rows: int) -> None:
    """The corpus with so many rows."""
    state = latest(str(output))
    assert state is not None
    parts = Parts(str(output))
    there = [row for part in state.index for row in parts.index(part)]
    rng = np.random.default_rng(0)
    firsts = told("part of the index", range(len(there), rows, PART_ROWS))
    for number, first in enumerate(firsts):
        shard = f"shards/{900_000 + number}.tar"
        (output / shard).touch()
        count = min(PART_ROWS, rows - first)
        put = [_row(there[at % len(there)], shard, first + at, rng) for at in range(count)]
        state = commit(str(output), _changes(state, put))
    ensure_derived(str(output), state)


def _row(row: Row, shard: str, number: int, rng: np.random.Generator) -> Row:
    measured = json.loads(row["signals"]) | dict(
        zip(("speech_share", "black_share", "brightness"), rng.random(3).round(6).tolist(), strict=True)
    )
    placed = {"shard": shard, "offset": 512 * (number + 1), "columns": [], "talks": []}
    return {
        **row,
        **placed,
        "key": f"other-{number:07d}",
        "id": f"films/{number:07d}.mp4",
        "signals": json.dumps(measured),
    }


def _changes(state: State, put: list[Row]) -> Changes:
    return Changes(
        parent=state.state,
        options=state.options,
        columns=state.columns,
        layers=state.layers,
        next_shard=state.next_shard,
        put=put,
    )


def lines(folder: Path, media: Path, rows: int, clip: str) -> Iterator[tuple[str, float]]:
    """What was measured, and the figure."""
    output = folder / "out"
    build = ["build", str(media), "--output", str(output), "--whisper", "none", "--clip", clip, "--quiet"]
    if favor_data([*build, "--clip-tokens", "cls", "--signals"]):
        raise RuntimeError("the corpus was not built")
    multiplied(output, rows)
    many, few = folder / "many", folder / "few"
    began = time.perf_counter()
    favor_data(["select", str(output), "--where", RULE, "--output", str(many)])
    yield f"seconds of select on {rows:,} rows", time.perf_counter() - began
    began = time.perf_counter()
    yield "samples that the view holds", float(len(open_corpus(many)))
    yield "seconds to open the view", time.perf_counter() - began
    whole = sum(path.stat().st_size for path in output.rglob("*") if path.is_file())
    began = time.perf_counter()
    favor_data(["select", str(output), "--where", "key NOT LIKE 'other-%'", "--output", str(few)])
    yield "seconds of select of the samples that are there", time.perf_counter() - began
    yield "verify of their view: exit status", float(favor_data(["verify", str(few)]))
    data = CorpusDataset(open_corpus(few), verify=True)
    yield "samples of it read and checked", float(sum(bool(data[at].key) for at in range(len(data))))
    held = sum(path.stat().st_size for path in few.rglob("*") if path.is_file())
    yield "bytes of the view, of the corpus's", held / whole


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.signals.selection", description=__doc__)
    parser.add_argument("media", type=Path, help="a folder of a few clips")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--clip", default="random:vit-b-32")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for what, value in lines(Path(folder), given.media, given.rows, given.clip):
            print(f"{what}: {value:.4g}", flush=True)


if __name__ == "__main__":
    main()
