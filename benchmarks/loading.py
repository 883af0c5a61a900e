"""How fast training reads a corpus, beside `cat`, plain webdataset and Hugging Face datasets.

python -m benchmarks.loading --write docs/loading.md

Everything reads the same shards from a warm page cache in one process and one thread. The rounds of all
readers take turns; figures are medians of the rounds, the share of `cat` by the clock and in CPU seconds (the
children's too) is compared round by round. Other programs on the machine disturb the clock more. Every reader
takes a number from every array, so that no array is only promised. `cat` writes to /dev/null: it copies every
byte once, into 128 KiB that stay in the processor's cache. `StreamingCorpus` copies every byte once too (it
does not map files), into memory that belongs to the sample. Starting `cat`, 1 ms, is in its figures.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import torch
import webdataset as wds

from benchmarks.progress import told
from loaders.corpus import Corpus, open_corpus
from loaders.dataset import CorpusDataset
from loaders.loader import CorpusLoader
from loaders.schedule.phase import Phase
from loaders.streaming import StreamingCorpus
from loaders.synchronise import Synchronise
from pipelines.states.derived import write_derived
from pipelines.states.parts import TALKS_OF, Parts
from schemas.corpus import Column
from schemas.grid import STEP_NS, Span
from schemas.media import Modality
from schemas.rows import Row
from schemas.sample import SAMPLE_VERSION, Feature, Sample, Source, sample_key
from schemas.shard import ShardWriter, json_bytes, npy_bytes, tar_bytes
from schemas.state import ANNOTATIONS, BASE, STATES, State, layer_shard, state_name


@dataclass(frozen=True)
class Shape:
    """Samples to write: how many, of how many steps, tokens a frame and widths."""

    name: str
    samples: int
    steps: int
    tokens: int
    visual_width: int
    audio_width: int
    samples_per_shard: int


LARGE = Shape("30 s, Whisper large-v2 and a BLIP Q-Former", 128, 60, 32, 768, 1280, 32)
SMALL = Shape("2 s, Whisper tiny.en and one CLIP token", 4000, 4, 1, 512, 384, 2000)


def write_corpus(root: Path, shape: Shape) -> None:
    """A corpus of random features, written with the project's own writers."""
    random = np.random.default_rng(0)
    span = Span(0, shape.steps * STEP_NS)
    rows: list[Row] = []
    for first in range(0, shape.samples, shape.samples_per_shard):
        stem = f"{first // shape.samples_per_shard:06d}"
        numbers = range(first, min(first + shape.samples_per_shard, shape.samples))
        samples = [_sample(shape, number, span, random) for number in numbers]
        bases = _write(root, layer_shard(BASE, stem), samples)
        told = [(sample, [("annotations.json", json_bytes(_TOLD))]) for sample, _ in samples]
        annotations = _write(root, layer_shard(ANNOTATIONS, stem), told)
        rows += [
            _index_row(sample, members, base, {"column": ANNOTATIONS, **beside})
            for (sample, members), base, beside in zip(samples, bases, annotations, strict=True)
        ]
    columns = {name: _column(name) for name in ("clip", "whisper")}
    state = State(
        state=1,
        options={},
        columns=columns,
        layers={BASE: sorted(columns), ANNOTATIONS: []},
        next_shard=len({row["shard"] for row in rows}),
        index=Parts(str(root)).with_samples([], rows, {}),
    )
    (root / STATES).mkdir()
    (root / state_name(1)).write_bytes(state.to_bytes())
    write_derived(str(root), state)


_TALK = [{"from": "human", "value": "what is this?"}, {"from": "gpt", "value": "a clip"}]
_TOLD = {"conversations": json.dumps([_TALK]), "metadata": "{}"}
Members = list[tuple[str, bytes]]


def _write(root: Path, name: str, samples: list[tuple[Sample, Members]]) -> list[Row]:
    """Extents."""
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    with (root / name).open("wb") as stream:
        writer = ShardWriter(stream)
        extents = [writer.add(sample.key, members) for sample, members in samples]
        writer.finish()
    return [{"shard": name, **asdict(extent), "content": extent.sha256} for extent in extents]


def _column(name: str) -> Column:
    modality = "audio" if name == "whisper" else "video"
    said = {"model": "random", "untrained": True, "fingerprint": "0" * 64, "weights": "", "preprocessing": ""}
    return Column.model_validate(
        {"kind": name, "modality": modality, **said, "dtype": "float32", "options": {}}
    )


