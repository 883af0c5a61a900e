"""What this project does on a GPU, in one call of at most six minutes: JSON, and docs/gpu.md from it.

    python -m benchmarks.gpu --json gpu.json [--write docs/gpu.md]

Needs Python 3.12 or 3.11, torch, transformers, av and openai-whisper and no network; `build` all that
setup.py's `[build]` names but what its options ask for, and `encoders` before it; `tests` also pytest,
hypothesis and imageio-ffmpeg (0.8: the FFmpeg 7.0 of 0.6 and 0.7 fails on one of their files, also without a
GPU). Compressed with LZMA, the wheels of av, openai-whisper and imageio-ffmpeg 0.6 are 46 MiB; those that a
build imports, stripped, 52. Weights are random, of the true shapes. `--device cpu` runs all of it in small,
to see that it runs. `--write docs/gpu.md --read gpu.json…` writes the page from earlier runs on one machine.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

ROOT = Path(__file__).parents[2]
TESTS = ("tests/featurizers/running/test_cuda.py", "tests/decoders/streams/test_nvdec.py")
PARTS = ("encoders", "decoding", "build", "tests")


def main() -> int:
    """Exit status 1 where a part failed; the others are written all the same."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)} (all)")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--write", type=Path, metavar="PAGE")
    parser.add_argument("--read", type=Path, nargs="+", metavar="FILE", help="measure nothing")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"unknown part {unknown.pop()}: one of {', '.join(PARTS)}")
    failed, found = False, dict[str, Any]()
    if arguments.read:
        for path in arguments.read:
            found |= json.loads(path.read_text(encoding="utf-8"))
    else:
        for name, part in _parts(arguments.device, list(arguments.parts) or PARTS).items():
            failed |= not _run(name, part, found)
            if arguments.json:
                arguments.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if arguments.write:
        from benchmarks.gpu.page import page

        arguments.write.write_text(page(found), encoding="utf-8")
    return int(failed)


def _parts(device: str, chosen: Sequence[str]) -> dict[str, Callable[[dict[str, Any]], Any]]:
    parts: dict[str, Callable[[dict[str, Any]], Any]] = {"machine": lambda _: _machine(device)}
    if "encoders" in chosen:
        parts["encoders"] = lambda found: _encoders(device, found)
    if "decoding" in chosen:
        parts["decoding"] = lambda _: _decoding(device)
    if "build" in chosen:
        parts["build"] = lambda found: _build(device, found)
    if "tests" in chosen:
        parts["tests"] = lambda _: _tests()
    return parts


def _run(name: str, part: Callable[[dict[str, Any]], Any], found: dict[str, Any]) -> bool:
    print(f"\n== {name}", flush=True)
    began = time.perf_counter()
    try:
        found[name] = part(found)
    except Exception:  # noqa: BLE001 - the other parts' figures must not be lost with this one's
        traceback.print_exc()
        found[name] = None
    print(f"{time.perf_counter() - began:.0f} s", flush=True)
    return found[name] is not None


def _machine(device: str) -> dict[str, Any]:
    from benchmarks.gpu import machine

    found = machine.describe(device)
    found |= {"peak_tflops": machine.peak_tflops(device), "copy_gb_s": machine.copy_gb_s(device)}
    print(json.dumps(found, indent=1))
    return found


def _encoders(device: str, found: dict[str, Any]) -> list[dict[str, Any]]:
    from benchmarks.gpu import encoders

    peaks = found["machine"]["peak_tflops"]
    dtype, peak = next(iter(peaks)), max(peaks.values())
    rows = []
    for model in encoders.SMALL if device == "cpu" else encoders.MODELS:
        rows.append(encoders.measure(model, device, dtype, peak))
        print(json.dumps(rows[-1]), flush=True)
    return rows


def _decoding(device: str) -> dict[str, Any]:
    from benchmarks.gpu import decoding

    small = device == "cpu"
    with tempfile.TemporaryDirectory(prefix="favor-data-bench-") as folder:
        rows = decoding.measure(Path(folder), "320x180" if small else "1920x1080", 4 if small else 20)
    found = {"without_nvdec": decoding.available(), "films": rows}
    print(json.dumps(found, indent=1))
    return found


def _build(device: str, found: dict[str, Any]) -> list[dict[str, Any]]:
    from benchmarks.gpu import build

    with tempfile.TemporaryDirectory(prefix="favor-data-bench-") as folder:
        rows = build.measure(Path(folder), device, found["encoders"])
    print(json.dumps(rows, indent=1))
    return rows


def _tests() -> dict[str, str]:
    """Test -> passed, skipped: why, or failed: why."""
    with tempfile.TemporaryDirectory(prefix="favor-data-bench-") as folder:
        report = Path(folder) / "tests.xml"
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--junitxml={report}", *TESTS]
        subprocess.run(command, cwd=ROOT, check=False)
        cases = ElementTree.parse(report).getroot().iter("testcase")  # noqa: S314 - pytest's own
        return {str(case.get("name")): _outcome(case) for case in cases}


def _outcome(case: ElementTree.Element) -> str:
    for kind in ("failure", "error", "skipped"):
        if (found := case.find(kind)) is not None:
            return f"{kind}: {found.get('message', '')}"
    return "passed"


if __name__ == "__main__":
    sys.exit(main())
