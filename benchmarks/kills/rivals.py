"""Two at once on one corpus, from random moments on: nothing lost, nothing mixed, no false alarm.

    python -m benchmarks.kills.rivals --rounds 50

Each meeting ends with a build that names everything: then every sample must be there once, with the features
of a corpus that nobody disturbed, and verify must find nothing.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.kills.runs import Said, Started, command, start
from benchmarks.kills.scenes import World, placed
from benchmarks.kills.stores import Store, loopback
from benchmarks.progress import say

FILMS = ("media/0.png", "media/1.png", "media/film.mp4")
MORE = "media/2.png"
AT_WORK = "a build is at work"
SWEPT = "open it again"
Samples = dict[str, dict[str, bytes]]
STOPPED_S = 120.0
READINGS = (
    ("list", "OUT"),
    ("list", "OUT", "--urls"),
    ("status", "OUT"),
    ("report", "OUT", "--samples", "2", "--output", "{new}.html"),
    ("show", "OUT", "film.mp4", "--output", "{new}.png"),
    ("select", "OUT", "--where", "steps > 0", "--output", "{new}.jsonl"),
    ("duplicates", "OUT", "--output", "{new}.parquet"),
    ("card", "OUT"),
)


@dataclass(frozen=True)
class Ring:
    """What the rivals meet with.

    Attributes:
        begun: a corpus of FILMS; `taken`: the same, one of them removed.
        whole: every sample of FILMS and MORE, with both columns.
        length: seconds that a build takes.
    """

    world: World
    begun: Path
    taken: Path
    whole: Samples
    length: float

    @classmethod
    def of(cls, world: World) -> Ring:
        cache = "--cache", str(world.folder / "cache")
        whole = world.made("whole", None, world.build(*world.second(), *cache, sources=(*FILMS, MORE)))
        began = time.monotonic()
        begun = world.made("begun", None, world.build(*cache, sources=FILMS))
        length = time.monotonic() - began
        taken = world.made("taken", begun, ("remove", "OUT", str(world.folder / FILMS[0])))
        return cls(world, begun, taken, start(samples, str(whole), None).end(), length)

    def build(self, *sources: str, second: bool = False, warm: bool = True) -> tuple[str, ...]:
        """The command; `warm`: every feature lies in a cache, so that most of the build is its last steps."""
        cache = ("--cache", str(self.world.folder / "cache")) if warm else ()
        return self.world.build(*(self.world.second() if second else ()), *cache, sources=sources)


@dataclass(frozen=True)
class Meeting:
    """One corpus, and when its rivals begin."""

    ring: Ring
    store: Store
    name: str
    chance: random.Random

    @property
    def output(self) -> str:
        return f"{self.store.root}/{self.name}"

    def begin(self, folder: Path | None) -> None:
        """What lies there before."""
        if folder is not None:
            self.store.place(folder, self.name)

    def start(self, *argv: str, function: Callable[..., object] = command) -> Started:
        """One rival, now."""
        words = [self.output if word == "OUT" else word for word in argv]
        return start(function, words, environ=self.store.environ)

    def wait(self) -> None:
        """A random part of a build."""
        time.sleep(self.chance.random() * self.ring.length)

    def both(self, one: Sequence[str], other: Sequence[str]) -> list[Said]:
        """Two commands: which begins first, and how long before, is chance."""
        order = [one, other]
        swap = self.chance.random() < 0.5
        started = [self.start(*(order[swap]))]
        self.wait()
        started.append(self.start(*(order[not swap])))
        ended = [process.end() for process in started]
        return ended[::-1] if swap else ended

    def after(self, *sources: str, second: bool = False, but: Sequence[str] = ()) -> list[str]:
        """What is wrong once a build has named all of these.

        Args:
            but: those that were removed.
        """
        wrong: list[str] = start(
            _after,
            placed(self.ring.build(*sources, second=second), Path("OUT")),
            self.output,
            {Path(source).name for source in sources if source not in but},
            {"clip", "wide"} if second else {"clip"},
            self.ring.whole,
            environ=self.store.environ,
        ).end()
        return wrong


def samples(output: str, state: str | None) -> Samples:
    """Id -> what a loader gives: features, masks, conversations, as bytes; every sample once."""
    from loaders.corpus import open_corpus
    from loaders.dataset import CorpusDataset

    dataset = CorpusDataset(open_corpus(output, state=state), verify=True)
    return dict(_read(dataset[at]) for at in range(len(dataset)))


def _read(sample: object) -> tuple[str, dict[str, bytes]]:
    found = {name: tensor.numpy().tobytes() for name, tensor in sample.features.items()}  # type: ignore[attr-defined]
    return sample.id, found  # type: ignore[attr-defined]


def _after(argv: list[str], output: str, names: set[str], columns: set[str], whole: Samples) -> list[str]:
    from loaders.opening import CorpusError

    said = command([output if word == "OUT" else word for word in argv])
    wrong = [f"the last build: exit {said.status}: {said.text[-1500:]}"] if said.status else []
    said = command(["verify", output])
    wrong += [f"verify: {line}" for line in said.text.splitlines()] if said.status else []
    try:
        found = samples(output, None)
    except CorpusError as error:
        return [*wrong, f"it cannot be read: {error}"]
    if found.keys() != names:
        wrong.append(f"samples {sorted(found)}, wanted {sorted(names)}")
    for name, made in found.items():
        if made != {column: data for column, data in whole[name].items() if column in columns}:
            wrong.append(f"{name}: features are not its own, or columns {sorted(made)}")
    return wrong


def failed(said: Sequence[Said | None], *allowed: str) -> list[str]:
    """Those that ended badly, but for what may be said."""
    return [
        f"exit {one.status if one else 'by a signal'}: {one.text[-1500:] if one else ''}"
        for one in said
        if one is None or (one.status and not any(text in one.text for text in allowed))
    ]


def same_inputs(meeting: Meeting) -> list[str]:
    """Two builds of the same."""
    meeting.begin(meeting.chance.choice([None, meeting.ring.begun]))
    build = meeting.ring.build(*FILMS, MORE)
    return failed(meeting.both(build, build)) + meeting.after(*FILMS, MORE)


def disjoint_inputs(meeting: Meeting) -> list[str]:
    """Two builds that share nothing but the corpus."""
    meeting.begin(None)
    said = meeting.both(meeting.ring.build(*FILMS), meeting.ring.build(MORE))
    return failed(said) + meeting.after(*FILMS, MORE)


def overlapping_inputs(meeting: Meeting) -> list[str]:
    """Two builds that share two inputs."""
    meeting.begin(meeting.chance.choice([None, meeting.ring.begun]))
    said = meeting.both(meeting.ring.build(*FILMS), meeting.ring.build(*FILMS[1:], MORE))
    return failed(said) + meeting.after(*FILMS, MORE)


def build_and_prune(meeting: Meeting) -> list[str]:
    """A build that grows the corpus, and a prune of what was removed."""
    meeting.begin(meeting.ring.taken)
    said = meeting.both(meeting.ring.build(*FILMS, MORE), ("prune", "OUT"))
    wrong = failed(said, AT_WORK) + failed([meeting.start("prune", "OUT").end()])
    return wrong + meeting.after(*FILMS, MORE, but=FILMS[:1])


def build_and_cache_prune(meeting: Meeting) -> list[str]:
    """A build that makes a column, and a prune of the cache that it makes it in."""
    meeting.begin(meeting.ring.begun)
    build = meeting.ring.build(*FILMS, MORE, second=True, warm=False)
    return failed(meeting.both(build, ("cache", "prune", "OUT")), AT_WORK) + meeting.after(
        *FILMS, MORE, second=True
    )


def build_and_verify(meeting: Meeting) -> list[str]:
    """Verify again and again while a build makes another column."""
    meeting.begin(meeting.ring.begun)
    build = meeting.start(*meeting.ring.build(*FILMS, second=True))
    alarms = []
    while build.process.is_alive() and not build.answer.poll():
        alarms += failed([meeting.start("verify", "OUT").end()])
        time.sleep(meeting.chance.random())
    return alarms + failed([build.end()]) + meeting.after(*FILMS, second=True)


def build_and_readers(meeting: Meeting) -> list[str]:
    """Commands that only read, one after another, while shards and tables are replaced and swept."""
    meeting.begin(meeting.ring.begun)
    changes = [("pack", "OUT"), meeting.ring.build(*FILMS, MORE, second=True)]
    build = meeting.start(*meeting.chance.choice(changes))
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        for number in itertools.count():
            reading = meeting.chance.choice(READINGS)
            argv = [word.format(new=f"{folder}/{number}") for word in reading]
            wrong += failed([meeting.start(*argv).end()])
            if not build.process.is_alive() or build.answer.poll():
                break
    return wrong + failed([build.end()]) + meeting.after(*FILMS, MORE, second=True)


def build_and_loader(meeting: Meeting) -> list[str]:
    """A loader that reads on while the shards that it holds are replaced."""
    meeting.begin(meeting.ring.begun)
    loader = start(
        _load, meeting.output, 2 * meeting.ring.length, meeting.ring.whole, environ=meeting.store.environ
    )
    meeting.wait()
    wrong = failed([meeting.start("pack", "OUT").end()])
    wrong += loader.end()
    return wrong + meeting.after(*FILMS)


def _load(output: str, seconds: float, whole: Samples) -> list[str]:
    """What is wrong with what it reads; it opens the corpus again when it is told to."""
    from loaders.corpus import open_corpus
    from loaders.dataset import CorpusDataset
    from loaders.opening import CorpusError

    wrong, until = [], time.monotonic() + seconds
    dataset = CorpusDataset(open_corpus(output), verify=True)
    while time.monotonic() < until:
        try:
            found = dict(_read(dataset[at]) for at in range(len(dataset)))
        except CorpusError as error:
            if SWEPT not in str(error) or len(str(error).splitlines()) > 1:
                wrong.append(str(error))
            dataset = CorpusDataset(open_corpus(output), verify=True)
            continue
        for name in FILMS:
            key = Path(name).name
            if found.get(key, {}).get("clip") != whole[key]["clip"]:
                wrong.append(f"{key} is read as something else")
        time.sleep(0.05)
    return wrong


def zombie(meeting: Meeting) -> list[str]:
    """A build is stopped before its commit, another commits, the first goes on.

    Half of them are thought dead meanwhile: their lease goes, and what they wrote is swept.
    """
    meeting.begin(meeting.chance.choice([None, meeting.ring.begun]))
    with tempfile.TemporaryDirectory() as folder:
        mark = Path(folder) / "stopped"
        words = [meeting.output if word == "OUT" else word for word in meeting.ring.build(*FILMS, MORE)]
        stopped = start(_stop_before_commit, words, mark, environ=meeting.store.environ)
        deadline = time.monotonic() + STOPPED_S
        while not mark.exists() and stopped.process.is_alive() and time.monotonic() < deadline:
            time.sleep(0.05)
        wrong = [] if mark.exists() else ["it never came to its commit"]
    time.sleep(0.2)
    if meeting.chance.random() < 0.5:
        start(_bury, meeting.output, environ=meeting.store.environ).end()
    others = meeting.chance.choice([FILMS, (*FILMS, MORE), (MORE,)])
    wrong += failed([meeting.start(*meeting.ring.build(*others)).end()])
    if meeting.chance.random() < 0.5:
        wrong += failed([meeting.start(*meeting.ring.build(*others)).end()])  # nothing to do but sweep
    assert stopped.process.pid
    os.kill(stopped.process.pid, signal.SIGCONT)
    return wrong + failed([stopped.end()]) + meeting.after(*FILMS, MORE)


def _stop_before_commit(argv: list[str], mark: Path) -> Said:
    from storage import files

    create = files.create_if_absent

    def stop_once(uri: str, content: bytes, root: str | None = None) -> bool:
        if "/states/" in uri and not mark.parent.joinpath("once").exists() and not stopped:
            stopped.append(True)
            mark.write_bytes(b"")
            os.kill(os.getpid(), signal.SIGSTOP)
        return create(uri, content, root)

    stopped: list[bool] = []
    files.create_if_absent = stop_once
    return command(argv)


def _bury(output: str) -> None:
    from storage import files

    files.delete_many(sorted(files.listing(files.join(output, files.STAGING))))


MEETINGS: tuple[Callable[[Meeting], list[str]], ...] = (
    same_inputs, disjoint_inputs, overlapping_inputs, build_and_prune, build_and_cache_prune,
    build_and_verify, build_and_readers, build_and_loader, zombie,
)  # fmt: skip


def rounds(
    ring: Ring,
    stores: Sequence[Store],
    count: int,
    seed: int,
    kinds: Sequence[Callable[[Meeting], list[str]]],
) -> list[str]:
    """Every kind of meeting `count` times on each store; what was wrong, a line each."""
    chance = random.Random(seed)
    wrong, held = [], Counter[str]()
    for number in range(count):
        for store in stores:
            for meet in kinds:
                name = f"{meet.__name__}-{number}"
                found = meet(Meeting(ring, store, name, chance))
                wrong += [f"{store.root}/{name}: {line}" for line in found]
                held[meet.__name__] += not found
                print(
                    f"{store.root}/{name}:", "holds" if not found else "\n    ".join(["", *found]), flush=True
                )
                if not store.environ:
                    shutil.rmtree(f"{store.root}/{name}")
    print(", ".join(f"{name} {count}" for name, count in held.items()))
    return wrong


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=[], help="parts of the names of meetings (all)")
    parser.add_argument("--on", choices=("disk", "s3"), action="append", help="(both)")
    arguments = parser.parse_args()
    on = arguments.on or ["disk", "s3"]
    kinds = [
        meet for meet in MEETINGS if not arguments.only or any(p in meet.__name__ for p in arguments.only)
    ]
    with tempfile.TemporaryDirectory(prefix="favor-data-rivals-") as temporary, loopback() as server:
        say("the corpora that they meet on")
        ring = Ring.of(World(Path(temporary) / "world"))
        disk = Store(str(Path(temporary) / "disk"))
        stores = [store for name, store in (("disk", disk), ("s3", server)) if name in on]
        wrong = rounds(ring, stores, arguments.rounds, arguments.seed, kinds)
    print(f"{len(wrong)} wrong")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
