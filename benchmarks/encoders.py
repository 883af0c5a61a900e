"""The floor: this project's encoders beside the bare ones, float32 and bfloat16, in one run.

    python -m benchmarks.encoders --json encoders.json

"bare" is what people call today at its best batch of those tried: transformers' CLIPVisionModel with fused
attention, openai-whisper's log-mel and encoder. Weights are random, of the true shapes. Every figure is the
fastest of several rounds in which all contestants take turns: what else runs on the machine only slows.
With `--threads 1` it is CPU time, which does not count what other processes take.
"""

from __future__ import annotations

import argparse
import functools
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from whisper.audio import log_mel_spectrogram
from whisper.model import AudioEncoder, sinusoids

from benchmarks.lines import Line, write
from benchmarks.progress import told
from featurizers.registry import load, resolve
from featurizers.running import arithmetic, untrained
from featurizers.vision.clip import UNTRAINED
from featurizers.whisper.description import untrained_dimensions

MODELS = ("clip:vit-b-32", "clip:vit-l-14", "whisper:tiny", "whisper:small", "whisper:large-v2")
BARE_BATCHES = {"clip": (1, 8, 16), "whisper": (1, 4), "whisper:large-v2": (1,)}  # a window of its: 20 s
ENOUGH_S = 90  # of turns: a slow model has fewer of them
PEAK = {"rows": 4096, "inner": 1024, "outer": 4096}


@dataclass(frozen=True)
class Measured:
    """One contestant: milliseconds a row (frame or 30 s window), and GFLOP/s of its matrix products."""

    model: str
    dtype: str
    contestant: str
    ms_a_row: float
    gflops: float


def bare_batches(model: str) -> tuple[int, ...]:
    """Batch sizes that the bare encoder is tried with."""
    return BARE_BATCHES.get(model) or BARE_BATCHES[model.partition(":")[0]]


def bare(model: str, dtype: str, device: str) -> Callable[[int], torch.Tensor]:
    """Runs so many rows through the bare encoder as one batch; results as float16 on the host."""
    kind, _, size = model.partition(":")
    number = getattr(torch, dtype)
    if kind == "clip":
        from transformers import CLIPVisionConfig, CLIPVisionModel

        tower = CLIPVisionModel(CLIPVisionConfig(**UNTRAINED[size])).eval().to(device, number)
        side = UNTRAINED[size]["image_size"]
        pixels = torch.randn(max(bare_batches(model)), 3, side, side, device=device, dtype=number)

        def encode(batch: int) -> torch.Tensor:
            hidden: torch.Tensor = tower(pixels[:batch]).last_hidden_state
            return hidden.half().cpu()

        return encode
    dims = untrained_dimensions(size)
    names = ("mels", "audio_ctx", "audio_state", "audio_head", "audio_layer")
    encoder = AudioEncoder(*(dims[f"n_{name}"] for name in names))
    untrained.fill(encoder)
    encoder.positional_embedding = sinusoids(dims["n_audio_ctx"], dims["n_audio_state"])
    encoder = encoder.eval().to(device)  # float32: openai-whisper casts its weights at every call
    waveforms = torch.randn(max(bare_batches(model)), 480_000) * 0.1

    def listen(batch: int) -> torch.Tensor:
        mels = [
            log_mel_spectrogram(waveform, dims["n_mels"], device=device) for waveform in waveforms[:batch]
        ]
        result: torch.Tensor = encoder(torch.stack(mels).to(number)).half().cpu()
        return result

    return listen


def ours(model: str, dtype: str, device: str) -> tuple[Callable[[], Any], int]:
    """This project's encoder on full batches, and how many rows that is."""
    kind, _, size = model.partition(":")
    encoder: Any = load(resolve("x", f"{kind}:random:{size}", device=device, dtype=dtype))
    random = np.random.default_rng(0)
    rows: int = encoder.batches.size
    if kind == "clip":
        side = UNTRAINED[size]["image_size"]
        frames = random.integers(0, 256, (rows, side, side, 3), np.uint8)
        return lambda: encoder.encode([frames]), rows
    waveform = random.normal(0, 0.1, rows * 480_000).astype(np.float32)
    return lambda: encoder.encode([waveform]), rows