def _sample(shape: Shape, number: int, span: Span, random: np.random.Generator) -> tuple[Sample, Members]:
    shapes = {
        "clip": (shape.steps, shape.tokens, shape.visual_width),
        "whisper": (shape.steps, 25, shape.audio_width),
    }
    digests = {Modality.VIDEO: hashlib.sha256(str(number).encode()).hexdigest()}
    sample = Sample(
        key=sample_key(f"clip-{number:06d}", span, digests),
        id=f"clip-{number:06d}",
        span=span,
        steps=shape.steps,
        media={Modality.VIDEO: Source(f"clip-{number}.mp4", digests[Modality.VIDEO])},
        frame_times=[step / 2 for step in range(shape.steps)],
        audio_mask=[1] * shape.steps,
        visual_mask=[1] * shape.steps,
        features={column: Feature("0" * 64, size, "float16") for column, size in shapes.items()},
    )
    members = [("json", json_bytes(sample.to_json()))]
    for column, size in shapes.items():
        members.append((f"{column}.npy", npy_bytes(random.random(size, dtype=np.float32).astype(np.float16))))
    return sample, members


def _index_row(sample: Sample, members: Members, base: Row, beside: Row) -> Row:
    ends = list(accumulate(tar_bytes(len(content)) for _, content in members))
    features = [
        {"column": column, **asdict(sample.features[column]), "offset": start, "size": end - start}
        for column, start, end in zip(("clip", "whisper"), ends, ends[1:], strict=False)
    ]
    talk = {"key": sample.key, "number": 0, "id": sample.id, "input": sample.id}
    return {
        "key": sample.key,
        "id": sample.id,
        **base,
        "columns": [beside],
        "features": features,
        "members": "clip.npy+whisper.npy",
        "record": SAMPLE_VERSION,
        "head": ends[0],
        "steps": sample.steps,
        "start_ns": sample.span.start_ns,
        "end_ns": sample.span.end_ns,
        "audio_steps": sample.steps,
        "visual_steps": sample.steps,
        "conversations": 1,
        "modalities": ["video"],
        "uris": {"video": sample.media[Modality.VIDEO].uri},
        "digests": {"video": sample.media[Modality.VIDEO].sha256},
        "words": None,
        "language": None,
        "metadata": "{}",
        TALKS_OF: [{**talk, "turns": _TALK, "metadata": "{}"}],
    }


def cat(corpus: Corpus, shards: list[str]) -> int:
    """The bytes, as fast as the system gives them."""
    subprocess.run(["/bin/cat", *shards], stdout=subprocess.DEVNULL, check=True)
    return len(corpus)


def streaming(corpus: Corpus, shards: list[str]) -> int:
    """Decoded samples, shuffled."""
    return _touch(sample.features for sample in StreamingCorpus(corpus, Phase(1, 8, window_bytes=64 << 20)))


def streaming_in_batches(corpus: Corpus, shards: list[str]) -> int:
    """Samples paired and padded, as FAVOR trains on them."""
    loader = CorpusLoader(corpus, 8, streaming=True, window_bytes=64 << 20, collate=Synchronise.of(corpus))
    return sum(_touch([{"audio": batch.audio, "visual": batch.visual}]) * len(batch) for batch in loader)


def plain_webdataset(corpus: Corpus, shards: list[str]) -> int:
    """Decoded samples, in order."""
    samples = wds.WebDataset(shards, shardshuffle=False).decode()
    return _touch({c: sample[f"{c}.npy"] for c in ("clip", "whisper")} for sample in samples)


