"""What a job counts. Every runner's page shows it, and a monitor can read it, under `favor-data`."""

from __future__ import annotations

from collections import Counter
from typing import Any

from apache_beam.metrics import Metrics

NAMESPACE = "favor-data"
INPUTS_DONE = "inputs_done"
INPUTS_REJECTED = "inputs_rejected"  # one a reason: inputs_rejected_not_media
SAMPLES, SHARDS, BYTES = (
    "samples",
    "shards",
    "bytes",
)  # written by this job; bytes of samples, as in the index
CACHE_HITS, CACHE_MISSES = "cache_hits", "cache_misses"  # products that samples want
EXTRA_WINDOWS = "extra_windows"  # of sound, encoded for its words alone
MICROSECONDS = "_micro_secs"  # ends the name of a counter of time, as RunInference's do


def count(name: str, by: int = 1) -> None:
    """Adds to a counter of the step that calls it."""
    Metrics.counter(NAMESPACE, name).inc(by)


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
