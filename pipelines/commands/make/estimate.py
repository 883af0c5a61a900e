"""`favor-data estimate`: what a corpus of any size takes, from a small one built on the same machines."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipelines.commands.parser import Parser
from pipelines.errors import UsageError
from pipelines.states.commit import latest
from pipelines.storage.sources import read_sources
from schemas.corpus import INDEX_NAME
from schemas.grid import ns_to_seconds
from schemas.manifest import InputRow
from schemas.state import BUILDS
from storage import files

SHUFFLED = 10_000  # bytes a sample at most; tests/runners/test_shuffle.py holds the job to it
ROW_MEMORY = 5_000  # bytes of one sample in the one worker that writes index and ledger; measured: 3,200
FINISH_MEMORY = 16e9  # bytes that worker should have


@dataclass(frozen=True)
class Pilot:
    """What a built corpus tells about the next one: everything a second or a sample of media."""

    media_s: float
    build_s: float
    stages_s: dict[str, float]
    inputs: int
    samples: int
    shard_bytes: int
    index_bytes: int
    shard_limit: int

    @classmethod
    def of(cls, corpus: str) -> Pilot:
        """Raises:
        UsageError: no corpus, an empty one, or one whose build did not record its time.
        """
        state = latest(corpus)
        if state is None:
            raise UsageError(f"{corpus} holds no corpus: build a small one first, on such a machine")
        notes = files.listing(files.join(corpus, BUILDS))
        seconds = json.loads(files.read_bytes(max(notes)))["seconds"] if notes else {}
        build, counts = seconds.pop("build", 0.0), state.counts
        if not build or not counts["done"] or len(notes) > 1:
            raise UsageError(f"{corpus} says nothing of speed: build it anew, into an empty folder")
        return cls(
            media_s=state.media_seconds,
            build_s=build,
            stages_s=seconds,
            inputs=counts["done"],
            samples=counts["samples"],
            shard_bytes=counts["bytes"],
            index_bytes=files.entry(files.join(corpus, INDEX_NAME)).size,
            shard_limit=int(state.options["shard_bytes"]),
        )

    @property
    def bottleneck(self) -> str:
        """The stage that the others wait for."""
        decoding = self.stages_s.get("wait for decoder", 0.0)
        encoding = sum(spent for stage, spent in self.stages_s.items() if stage.startswith("encode "))
        if not decoding and not encoding:
            return "unknown: the pilot's engine reported no stages"
        if decoding + encoding < self.build_s / 2:
            return "the start of the job: the pilot is too short to tell; take one that runs ten minutes"
        if decoding > encoding:
            return f"decoding (encoders waited {decoding:.0f} s and worked {encoding:.0f} s): add CPU cores"
        return f"the encoders (worked {encoding:.0f} s, waited {decoding:.0f} s): add GPUs"


def run(arguments: Sequence[str]) -> int:
    """Prints the estimate; exit status 0.

    Raises:
        UsageError: unusable arguments.
    """
    asked = _parser().parse_args(list(arguments))
    pilot = Pilot.of(files.absolute(asked.pilot))
    rows = list(read_sources(asked.sources, "")) if asked.sources else []
    if bool(rows) == (asked.hours is not None):
        raise UsageError("give either SOURCEs or --hours")
    hours, how = (asked.hours, "as asked") if asked.hours is not None else hours_of(rows, pilot)
    needed = estimate(pilot, hours)
    print(f"  {'media':<18}{hours:,.1f} h: {how}")
    told = [*lines(pilot, needed, asked.machines), *prices(needed, asked.machine_price, asked.storage_price)]
    for name, text in told:
        print(f"  {name:<18}{text}")
    return 0


def _parser() -> Parser:
    parser = Parser(prog="favor-data estimate", description=__doc__, allow_abbrev=False)
    parser.add_argument("pilot", metavar="PILOT", help="a corpus built with the same options")
    parser.add_argument("sources", nargs="*", metavar="SOURCE", help="what is to be built, as for build")
    parser.add_argument("--hours", type=float, help="hours of media, instead of SOURCEs")
    parser.add_argument("--machines", type=int, default=1, help="machines such as the pilot's (%(default)s)")
    parser.add_argument("--machine-price", type=float, metavar="P", help="of one machine for an hour")
    parser.add_argument("--storage-price", type=float, metavar="P", help="of a GB (10^9 bytes) for a month")
    return parser


def hours_of(rows: Sequence[InputRow], pilot: Pilot) -> tuple[float, str]:
    """Hours of media, and how they were found: spans where a row has both ends, else the pilot's mean."""
    spans = [ns_to_seconds(row.end_ns - (row.start_ns or 0)) for row in rows if row.end_ns is not None]
    mean = pilot.media_s / pilot.inputs
    others = len(rows) - len(spans)
    return (sum(spans) + others * mean) / 3600, (
        f"{len(spans):,} spans of {sum(spans) / 3600:,.1f} h, {others:,} whole files at the pilot's "
        f"{mean:.1f} s each"
    )


