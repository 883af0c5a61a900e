"""Our vision transformer beside transformers' modules with our linear layer swapped in, and as they come.

    python -m benchmarks.inside.transformer

CPU milliseconds a frame in one thread, batches of 8, the least of several turns; then what a process pays
before its first frame, imports and all. Random weights of the true shapes, the CPU's fastest number format.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from transformers import CLIPVisionConfig, CLIPVisionModel

from benchmarks.lines import Line
from benchmarks.progress import told
from featurizers.registry import load, resolve
from featurizers.running.arithmetic import choose
from featurizers.running.transformer import Linear
from featurizers.vision.clip import UNTRAINED

BATCH = 8
STARTS = {
    "ours": "from featurizers.registry import load, resolve; load(resolve('x', 'clip:random:vit-b-32'))",
    "transformers'": (
        "from transformers import CLIPVisionConfig, CLIPVisionModel; "
        "CLIPVisionModel(CLIPVisionConfig()).eval()"
    ),
}


class Swapped(torch.nn.Module):
    """A torch linear layer's weights in ours."""

    def __init__(self, theirs: torch.nn.Linear, dtype: torch.dtype) -> None:
        super().__init__()
        bias = theirs.bias.detach().float() if theirs.bias is not None else None
        self.linear = Linear(theirs.weight.detach().float(), bias, "cpu", dtype)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x)


def swap(module: torch.nn.Module, dtype: torch.dtype) -> None:
    """Every linear layer under `module`."""
    for name, child in module.named_children():
        if isinstance(child, torch.nn.Linear):
            setattr(module, name, Swapped(child, dtype))
        else:
            swap(child, dtype)


def contestants(size: str, dtype: str) -> dict[str, Callable[[], Any]]:
    """Each encodes BATCH frames, to float16 on the host."""
    number = getattr(torch, dtype)
    frames = np.random.default_rng(0).integers(0, 256, (BATCH, 224, 224, 3), np.uint8)
    encoder = load(resolve("x", f"clip:random:{size}", device="cpu", dtype=dtype))

    def theirs(swapped: bool) -> Callable[[], Any]:
        tower = CLIPVisionModel(CLIPVisionConfig(**UNTRAINED[size])).eval().to(number)
        if swapped:
            swap(tower, number)

        def encode() -> torch.Tensor:
            pixels = torch.from_numpy(frames).permute(0, 3, 1, 2).float().div(255).sub(0.45).div(0.27)
            hidden: torch.Tensor = tower(pixels.to(number)).last_hidden_state
            return hidden.half()

        return encode

    return {
        "ours": lambda: encoder.encode([frames]),
        "transformers', our linear": theirs(True),
        "transformers'": theirs(False),
    }


def start_seconds(code: str) -> float:
    """CPU seconds of a process that comes as far as to have the model."""
    ended = subprocess.run(
        [sys.executable, "-c", f"{code}; import time; print(time.process_time())"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return float(ended.stdout)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--sizes", nargs="+", choices=UNTRAINED, default=list(UNTRAINED))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    dtype = choose("cpu").dtype
    for size in arguments.sizes:
        taken: dict[str, list[float]] = {}
        with torch.inference_mode():
            runs = contestants(size, dtype)
            for _ in told(f"{size}, round", range(arguments.rounds)):
                for name, run in runs.items():
                    began = time.process_time()
                    run()
                    taken.setdefault(name, []).append(1e3 * (time.process_time() - began) / BATCH)
        ours = min(taken.pop("ours"))
        for name, times in taken.items():
            how = f"{min(times):.2f} ms a frame / {ours:.2f} ms, {dtype}"
            print(Line(f"{size}: {name} / ours", min(times) / ours, how))
    starts = {
        name: min(start_seconds(code) for _ in range(3)) for name, code in told("start", STARTS.items())
    }
    print(Line.ratio("start: transformers' / ours", starts["transformers'"], starts["ours"]))


if __name__ == "__main__":
    main()
