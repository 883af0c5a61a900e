"""Ten minutes of one target, or of each.

    python -m benchmarks.fuzz [bitstream|edit_list|message|manifest|parquet|tar|sidecar] --seconds 600

Ends with 1 where a target raises what it may not, hangs for 20 s or crashes; the input lies in --keep. Those
that mattered are in tests/decoders/fuzz and tests/pipelines/storage/fuzz. Needs the extra `fuzz`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]

from benchmarks.progress import told

with atheris.instrument_imports(include=["decoders", "schemas", "pipelines.storage", "tarfile"]):
    from benchmarks.fuzz.intake import INTAKE
    from benchmarks.fuzz.targets import TARGETS as DECODERS

TARGETS = DECODERS | INTAKE
TESTS = Path(__file__).parents[2] / "tests"
KEPT = (TESTS / "decoders" / "fuzz", TESTS / "pipelines" / "storage" / "fuzz")


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("target", nargs="?", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--keep", type=Path, default=Path("fuzz-out"), metavar="FOLDER")
    asked = parser.parse_args()
    if asked.target is None:
        command = [sys.executable, "-m", "benchmarks.fuzz"]
        options = ["--seconds", str(asked.seconds), "--keep", str(asked.keep)]
        named = told("target", TARGETS)
        codes = [subprocess.run([*command, name, *options], check=False).returncode for name in named]
        raise SystemExit(any(codes))
    corpus = asked.keep / asked.target
    corpus.mkdir(parents=True, exist_ok=True)
    kept = [str(folder) for folder in (where / asked.target for where in KEPT) if folder.is_dir()]
    limits = [f"-max_total_time={asked.seconds}", "-timeout=20", "-rss_limit_mb=4096", "-max_len=4096"]
    limits.append(f"-artifact_prefix={asked.keep}/{asked.target}-")
    atheris.Setup([sys.argv[0], *limits, str(corpus), *kept], TARGETS[asked.target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
