"""AVEB's eleven tasks: which set, which part of it, how much; and their manifests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from recipes.aveb import matching, spoken
from recipes.aveb.draws import draw
from recipes.aveb.sets import Sets
from recipes.errors import RecipeError
from recipes.manifest import Made, Outcome, write


@dataclass(frozen=True)
class Part:
    """The part of a set that a task asks about.

    Attributes:
        files: names of the annotation files, or of a folder of theirs, that are read.
        splits: the first that has answers to compare with is taken.
        most: the paper takes no more of it.
    """

    task: str
    name: str
    files: tuple[str, ...]
    splits: tuple[str, ...]
    most: int | None = None


PARTS = (
    Part("ASR", "librispeech", ("test-clean",), ("test-clean",)),
    Part("AC", "audiocaps", ("test*.csv",), ("test",)),
    Part("IC", "flickr30k", ("dataset_flickr30k*.json",), ("test",), 1000),
    Part("OCR", "textvqa", ("TextVQA_[0-9]*val*.json",), ("val",), 5000),
    Part("VQA", "gqa", ("testdev_balanced_questions*.json",), ("testdev",)),
    Part("VideoQA", "nextqa", ("test.csv", "map_vid*.json"), ("test",), 1000),
    Part("AVSR", "how2", ("dev5",), ("dev5",)),
    Part("AVSD", "avsd", ("test_set*.json", "valid_set*.json"), ("test", "val")),
    Part("AVSSD", "vggss", ("vggss*.json",), ("test",)),
)


@dataclass(frozen=True)
class MadeTask:
    """What became of a task: an Outcome, or what the root lacks for it."""

    name: str
    path: Path
    outcome: Outcome | str
    remarks: tuple[str, ...] = ()


def make(root: Path, output: Path, seed: int) -> Iterator[MadeTask]:
    """OUTPUT/TASK.jsonl for each task that the root allows.

    Raises:
        RecipeError: no such root.
    """
    sets = Sets(root, output)
    output.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        yield _make(sets, part.task, output, _of_part(sets, part, seed))
    isqa = _make(sets, "ISQA", output, spoken.questions(sets))
    if isinstance(isqa.outcome, Outcome) and not isqa.outcome.rows:
        listed = spoken.write_list(sets, output, seed)
        reason = f"no question was recorded: speak those of {listed}, as files of these names under {root}"
        isqa = MadeTask("ISQA", isqa.path, reason)
    yield isqa
    yield _make(sets, "AVM", output, matching.pairs(sets, seed))


def _of_part(sets: Sets, part: Part, seed: int) -> Iterator[Made]:
    """Nothing is looked for before the first row is asked for."""
    for split in part.splits:
        records = sets.records(part.name, part.files, split)
        first = next(records, None)
        if first is not None:
            made = map(sets.rows(part.name).row, chain([first], records))
            yield from draw(made, part.most, seed)
            return


def _make(sets: Sets, task: str, output: Path, made: Iterator[Made]) -> MadeTask:
    path = output / f"{task}.jsonl"
    sets.remarks.clear()
    try:
        outcome: Outcome | str = write(made, path)
    except RecipeError as error:
        outcome = str(error)
    if not (isinstance(outcome, Outcome) and outcome.rows):
        path.unlink(missing_ok=True)
    return MadeTask(task, path, outcome, tuple(sets.remarks))
