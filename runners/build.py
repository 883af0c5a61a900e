"""One build in a process of its own, and what must be equal between two of them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Started:
    """A running build; `log` holds what it says."""

    process: subprocess.Popen[bytes]
    output: Path
    log: Path

    def wait(self, timeout: float) -> int:
        """Exit status; the build is ended when it takes longer than `timeout` seconds."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.terminate()
            return self.process.wait()


def start(media: Path, output: Path, arguments: Sequence[str], **environment: str) -> Started:
    """Starts `python -m pipelines.build_corpus MEDIA --output OUTPUT ARGUMENTS…`."""
    bin_first = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    log = output.with_name(f"{output.name}.log")
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable,
        "-m",
        "pipelines.build_corpus",
        str(media),
        "--output",
        str(output),
        *arguments,
    ]
    with log.open("wb") as stream:
        process = subprocess.Popen(  # noqa: S603
            command,
            cwd=ROOT,
            stdout=stream,
            stderr=subprocess.STDOUT,
            # Beam's pool of worker processes calls whatever `python` comes first on PATH.
            env={**os.environ, "PATH": bin_first, "PYTHONPATH": str(ROOT), **environment},
        )
    return Started(process, output, log)


def digests(corpus: Path) -> dict[str, str]:
    """File -> SHA-256 of what must not depend on the engine: tables, shards, corpus.json less dates."""
    record = json.loads((corpus / "corpus.json").read_text())
    for snapshot in record["snapshots"]:
        del snapshot["created"]
    found = {"corpus.json": hashlib.sha256(json.dumps(record).encode()).hexdigest()}
    for path in [corpus / "index.parquet", corpus / "ledger.parquet", *sorted(corpus.glob("shards/*.tar"))]:
        found[str(path.relative_to(corpus))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found
