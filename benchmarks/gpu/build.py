"""Whole builds on the card beside their floors: decoding alone on every core, encoding alone."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import av

from benchmarks.gpu import decoding
from benchmarks.progress import say
from decoders.clips import decode_clips
from featurizers.vision.frames import Crop
from runners.build import seconds as stages
from schemas.grid import SECOND_NS, Grid, cut
from schemas.media import ClipRequest

PAIRS = {"ViT-B/32": ("vit-b-32", "tiny"), "ViT-L/14": ("vit-l-14", "large-v2")}
CLIP_S = 30
# Of pictures that a film repeats while its sound goes on: shifted by a frame each time, so that no step of
# the grid shows a frame again.
_FRAMES = 481


def film(number: int, folder: str, size: str, repeats: int) -> str:
    """H.264 with grain and AAC of noise; no two films share a frame or a sample."""
    path, pictures = Path(folder, f"{number:03d}.mp4"), Path(folder, f"{number:03d}.h264.mp4")
    decoding.film(pictures, "h264", size, _FRAMES, number)
    noise = f"anoisesrc=sample_rate=48000:color=pink:amplitude=0.3:seed={number + 1}"
    with (
        av.open(str(pictures)) as source,
        av.open(noise, format="lavfi") as waves,
        av.open(str(path), "w") as output,
    ):
        given = source.streams.video[0]
        shown, heard = output.add_stream_from_template(given), output.add_stream("aac", rate=48000)
        assert isinstance(heard, av.AudioStream)
        assert given.time_base
        length, sound = round(_FRAMES / decoding.FPS / given.time_base), waves.decode(audio=0)
        for repeat in range(repeats):
            source.seek(0)
            for packet in source.demux(given):
                if packet.dts is None or packet.pts is None:
                    continue
                packet.pts, packet.dts = packet.pts + repeat * length, packet.dts + repeat * length
                until, packet.stream = packet.dts * given.time_base, shown
                output.mux(packet)
                for frame in sound:
                    output.mux(heard.encode(frame))
                    if frame.time is not None and frame.time >= until:
                        break
        output.mux(heard.encode(None))
    pictures.unlink()
    return str(path)


def _decode(path: str, seconds: int) -> int:
    requests = [ClipRequest(Grid(span), True, True) for span in cut(seconds * SECOND_NS, CLIP_S * SECOND_NS)]
    return sum(1 for _ in decode_clips(path, requests, {"clip": Crop(224, 224, 3)}, threads=1))


def decoding_alone(paths: Sequence[str], seconds: int, workers: int) -> float:
    """Seconds that so many processes take for all films."""
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(partial(_decode, seconds=1), list(paths)[:1] * workers))  # starts them
        began = time.perf_counter()
        list(pool.map(partial(_decode, seconds=seconds), paths))
        return time.perf_counter() - began


def encoding_alone(rows: Sequence[Mapping[str, Any]], clip: str, listener: str, media: float) -> float:
    """Seconds of whole calls one after the other, as benchmarks.gpu.encoders has measured them."""
    rates = {row["model"]: row["rows_a_second"] for row in rows}
    return float(2 * media / rates[clip] + media / CLIP_S / rates[f"Whisper {listener}"])


def measure(folder: Path, device: str, encoders: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row a build: seconds by stage, and of the two floors."""
    cpu, cores = device == "cpu", len(os.sched_getaffinity(0))
    size, repeats = ("320x180", 2) if cpu else ("1920x1080", 12)
    say(f"{cores} films of {size}")
    media = folder / "media"
    media.mkdir()
    make = partial(film, folder=str(media), size=size, repeats=repeats)
    with ProcessPoolExecutor(cores, mp_context=multiprocessing.get_context("spawn")) as pool:
        paths = list(pool.map(make, range(cores)))
    length, rows = repeats * _FRAMES // decoding.FPS, []
    decoded = decoding_alone(paths, length, cores)
    for clip in list(PAIRS)[:1] if cpu else PAIRS:
        for decoder in ("pyav",) if cpu or decoding.available() else ("pyav", "nvdec"):
            tower, listener = PAIRS[clip]
            output = folder / f"{tower}-{decoder}"
            _build(media, output, device, decoder, tower, listener)
            row: dict[str, Any] = {"clip": clip, "whisper": listener, "decoder": decoder, "size": size}
            row |= {"films": cores, "film_s": length, "decoding_s": decoded, "stages": stages(output)}
            row["encoding_s"] = encoding_alone(encoders, clip, listener, cores * length)
            rows.append(row)
    return rows


def _build(media: Path, output: Path, device: str, decoder: str, tower: str, listener: str) -> None:
    say(f"a build: {tower}, {listener}, {decoder}")
    command = [sys.executable, "-m", "pipelines", "build", str(media), "--output", str(output)]
    command += ["--clip", f"random:{tower}", "--whisper", f"random:{listener}", "--decoder", decoder]
    subprocess.run([*command, "--device", device, "--quiet"], check=True)