def gflop_a_row(model: str) -> float:
    """Multiply-adds of one row's matrix products, times two, in 10^9."""
    kind, _, size = model.partition(":")
    if kind == "clip":
        shape = UNTRAINED[size]
        width, layers = shape["hidden_size"], shape["num_hidden_layers"]
        patches = (shape["image_size"] // shape["patch_size"]) ** 2
        tokens, first = patches + 1, patches * 3 * shape["patch_size"] ** 2 * width
    else:
        dims = untrained_dimensions(size)
        width, layers, tokens = dims["n_audio_state"], dims["n_audio_layer"], dims["n_audio_ctx"]
        first = 3 * width * (2 * tokens * dims["n_mels"] + tokens * width)
    return 2e-9 * (first + layers * (12 * tokens * width**2 + 2 * tokens**2 * width))


def take_turns(contestants: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Least seconds of each, after one run to warm up."""
    begun = time.perf_counter()
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    with torch.inference_mode():
        for turn in told("turn", range(rounds + 1)):
            if turn > 1 and time.perf_counter() - begun > ENOUGH_S:
                break
            for name, run in contestants.items():
                start = clock()
                run()
                if turn:
                    taken[name].append(clock() - start)
    return {name: min(seconds) for name, seconds in taken.items()}


def peak_gflops(device: str, rounds: int) -> dict[str, float]:
    """GFLOP/s of one large matrix product a dtype: torch's own call, and this project's."""
    from featurizers.running.transformer import Linear

    runs: dict[str, Callable[[], Any]] = {}
    for name in ("float32", "bfloat16"):
        number = getattr(torch, name)
        x = torch.randn(PEAK["rows"], PEAK["inner"], device=device).to(number)
        weight = torch.randn(PEAK["outer"], PEAK["inner"])
        bias = torch.zeros(PEAK["outer"])
        linear = Linear(weight, bias, device, number)
        moved, shift = weight.to(device, number), bias.to(device, number)
        runs[f"torch {name}"] = functools.partial(_finished, torch.nn.functional.linear, x, moved, shift)
        runs[f"ours {name}"] = functools.partial(_finished, linear, x)
    work = 2e-9 * PEAK["rows"] * PEAK["inner"] * PEAK["outer"]
    return {name: work / seconds for name, seconds in take_turns(runs, 3 * rounds).items()}


def _finished(function: Callable[..., torch.Tensor], *arguments: torch.Tensor) -> None:
    if function(*arguments).is_cuda:
        torch.cuda.synchronize()


def measure(models: list[str], device: str, rounds: int) -> list[Measured]:
    """Every model and dtype; of the bare batches only the best."""
    found = []
    for model in told("model", models):
        contestants: dict[str, Callable[[], Any]] = {}
        rows: dict[str, int] = {}
        for dtype in ("float32", "bfloat16"):
            encode = bare(model, dtype, device)
            for batch in bare_batches(model):
                name = f"{dtype} bare, batch {batch}"
                contestants[name], rows[name] = functools.partial(encode, batch), batch
            contestants[f"{dtype} ours"], rows[f"{dtype} ours"] = ours(model, dtype, device)
        for name, seconds in take_turns(contestants, rounds).items():
            dtype, _, contestant = name.partition(" ")
            a_row = seconds / rows[name]
            found.append(Measured(model, dtype, contestant, 1e3 * a_row, gflop_a_row(model) / a_row))
    return found


def lines(found: list[Measured], peaks: dict[str, float]) -> list[Line]:
    """Per model and dtype, ours beside the best bare one and beside the matrix products' peak."""
    made = []
    for model, dtype in dict.fromkeys((each.model, each.dtype) for each in found):
        group = [each for each in found if (each.model, each.dtype) == (model, dtype)]
        us = next(each for each in group if each.contestant == "ours")
        best = min((each for each in group if each is not us), key=lambda each: each.ms_a_row)
        how = f"{best.ms_a_row:.1f} ms ({best.contestant}) / {us.ms_a_row:.1f} ms"
        made.append(Line(f"{model} {dtype}: bare / ours", best.ms_a_row / us.ms_a_row, how))
        peak = max(peaks[f"torch {dtype}"], peaks[f"ours {dtype}"])
        how = f"{us.gflops:.0f} GFLOP/s / {peak:.0f}, the larger of torch's product and ours"
        made.append(Line(f"{model} {dtype}: ours / matrix-multiply peak", us.gflops / peak, how))
    return made


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=list(MODELS), metavar="KIND:SIZE")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, metavar="N", help="as many as torch takes")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    device = arithmetic.choose(arguments.device).device
    peaks = peak_gflops(device, arguments.rounds)
    found = measure(arguments.models, device, arguments.rounds)
    made = lines(found, peaks)
    for line in made:
        print(line)
    write(arguments.json, made)


if __name__ == "__main__":
    main()
