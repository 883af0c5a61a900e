"""The command of docs/aveb.md, as a user types it."""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_chain_of_the_page_runs(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "aveb.md").read_text(encoding="utf-8")
    [command] = re.findall(r"^python (-m demo\.aveb) --work \S+$", page, re.MULTILINE)
    done = subprocess.run(
        [sys.executable, *command.split(), "--work", str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    steps = re.findall(r"^\$ python -m (?:pipelines|examples\.favor\.)?[ .]?(\w+)", done.stdout, re.MULTILINE)
    assert steps == ["recipe", "build", "train", "answer", "score"]
    asked = [json.loads(line) for line in (tmp_path / "aveb" / "AVSSD.jsonl").read_text().splitlines()]
    answers = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert {a["id"]: a["references"] for a in answers} == {row["id"]: row["references"] for row in asked}
    assert len({a["answer"] for a in answers} - {""}) >= 1
    scores = json.loads((tmp_path / "scores.json").read_text())
    named = [any(right.lower() in a["answer"].lower() for right in a["references"]) for a in answers]
    assert scores["task"] == "AVSSD"
    assert (scores["n"], scores["value"]) == (4, sum(named) / 4)
