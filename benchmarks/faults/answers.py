"""What an object store can answer, at the n-th request of a build whose media and corpus lie there.

    python -m benchmarks.faults.answers --one-in 10 --seed 1

As benchmarks.faults: 0 and the bytes of a build that nobody disturbed, or 3 and one line, nothing settled;
the same command ends in those bytes when the store is well again.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.faults.trial import of_the_exit, rejected
from benchmarks.kills.points import unsalted
from benchmarks.kills.runs import Said, command, start
from benchmarks.kills.scenes import World
from benchmarks.kills.stores import BUCKET, Application, Store, client, loopback
from benchmarks.progress import told

WAITS_S = 1.0  # the client, for an answer
KINDS = ("500", "slow", "cut")
_ASIDE = {"cache", "builds", "claims", ".tmp"}
Trial = tuple[str, int, bool]  # a kind, the first request of it, and whether it lasts


class Spoiler:
    """A WSGI application before the server, which spoils its n-th answer, or all from there on."""

    def __init__(self, inner: Application) -> None:
        self._inner = inner
        self.begin()

    def begin(self, kind: str = "", number: int = 0, for_good: bool = False) -> None:
        """Counts from 1 again; without a kind all is well."""
        self._kind, self._number, self._for_good, self.count = kind, number, for_good, 0

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        self.count += 1
        due = self.count >= self._number if self._for_good else self.count == self._number
        if self._kind == "500" and due:
            start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
            return [b""]
        if self._kind == "slow" and due:
            time.sleep(3 * WAITS_S)
        if self._kind == "cut" and due:
            return self._cut(environ, start_response)
        return self._inner(environ, start_response)

    def _cut(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        """All of its headers, and half of its body."""
        content = b"".join(self._inner(environ, start_response))
        yield content[: len(content) // 2]


@dataclass(frozen=True)
class Ring:
    """A store, and what becomes of its answers."""

    store: Store
    spoiler: Spoiler
    argv: tuple[str, ...]

    def contents(self, name: str) -> dict[str, bytes]:
        """Of a corpus, as benchmarks.kills.points has them, without the lease and the claims of a build whose
        store went away: on a store they end by their age."""
        self.spoiler.begin()
        found, asked = {}, client(self.store.environ)
        for page in asked.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{name}/"):
            for entry in page.get("Contents", []):
                path = entry["Key"].removeprefix(f"{name}/")
                if path.partition("/")[0] not in _ASIDE:
                    content = asked.get_object(Bucket=BUCKET, Key=entry["Key"])["Body"].read()
                    found[path] = unsalted(content) if path.startswith("states/") else content
        return found

    def build(self, name: str) -> Said:
        """Into this corpus."""
        argv = [f"{self.store.root}/{name}" if word == "OUT" else word for word in self.argv]
        said: Said | None = start(_hastily, argv, environ=self.store.environ).end()
        return said or Said(-1, "it died")

    def trial(self, trial: Trial, name: str, expected: dict[str, bytes]) -> tuple[int, list[str]]:
        """The exit status, and what is wrong then or after the same build of a store that is well."""
        self.spoiler.begin(*trial)
        said = self.build(name)
        wrong, found = of_the_exit(said), self.contents(name)
        if {path for path in found if path.startswith("states/")} - expected.keys():
            wrong.append("a state that nobody asked for")
        if "ledger.parquet" in found:
            wrong += rejected(found["ledger.parquet"])
        if said.status or found != expected:
            again, found = self.build(name), self.contents(name)
            wrong += [f"afterwards: exit {again.status}: {again.text[-1500:]}"] if again.status else []
        names = sorted(found.keys() | expected.keys())
        wrong += [f"{path} differs" for path in names if found.get(path) != expected.get(path)]
        return said.status, wrong


def _hastily(argv: Sequence[str]) -> Said:
    """The command, of clients that wait for seconds only."""
    from storage import clients, files, objects

    clients.ANSWER_S = WAITS_S  # type: ignore[assignment]
    objects.PATIENCE_S = files._FIRST_CONTACT_S = 4 * WAITS_S
    return command(argv)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--one-in", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    ended: Counter[tuple[str, int]] = Counter()
    failed = 0
    spoilers: list[Spoiler] = []

    def spoil(inner: Application) -> Spoiler:
        spoilers.append(Spoiler(inner))
        return spoilers[0]

    with tempfile.TemporaryDirectory(prefix="favor-data-answers-") as temporary, loopback(spoil) as store:
        world = World(Path(temporary) / "world")
        media = store.place(world.folder / "media", "media")
        ring = Ring(store, spoilers[0], tuple(f"{media}/" if "rows" in w else w for w in world.build()))
        ring.spoiler.begin()
        assert ring.build("whole").status == 0
        requests, expected = ring.spoiler.count, ring.contents("whole")
        every = list(itertools.product(KINDS, range(1, requests + 1), (False, True)))
        chosen = random.Random(arguments.seed).sample(every, -(-len(every) // arguments.one_in))
        print(f"{requests} requests, {len(every)} faults, {len(chosen)} of them made", flush=True)
        for number, trial in enumerate(told("fault", chosen)):
            status, wrong = ring.trial(trial, f"trial{number}", expected)
            ended[trial[0], status] += 1
            failed += bool(wrong)
            if wrong:
                print(trial, *wrong, sep="\n    ", flush=True)
    print("\n| answer | made | ended 0 | ended 3 |\n|---|---:|---:|---:|")
    for kind in KINDS:
        made = sum(count for (of, _), count in ended.items() if of == kind)
        print(f"| {kind} | {made} | {ended[kind, 0]} | {ended[kind, 3]} |")
    print(f"{failed} of {len(chosen)} otherwise")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
