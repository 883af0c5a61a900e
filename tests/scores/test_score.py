"""The command: answers in, one JSON object out, whatever is lacking said."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.commands.command import main
from scores.measure import mean
from scores.score import TASKS

ROOT = Path(__file__).parents[2]
RIGHT = {
    "ASR": ["HELLO THERE"],
    "AVSR": ["Hello there."],
    "OCR": ["stop"] * 10,
    "VQA": ["no"],
    "VideoQA": ["lay on floor"],
    "AVSD": ["yes he does"],
    "ISQA": ["no"],
    "AVM": ["Yes"],
    "AVSSD": ["elk bugling"],
}


def run(tmp_path: Path, task: str, rows: list[dict[str, Any]], status: int = 0) -> dict[str, Any]:
    answers, output = tmp_path / "answers.jsonl", tmp_path / "scores.json"
    answers.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["score", "--task", task, "--answers", str(answers), "--output", str(output)]) == status
    return json.loads(output.read_text())


@pytest.mark.parametrize("task", sorted(RIGHT))
def test_every_task_that_needs_no_java(tmp_path: Path, monkeypatch, task: str) -> None:
    monkeypatch.setenv("PATH", "/nowhere")  # METEOR, beside AVSD's headline, takes seconds
    rows = [{"id": n, "answer": RIGHT[task][0], "references": RIGHT[task]} for n in range(3)]
    rows.append({"id": "wrong", "answer": "something else entirely", "references": RIGHT[task]})
    found = run(tmp_path, task, rows)
    assert list(found) == ["task", "metric", "value", "low", "high", "n", "others", "tokenizer"]
    assert found["n"] == 4
    assert found["metric"] == TASKS[task].metric
    if task in ("ASR", "AVSR"):
        assert found["value"] == pytest.approx(3 / 8)
    else:
        assert found["value"] == 0.75
    assert found["low"] <= found["value"] <= found["high"]


def test_a_breakdown_by_type(tmp_path: Path) -> None:
    rows = [{"id": n, "answer": "yes", "references": ["yes"], "type": "vggss"} for n in range(5)]
    rows += [{"id": f"c{n}", "answer": "yes", "references": ["no"], "type": "spokencoco"} for n in range(5)]
    found = run(tmp_path, "AVM", rows)
    assert found["value"] == 0.5
    assert found["others"]["by_type"]["vggss"] == {"value": 1.0, "low": 1.0, "high": 1.0, "n": 5}
    assert found["others"]["by_type"]["spokencoco"]["value"] == 0


def test_a_headline_that_cannot_run_is_null_and_ends_with_1(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    rows = [
        {"id": n, "answer": f"a dog barks {n}", "references": [f"a dog barks {n}", "birds"]} for n in range(4)
    ]
    found = run(tmp_path, "AC", rows, status=1)
    assert found["metric"] == "SPIDEr"
    assert (found["value"], found["low"], found["high"]) == (None, None, None)
    assert found["others"]["CIDEr (without the PTB tokenizer)"] > 0
    assert set(found["others"]["unavailable"]) == {"SPIDEr", "METEOR", "SPICE"}
    assert "not PTB" in found["tokenizer"]
    assert "SPIDEr cannot be computed here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("{", "not a JSON object"),
        ("[]", "not a JSON object"),
        ('{"id": "b", "references": ["x"]}', "field 'answer'"),
        ('{"answer": "y", "references": ["x"]}', "field 'id'"),
        ('{"id": "b", "answer": "y"}', "field 'references': none"),
        ('{"id": "b", "answer": "y", "references": [1]}', "field 'references': want a list of texts"),
        ('{"id": "a", "answer": "y", "references": ["x"]}', "id 'a' stands on line 1 too"),
        ('{"id": "b", "answer": "y", "references": ["x"], "type": 3}', "field 'type'"),
    ],
)
def test_answers_that_cannot_be_used(tmp_path: Path, capsys, line: str, fault: str) -> None:
    answers = tmp_path / "answers.jsonl"
    answers.write_text('{"id": "a", "answer": "y", "references": "x"}\n' + line + "\n")
    assert main(["score", "--task", "VQA", "--answers", str(answers)]) == 2
    assert f"answers.jsonl:2: {fault}" in capsys.readouterr().err


def test_a_task_that_there_is_not_and_a_file_that_is_not_there(tmp_path: Path, capsys) -> None:
    answers = tmp_path / "answers.jsonl"
    assert main(["score", "--task", "VQA", "--answers", str(answers)]) == 2
    answers.write_text('{"id": "a", "answer": "y", "references": "x"}\n')
    assert main(["score", "--task", "SR", "--answers", str(answers)]) == 2
    assert "unknown task 'SR': one of ASR, AVSR" in capsys.readouterr().err


def test_the_interval_is_that_of_the_binomial() -> None:
    """With 400 answers, 100 right: 0.25 within about 1.96 standard errors."""
    low, high = mean("accuracy", [1.0] * 100 + [0.0] * 300).interval()
    error = 1.96 * np.sqrt(0.25 * 0.75 / 400)
    assert low == pytest.approx(0.25 - error, abs=0.006)
    assert high == pytest.approx(0.25 + error, abs=0.006)


def test_it_needs_neither_beam_nor_torch(tmp_path: Path) -> None:
    """Whoever only evaluates installs the extra `score`."""
    answers = tmp_path / "answers.jsonl"
    answers.write_text('{"id": 1, "answer": "yes", "references": "Yes."}\n')
    program = (
        "import sys; from pipelines.commands.command import main; "
        f"assert main(['score', '--task', 'AVM', '--answers', {str(answers)!r}]) == 0; "
        "sys.exit(bool({'apache_beam', 'torch', 'av'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
