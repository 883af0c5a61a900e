"""What a job counts. Every runner's page shows it, and a monitor can read it, under `favor-data`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from apache_beam.metrics import Metrics

from decoders.processes.isolation import Level
from decoders.processes.process import newly_isolated

NAMESPACE = "favor-data"
INPUTS_DONE = "inputs_done"
INPUTS_REJECTED = "inputs_rejected"  # one a reason: inputs_rejected_not_media
SAMPLES, SHARDS, BYTES = (
    "samples",
    "shards",
    "bytes",
)  # written by this job; bytes of samples, as in the index
CACHE_HITS, CACHE_MISSES = "cache_hits", "cache_misses"  # products that samples want
PLANNED_MS, DONE_MS = "media_planned_ms", "media_done_ms"  # of media that this job encodes
EXTRA_WINDOWS = "extra_windows"  # of sound, encoded for its words alone
ISOLATION = "decoders_isolation_"  # decoding processes that began: …on, …in_part, …off (docs/security.md)
MICROSECONDS = "_micro_secs"  # ends the name of a counter of time, as RunInference's do


def count(name: str, by: int = 1) -> None:
    """Adds to a counter of the step that calls it."""
    Metrics.counter(NAMESPACE, name).inc(by)


def count_isolation() -> None:
    """What the decoding processes of this machine have said since the last call."""
    for (level, _), processes in newly_isolated().items():
        count(ISOLATION + level.replace(" ", "_"), processes)


def isolation(counters: Mapping[str, int]) -> dict[str, int]:
    """Level -> decoding processes of a job, out of what it counted."""
    found = {level: counters.get(ISOLATION + level.replace(" ", "_"), 0) for level in Level}
    return {str(level): processes for level, processes in found.items() if processes}


def rejected(reason: str) -> str:
    """The counter of inputs rejected for a reason."""
    return f"{INPUTS_REJECTED}_{reason}"


def counted(result: Any) -> Counter[str]:
    """Every counter of a job that has ended, summed over its steps; those of time left out."""
    sums: Counter[str] = Counter()
    for counter in result.metrics().query()["counters"]:
        metric = counter.key.metric
        if metric.namespace == NAMESPACE and not metric.name.endswith(MICROSECONDS):
            sums[metric.name] += counter.result or 0  # Prism: None
    return sums
