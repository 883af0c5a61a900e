"""`favor-data recipe NAME --annotations … --media … --output manifest.jsonl`: a public set as a manifest.

`favor-data recipe aveb --root DIR --output DIR`: AVEB, a manifest a task.
"""

from __future__ import annotations

import argparse
import errno
import sys
from collections.abc import Sequence
from pathlib import Path

from pipelines.commands.parser import Parser
from pipelines.errors import UsageError
from recipes.annotations import Annotations
from recipes.aveb import tasks as aveb
from recipes.errors import RecipeError
from recipes.manifest import Outcome, Rows, write
from recipes.media import MediaFolder
from recipes.recipe import Recipe
from recipes.registry import recipes

_DISKS = (errno.ENOSPC, errno.EDQUOT, errno.EIO)


def run(argv: Sequence[str]) -> int:
    """Exit status: 0 at least one row, 1 none, 3 a disk that failed.

    Raises:
        UsageError: unusable arguments, or annotations that are not as their set publishes them.
    """
    ours = _parser().parse_args(argv)
    if ours.list:
        print(_list())
        return 0
    try:
        return _aveb(ours) if ours.name == "aveb" else _one(ours)
    except RecipeError as error:
        raise UsageError(f"recipe {ours.name}: {error}") from error
    except OSError as error:
        if error.errno not in _DISKS:
            raise UsageError(f"recipe {ours.name}: {error}") from error
        print(f"favor-data: recipe {ours.name}: {error}: nothing was written", file=sys.stderr)
        return 3


def _parser() -> Parser:
    parser = Parser(
        prog="favor-data recipe",
        description="A public set's own annotation files and a folder of media -> a manifest for build.",
        allow_abbrev=False,
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="a set; --list names them")
    parser.add_argument("--list", action="store_true", help="every set: its task, what it needs, its licence")
    parser.add_argument(
        "--annotations", nargs="+", type=Path, metavar="PATH", help="official files, or their folder"
    )
    parser.add_argument(
        "--media", nargs="+", type=Path, metavar="DIR", help="folders below which the media lie"
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="the manifest (.jsonl); aveb: a folder")
    parser.add_argument(
        "--prompt",
        action="append",
        default=[],
        metavar="TEXT",
        help="ask this instead of the published prompt; several are drawn from",
    )
    parser.add_argument("--root", type=Path, metavar="DIR", help="aveb: a folder that holds a folder a set")
    parser.add_argument(
        "--seed", type=int, default=0, help="aveb: of the draws from larger sets (%(default)s)"
    )
    return parser


def _list() -> str:
    """A block a set."""
    return "\n".join(
        f"{recipe.name} ({recipe.task}; {recipe.licence})\n"
        f"  from   {recipe.download}\n  needs  {recipe.needs}"
        + (f"\n  taken for granted: {recipe.assumed}" if recipe.assumed else "")
        for recipe in recipes().values()
    )


def _one(ours: argparse.Namespace) -> int:
    recipe = _recipe(ours.name)
    for option in ("annotations", "media", "output"):
        if not getattr(ours, option):
            raise UsageError(f"recipe {recipe.name}: give --{option} ({recipe.needs})")
    if ours.prompt and not recipe.prompts:
        raise UsageError(f"recipe {recipe.name}: --prompt: this set has questions of its own")
    annotations = Annotations(ours.annotations)
    media = MediaFolder(ours.media)
    rows = Rows(recipe, media, ours.output.parent, ours.prompt)
    outcome = write(map(rows.row, recipe.records(annotations)), ours.output)
    print(summary(recipe.name, outcome, ours.output))
    for remark, count in annotations.remarks.items():
        print(f"  {remark}" + (f" ({count})" if count > 1 else ""))
    if not outcome.rows:
        seen = f"; there is {media.example()}" if media.files else "; no media there at all"
        print(f"favor-data: no row: nothing under --media bears the names looked for{seen}", file=sys.stderr)
    return 0 if outcome.rows else 1


def _aveb(ours: argparse.Namespace) -> int:
    """A line a task: what was made, or what is lacking."""
    if not ours.root or not ours.output:
        raise UsageError("recipe aveb: give --root (a folder with a folder a set) and --output (a folder)")
    made = 0
    for task in aveb.make(ours.root, ours.output, ours.seed):
        if isinstance(task.outcome, Outcome):
            made += bool(task.outcome.rows)
            print(summary(task.name, task.outcome, task.path))
        else:
            print(f"{task.name}: not made: {task.outcome}")
        for remark in task.remarks:
            print(f"  {remark}")
    return 0 if made else 1


def _recipe(name: str | None) -> Recipe:
    known = recipes()
    if name is None or name not in known:
        given = f"unknown set {name!r}" if name else "name a set"
        raise UsageError(f"recipe: {given}: one of {', '.join(known)}, aveb (--list says more)")
    return known[name]


def summary(name: str, outcome: Outcome, output: Path) -> str:
    """What was written and what was not, with the first few."""
    lines = [f"{name}: {outcome.rows} rows: {output}"]
    if outcome.left_out:
        counts = ", ".join(f"{count} {reason}" for reason, count in sorted(outcome.left_out.items()))
        lines.append(f"  left out: {counts}; listed in {output}.left_out.tsv")
        lines += [f"    {example}" for example in outcome.examples]
    return "\n".join(lines)
