"""docs/training.md's commands, typed one after another, lead to a model that answers."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from scores.answers import read_answers

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
PROGRAMS = {"favor-data": [sys.executable, "-m", "pipelines"], "python": [sys.executable]}


def typed(line, folder):
    program, *arguments = shlex.split(line)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*PROGRAMS[program], *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done


def test_from_nothing_to_a_model_that_answers(tmp_path):
    [block] = re.findall(r"^<!-- toy -->\n```\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    told = [typed(line, tmp_path) for line in block.splitlines()]
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    losses = [line["answer"] for line in log if "answer" in line]
    held_out = [line["held_out"] for line in log if "held_out" in line]
    assert len(held_out) == 4
    assert losses[-1] < losses[0]
    assert held_out[-1] < held_out[0]
    assert "24 samples to learn from, 4 held out" in told[2].stderr
    answers = read_answers(tmp_path / "answers.jsonl")
    assert [answer.id for answer in answers] == [f"test-{number:04d}" for number in range(4)]
    assert all(len(answer.references) == 1 for answer in answers)
    shown = sorted((tmp_path / "run" / "answers").glob("*.jsonl"))
    assert len(shown) == 4
    assert len(read_answers(shown[-1])) == 4
    asked = json.loads(told[4].stdout)
    assert (asked["id"], asked["references"]) == ("test-0001", [])
    scores = json.loads(told[5].stdout)
    assert (scores["task"], scores["n"]) == ("VQA", 4)