@dataclass(frozen=True)
class Estimate:
    """What `hours` of media take; `corpora`: how many to split them into, by the memory of one worker."""

    hours: float
    machine_hours: float
    stage_hours: dict[str, float]
    samples: int
    shards: int
    shard_bytes: float
    index_bytes: float
    shuffled_bytes: int
    corpora: int


def estimate(pilot: Pilot, hours: float) -> Estimate:
    """Everything grows with the media's length."""
    times = 3600 * hours / pilot.media_s
    samples = math.ceil(times * pilot.samples)
    return Estimate(
        hours=hours,
        machine_hours=times * pilot.build_s / 3600,
        stage_hours={stage: times * spent / 3600 for stage, spent in pilot.stages_s.items()},
        samples=samples,
        shards=math.ceil(times * pilot.shard_bytes / pilot.shard_limit),
        shard_bytes=times * pilot.shard_bytes,
        index_bytes=times * pilot.index_bytes,
        shuffled_bytes=samples * SHUFFLED,
        corpora=max(1, math.ceil(samples * ROW_MEMORY / FINISH_MEMORY)),
    )


def lines(pilot: Pilot, needed: Estimate, machines: int) -> Iterator[tuple[str, str]]:
    """(what, how much and why)."""
    speed, hours = pilot.media_s / pilot.build_s, f"{needed.hours:,.1f} h"
    days = needed.machine_hours / machines / 24
    yield "pilot", f"{pilot.media_s:,.0f} s of media in {pilot.build_s:,.0f} s: {speed:.2f} a second"
    yield (
        "machines",
        f"{hours} / {speed:.2f} = {needed.machine_hours:,.1f} h; on {machines:,}: {days:,.1f} days",
    )
    for stage, spent in needed.stage_hours.items():
        rate = pilot.stages_s[stage] / pilot.media_s
        yield stage, f"{rate:.4f} s a second x {hours} = {spent:,.1f} h"
    yield "samples", f"{needed.samples:,}, of {pilot.media_s / pilot.samples:.1f} s"
    gigabytes = 3.6e-6 * pilot.shard_bytes / pilot.media_s
    yield (
        "shards",
        f"{gigabytes:.3f} GB an hour x {hours} = {needed.shard_bytes / 1e9:,.1f} GB: {needed.shards:,} files",
    )
    yield "cache", "as much again until it is pruned"
    yield "index", f"{needed.index_bytes / 1e9:,.3f} GB"
    shuffled = needed.shuffled_bytes / 1e9
    yield "shuffle", f"{needed.samples:,} samples x at most {SHUFFLED / 1e3:.0f} kB = {shuffled:,.1f} GB"
    split = (
        f"into {needed.corpora:,} corpora that share a --cache"
        if needed.corpora > 1
        else "one corpus will do"
    )
    memory = f"{ROW_MEMORY / 1e3:.0f} kB a sample, {FINISH_MEMORY / 1e9:.0f} GB"
    yield "split", f"{split}: the worker that writes the index holds {memory}"
    yield "slowest", pilot.bottleneck


def prices(needed: Estimate, machine: float | None, gigabyte: float | None) -> Iterator[tuple[str, str]]:
    """(what, cost) of each price given."""
    if machine is not None:
        cost = needed.machine_hours * machine
        yield "cost", f"{needed.machine_hours:,.1f} machine-hours x {machine:g} = {cost:,.0f}"
    if gigabyte is not None:
        stored = needed.shard_bytes / 1e9
        yield "storage", f"{stored:,.1f} GB of shards x {gigabyte:g} = {stored * gigabyte:,.0f} a month"