def hugging_face_streaming(corpus: Corpus, shards: list[str]) -> int:
    """Decoded samples, in order; the first of them only, for want of patience."""
    import datasets

    rows = datasets.load_dataset("webdataset", data_files=shards, split="train", streaming=True)
    return _touch(
        {c: np.asarray(row[f"{c}.npy"]) for c in ("clip", "whisper")} for row in rows.take(len(corpus) // 20)
    )


def _touch(samples: Any) -> int:
    count, total = 0, 0.0
    for features in samples:
        count += 1
        total += sum(float(array.reshape(-1)[0]) for array in features.values())
    return count if total == total else 0


def random_access(corpus: Corpus, order: list[int]) -> int:
    """Decoded samples from anywhere."""
    dataset = CorpusDataset(corpus)
    return _touch(dataset[index].features for index in order)


Rounds = dict[str, list[tuple[float, float]]]


def rounds(readers: Mapping[str, Callable[[], int]], count: int) -> Rounds:
    """Seconds and CPU seconds a sample of every reader's rounds; one round before, to warm up."""
    taken: Rounds = {name: [] for name in readers}
    for number in range(count + 1):
        for name, reader in told(f"round {number} of {count}, reader", readers.items(), lambda pair: pair[0]):
            began, cpu = time.perf_counter(), _cpu_seconds()
            read = reader()
            took, cpu = time.perf_counter() - began, _cpu_seconds() - cpu
            if number:
                taken[name].append((took / read, cpu / read))
    return taken


def _cpu_seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def stream_rates(folder: Path, shape: Shape, count: int) -> Iterator[str]:
    """Table rows of every reader; the share of `cat` is compared round by round."""
    write_corpus(folder, shape)
    corpus, shards = open_corpus(folder), sorted(str(path) for path in (folder / "shards").iterdir())
    total = sum(os.path.getsize(shard) for shard in shards)  # noqa: PTH202
    readers = {
        "`cat`": cat,
        "`StreamingCorpus`, shuffled": streaming,
        "`CorpusLoader(streaming=True)`, FAVOR batches of 8": streaming_in_batches,
        "webdataset 1.0, `.decode()`": plain_webdataset,
        "Hugging Face datasets, streaming": hugging_face_streaming,
    }
    taken = rounds({name: partial(reader, corpus, shards) for name, reader in readers.items()}, count)
    yield f"\n{shape.name}: {shape.samples} samples, {total / 1e6:.0f} MB in {len(shards)} shards.\n"
    yield "| reader | MB/s | samples/s | GB a CPU second | of `cat`, clock | of `cat`, CPU |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    for name, seconds in taken.items():
        clock, cpu = (statistics.median(column) for column in zip(*seconds, strict=True))
        pairs = list(zip(taken["`cat`"], seconds, strict=True))
        shares = [statistics.median(theirs[of] / ours[of] for theirs, ours in pairs) for of in (0, 1)]
        size = total / shape.samples
        rates = f"{size / 1e6 / clock:,.0f} | {1 / clock:,.0f} | {size / 1e9 / cpu:.2f}"
        yield f"| {name} | {rates} | {shares[0]:.2f} | {shares[1]:.2f} |"


def random_rates(folder: Path, shape: Shape, count: int, reads: int = 2000) -> Iterator[str]:
    """Table rows: reads a second of samples anywhere in the corpus."""
    import datasets

    corpus = open_corpus(folder)
    order = np.random.default_rng(1).integers(len(corpus), size=reads).tolist()
    shards = sorted(str(path) for path in (folder / "shards").iterdir())
    arrow = datasets.load_dataset(
        "webdataset", data_files=shards, split="train", cache_dir=str(folder / "arrow")
    )

    def hugging_face() -> int:
        rows = (arrow[index] for index in order[: reads // 10])
        return _touch({c: np.asarray(row[f"{c}.npy"]) for c in ("clip", "whisper")} for row in rows)

    taken = rounds({"ours": lambda: random_access(corpus, order), "theirs": hugging_face}, count)
    ours, theirs = (1 / statistics.median(clock for clock, _ in taken[name]) for name in ("ours", "theirs"))
    yield f"\nRandom access, {shape.name}: {folder_bytes(folder) / shape.samples / 1e3:.0f} kB a sample.\n"
    yield "| reader | reads/s |"
    yield "| --- | ---: |"
    yield f"| `CorpusDataset[i]` | {ours:,.0f} |"
    yield f"| Hugging Face datasets (Arrow, after its conversion) | {theirs:,.0f} |"
    yield "| webdataset | none |"


def folder_bytes(folder: Path) -> int:
    """Size of a corpus's shards."""
    return sum(path.stat().st_size for path in (folder / "shards").iterdir())


def main() -> None:
    """Measures and prints the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loading", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", type=Path, help="also write the page")
    options = parser.parse_args()
    torch.set_num_threads(1)
    text = str(__doc__).partition("--write docs/loading.md\n\n")[2]
    lines = [
        "# Reading a corpus",
        "",
        f"Made by `python -m benchmarks.loading --write docs/loading.md`. {text}",
    ]
    with tempfile.TemporaryDirectory() as folder:
        for shape in (LARGE, SMALL):
            lines += list(stream_rates(Path(folder, shape.name), shape, options.rounds))
        lines += list(random_rates(Path(folder, SMALL.name), SMALL, options.rounds))
    print("\n".join(lines))
    if options.write:
        options.write.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
