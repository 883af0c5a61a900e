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
    steps = [line.split()[4] for line in done.stdout.splitlines() if line.startswith("$ python -m")]
    assert [step for step in steps if step in ("recipe", "build", "score")] == ["recipe", "build", "score"]
    assert (tmp_path / "run" / "checkpoint.pt").exists()
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["task"] == "AVSSD"
    assert scores["n"] == 4
    asked = "-m examples.favor.answer" in done.stdout
    assert asked or ("NO MODEL IS ASKED" in done.stdout and scores["value"] == 1)
