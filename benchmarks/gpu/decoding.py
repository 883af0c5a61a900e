"""NVDEC beside decoding on the CPU: the same films, whole processes, the same pictures."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from benchmarks.progress import told
from decoders.clips import decode_clips
from decoders.streams import nvdec
from featurizers.vision.frames import Crop
from schemas.grid import SECOND_NS, Grid, Span
from schemas.media import ClipRequest

CODECS = {
    "h264": ("libx264", {"preset": "veryfast"}),
    "hevc": ("libx265", {"preset": "ultrafast", "x265-params": "log-level=none"}),
    "av1": ("libsvtav1", {"preset": "12"}),
}
FPS = 30
SCENE = "testsrc2=size={size}:rate={fps},noise=all_seed={seed}:alls=8:allf=t,format=yuv420p"


def film(path: Path, codec: str, size: str, frames: int, seed: int = 0) -> Path:
    """Detail and grain of their own, by FFmpeg's own sources through PyAV: no ffmpeg command needed."""
    encoder, options = CODECS[codec]
    width, height = map(int, size.split("x"))
    with (
        av.open(SCENE.format(size=size, fps=FPS, seed=seed), format="lavfi") as source,
        av.open(str(path), "w") as output,
    ):
        stream = output.add_stream(encoder, rate=FPS, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number, frame in enumerate(source.decode(video=0)):
            if number == frames:
                break
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def decode(path: str, seconds: int, decoder: str, threads: int = 1) -> npt.NDArray[np.uint8]:
    """uint8 [2 a second, 224, 224, 3]"""
    requests = [ClipRequest(Grid(Span(0, seconds * SECOND_NS)), True, False)]
    clips = decode_clips(path, requests, {"clip": Crop(224, 224, 3)}, decoder, threads=threads)
    pictures = [clip.frames.prepared["clip"] for clip in clips if clip.frames]
    return np.concatenate([np.asarray(each) for each in pictures])


def rates(paths: Sequence[str], seconds: int, decoder: str, workers: int) -> list[float]:
    """Media seconds a second of each film, decoded twice by each of so many processes at once."""
    work, found = partial(_count, seconds=seconds, decoder=decoder), []
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(work, repeat(paths[0], workers)))  # starts them
        for path in told(f"{workers} at once, film", paths):
            began = time.perf_counter()
            list(pool.map(work, repeat(path, 2 * workers)))
            found.append(2 * workers * seconds / (time.perf_counter() - began))
    return found


def _count(path: str, seconds: int, decoder: str) -> int:
    return len(decode(path, seconds, decoder))


def available() -> str:
    """Empty, or why there is no NVDEC."""
    try:
        nvdec.accelerator(0)
    except nvdec.NoHardwareDecoderError as error:
        return str(error)
    return ""


def measure(
    folder: Path, size: str, seconds: int, codecs: Sequence[str] = tuple(CODECS)
) -> list[dict[str, Any]]:
    """A row a codec: rates by decoder and number of processes; `differing` bytes between the two."""
    cores = len(os.sched_getaffinity(0))
    paths = [str(film(folder / f"{codec}.mp4", codec, size, FPS * seconds)) for codec in codecs]
    both = not available()
    columns = {
        f"{decoder}, {workers}": rates(paths, seconds, decoder, workers)
        for decoder in (("pyav", "nvdec") if both else ("pyav",))
        for workers in (1, cores)
    }
    rows = []
    for number, (codec, path) in enumerate(zip(codecs, paths, strict=True)):
        row: dict[str, Any] = {"codec": codec, "size": size, "seconds": seconds, "cores": cores}
        row |= {name: column[number] for name, column in columns.items()}
        if both:
            row["differing"] = int((decode(path, seconds, "pyav") != decode(path, seconds, "nvdec")).sum())
        rows.append(row)
    return rows
