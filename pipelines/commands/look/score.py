"""`favor-data score --task T --answers FILE [--output scores.json]`: answers -> AVEB's numbers."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from pipelines.commands.parser import Parser
from pipelines.errors import UsageError
from scores.answers import AnswersError, read_answers
from scores.score import TASKS, score


def run(argv: Sequence[str]) -> int:
    """Exit status: 0 the task's own metric was computed, 1 it cannot be here (its value is null).

    Raises:
        UsageError: unusable arguments, or answers that are not as they should be.
    """
    parser = Parser(
        prog="favor-data score", description="Score a model's answers as AVEB does.", allow_abbrev=False
    )
    parser.add_argument("--task", required=True, metavar="T", help=", ".join(TASKS))
    parser.add_argument(
        "--answers",
        required=True,
        type=Path,
        metavar="FILE",
        help='JSON lines {"id", "answer", "references", "type"?, "options"?}',
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the scores there as well")
    ours = parser.parse_args(argv)
    try:
        found = score(ours.task, read_answers(ours.answers))
        text = json.dumps(found, indent=2, ensure_ascii=False)
        if ours.output:
            ours.output.write_text(text + "\n", encoding="utf-8")
    except (AnswersError, OSError) as error:
        raise UsageError(f"score: {error}") from error
    print(text)
    if found["value"] is None:
        reason = found["others"]["unavailable"][found["metric"]]
        print(f"favor-data: score: {found['metric']} cannot be computed here: {reason}", file=sys.stderr)
        return 1
    return 0
