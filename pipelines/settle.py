"""After a commit: the files for people, what can be swept, what the cache need not hold any more."""

from __future__ import annotations

import json
import platform
import uuid
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version

from pipelines.build import Build
from pipelines.metrics.counters import isolation
from pipelines.products import STREAM_OF, Products
from pipelines.states.commit import latest, undisturbed
from pipelines.states.derived import ensure_derived
from pipelines.states.migrate import sweep_version_1
from pipelines.states.parts import Parts
from pipelines.states.sweep import sweep
from pipelines.storage.cache import Cache
from schemas.corpus import CACHE_NAME
from schemas.features import INT8
from schemas.grid import Span
from schemas.rows import Row
from schemas.state import BUILDS, State
from storage import files

FEATURES = ("npy", INT8, "tar", "flac", "signals")  # suffixes of cache entries that shards hold too
LIBRARIES = ("favor-data", "apache-beam", "av", "decord", "numpy", "openai-whisper", "pillow",
             "silero-vad", "torch", "torchaudio", "transformers", "webdataset")  # fmt: skip


@dataclass(frozen=True)
class Around:
    """What there is around a corpus: small, for it travels to the worker that commits."""

    output: str
    cache: Cache
    products: Products
    parent: State | None

    @classmethod
    def of(cls, build: Build) -> Around:
        return cls(build.output, build.cache, build.products, build.parent)


def settle(
    build: Around,
    seconds: Mapping[str, float],
    counters: Mapping[str, int] | None = None,
    own: Collection[str] = (),
) -> State | None:
    """The present state, with everything around it in order. Killed in between, the next command goes on.

    Args:
        seconds: by stage; empty where nothing ran.
        counters: pipelines/metrics/counters.py says which.
        own: the caller's files in `.tmp`: while they are there nobody takes what it sweeps for a fault.
    """
    if seconds and (state := latest(build.output)):
        _note(build.output, state, seconds, counters or {})
    return undisturbed(build.output, partial(_in_order, build, own))


def _in_order(build: Around, own: Collection[str]) -> State | None:
    if (state := latest(build.output)) is not None:
        ensure_derived(build.output, state)
        migrated = sweep_version_1(build.output)
        _let_go(build, state, None if migrated else build.parent)
        sweep(build.output, own=own)
        files.sweep(build.cache.root)
    return state


def _note(output: str, state: State, seconds: Mapping[str, float], counters: Mapping[str, int]) -> None:
    """When a build ran, how long, with what: outside of all that is compared."""
    said = {
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "state": state.state,
        "media_seconds": state.media_seconds,
        "seconds": dict(seconds),
        "counters": dict(sorted(counters.items())),
        "isolation": isolation(counters),
        "libraries": dict(_libraries()),
    }
    name = f"{state.state:06d}-{uuid.uuid4().hex[:8]}.json"
    files.put(files.join(output, BUILDS, name), (json.dumps(said, indent=2) + "\n").encode(), output)


def _libraries() -> Iterator[tuple[str, str]]:
    yield "python", platform.python_version()
    for name in LIBRARIES:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            continue


def _let_go(build: Around, state: State, before: State | None) -> None:
    """Features lie once: those of samples committed since `before` leave the corpus's own cache."""
    if build.cache.root != files.join(build.output, CACHE_NAME):
        return
    known = {part.table for part in before.index} if before else set()
    if known.issuperset(part.table for part in state.index):
        return
    held = {
        path.rpartition("/")[2]: path for path in files.listing(build.cache.root) if path.endswith(FEATURES)
    }
    parts = Parts(build.output)
    doomed = {
        held[name]
        for part in state.index
        if part.table not in known
        for row in parts.index(part)
        for name in entries_of(row, build.products)
        if name in held
    }
    files.delete_many(sorted(doomed))


def entries_of(row: Row, products: Products) -> Iterator[str]:
    """Names of the cache entries that a sample was made of."""
    span = Span(row["start_ns"], row["end_ns"])
    for modality, stream in STREAM_OF.items():
        if sha256 := row["digests"][str(modality)]:
            for product in products.of(stream):
                for made in (product, product.with_sound()) if product.full else (product,):
                    yield f"{products.key(sha256, stream, span, made)}.{product.suffix}"
