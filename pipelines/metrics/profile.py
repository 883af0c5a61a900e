"""Where a build's time goes, by stage: Beam counters, summed over workers, read when the job has ended."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from featurizers.running.sharing import LOAD_METRIC
from pipelines.metrics.counters import MICROSECONDS, NAMESPACE, count

_ENCODE = "inference_batch_latency_micro_secs"  # RunInference's own


@contextmanager
def timed(stage: str) -> Iterator[None]:
    """Adds the block's wall-clock time to a stage's counter."""
    start = time.perf_counter()
    try:
        yield
    finally:
        count(stage.replace(" ", "_") + MICROSECONDS, round(1e6 * (time.perf_counter() - start)))


def encoder_namespace(column: str) -> str:
    """Where RunInference counts a column's time."""
    return f"{NAMESPACE}.{column}"


def seconds_by_stage(result: Any) -> dict[str, float]:
    """Stage -> seconds of all workers: "probe", "wait for decoder", "load COLUMN", "encode COLUMN", "keep",
    "cache", "shards"."""
    found = result.metrics().query()
    seconds: dict[str, float] = {}
    for counter in found["counters"]:
        metric = counter.key.metric
        prefix, _, column = metric.namespace.partition(f"{NAMESPACE}.")
        if metric.namespace == NAMESPACE and metric.name.endswith(MICROSECONDS):
            stage = metric.name.removesuffix(MICROSECONDS).replace("_", " ")
            seconds[stage] = seconds.get(stage, 0.0) + (counter.result or 0) / 1e6
        elif metric.name == LOAD_METRIC and not prefix:
            # The first batch waits for the weights.
            for stage, sign in ((f"load {column}", 1), (f"encode {column}", -1)):
                seconds[stage] = seconds.get(stage, 0.0) + sign * (counter.result or 0) / 1e6
    for distribution in found["distributions"]:
        prefix, _, column = distribution.key.metric.namespace.partition(f"{NAMESPACE}.")
        if distribution.key.metric.name == _ENCODE and not prefix and column:
            stage = f"encode {column}"
            seconds[stage] = seconds.get(stage, 0.0) + distribution.result.sum / 1e6
    return {name: round(value, 3) for name, value in sorted(seconds.items())}
