"""One build in a process of its own, and what must be equal between two of them."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runners import tools

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Started:
    """A running build; `log` holds what it says."""

    process: subprocess.Popen[bytes]
    output: Path
    log: Path

    def wait(self, timeout: float) -> int:
        """Exit status; the build is interrupted when it takes longer than `timeout` seconds."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGINT)
            return self.process.wait()


def start(media: Path, output: Path, arguments: Sequence[str]) -> Started:
    """Starts `python -m pipelines.build_corpus MEDIA --output OUTPUT ARGUMENTS…`."""
    log = output.with_name(f"{output.name}.log")
    log.parent.mkdir(parents=True, exist_ok=True)
    job = [sys.executable, "-m", "pipelines.build_corpus"]
    with log.open("ab") as stream:
        process = subprocess.Popen(  # noqa: S603
            [*job, str(media), "--output", str(output), *arguments],
            cwd=ROOT,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env={**tools.environment(), "PYTHONPATH": str(ROOT)},
        )
    return Started(process, output, log)


def digests(corpus: Path) -> dict[str, str]:
    """File -> SHA-256 of what must not depend on the engine: all but the cache and the builds' notes."""
    return {
        str(path.relative_to(corpus)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(corpus.rglob("*"))
        if path.is_file() and path.relative_to(corpus).parts[0] not in ("cache", "builds")
    }


def seconds(corpus: Path) -> dict[str, float]:
    """By stage, of the newest build that did anything; "media": all that the corpus holds."""
    notes = [json.loads(path.read_text(encoding="utf-8")) for path in corpus.glob("builds/*.json")]
    newest = max(notes, key=lambda note: str(note["ended"]))
    return {**newest["seconds"], "media": newest["media_seconds"]}


def samples(corpus: Path) -> int:
    """How many samples a corpus holds."""
    return int(json.loads((corpus / "corpus.json").read_text())["counts"]["samples"])
