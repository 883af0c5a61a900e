"""Where a build's time goes, by stage: Beam counters, summed over workers, read when the job has ended."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from apache_beam.metrics import Metrics

NAMESPACE = "favor-data"
# What Beam's RunInference keeps, a namespace a column: metric -> (what we call it, its unit in seconds).
_DISTRIBUTIONS = {
    "inference_batch_latency_micro_secs": ("encode", 1e-6),
    "load_model_latency_milli_secs": ("load", 1e-3),
}


@contextmanager
def timed(stage: str) -> Iterator[None]:
    """Adds the block's wall-clock time to a stage's counter."""
    start = time.perf_counter()
    try:
        yield
    finally:
        Metrics.counter(NAMESPACE, stage).inc(round(1e6 * (time.perf_counter() - start)))


def encoder_namespace(column: str) -> str:
    """Where RunInference counts a column's time."""
    return f"{NAMESPACE}.{column}"


def seconds_by_stage(result: Any) -> dict[str, float]:
    """Stage -> seconds of all workers: "probe", "wait for decoder", "load COLUMN", "encode COLUMN", "keep",
    "cache", "shards"."""
    found = result.metrics().query()
    seconds: dict[str, float] = {}
    for counter in found["counters"]:
        if counter.key.metric.namespace == NAMESPACE:
            name = counter.key.metric.name
            seconds[name] = seconds.get(name, 0.0) + counter.result / 1e6
    for distribution in found["distributions"]:
        prefix, _, column = distribution.key.metric.namespace.partition(f"{NAMESPACE}.")
        known = _DISTRIBUTIONS.get(distribution.key.metric.name)
        if known and not prefix and column:
            name, unit = f"{known[0]} {column}", known[1]
            seconds[name] = seconds.get(name, 0.0) + unit * distribution.result.sum
    return {name: round(value, 3) for name, value in sorted(seconds.items())}
