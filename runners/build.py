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
    """File -> SHA-256 of what must not depend on the engine: tables, shards, corpus.json less dates."""
    record = json.loads((corpus / "corpus.json").read_text())
    record["seconds"] = record["seconds"]["media"]  # the others are the build's own
    for snapshot in record["snapshots"]:
        del snapshot["created"]
    found = {"corpus.json": hashlib.sha256(json.dumps(record).encode()).hexdigest()}
    for path in [corpus / "index.parquet", corpus / "ledger.parquet", *sorted(corpus.glob("shards/*.tar"))]:
        found[str(path.relative_to(corpus))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def samples(corpus: Path) -> int:
    """How many samples a corpus holds."""
    return int(json.loads((corpus / "corpus.json").read_text())["counts"]["samples"])
