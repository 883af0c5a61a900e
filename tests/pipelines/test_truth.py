"""A build's features against the bare encoders, fed by the ffmpeg command, step by step, in fp32."""

from __future__ import annotations

import json
import re
import subprocess
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
import whisper
from PIL import Image
from transformers import CLIPImageProcessorPil, CLIPVisionModel

from featurizers.whisper.ctranslate2 import read_checkpoint
from pipelines.commands.command import main

from .conftest import FFMPEG, WHISPER

SEEN = ["talk.mp4", "late.mkv", "transport.ts", "silent.ogv"]
HEARD = ["talk.mp4", "late.mkv", "transport.ts", "voice.opus"]
WIDTH, HEIGHT = 160, 120


def run_ffmpeg(*arguments: str) -> tuple[bytes, str]:
    ended = subprocess.run(
        [FFMPEG, "-nostdin", "-hide_banner", *arguments, "-"], capture_output=True, check=True
    )
    return ended.stdout, ended.stderr.decode()


@cache
def frames(path: str) -> tuple[np.ndarray, np.ndarray]:
    """Every frame uint8 [n, H, W, 3] and its time in seconds from the container's start, by ffmpeg.

    With `-copyts` times are the file's own; its earliest is what ffmpeg prints as `start`.
    """
    decode = ["-vf", "showinfo", "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24"]
    raw, log = run_ffmpeg("-copyts", "-i", path, *decode)
    start = re.search(r"start: (-?[\d.]+)", log)
    assert start
    times = np.array([float(time) for time in re.findall(r"pts_time:\s*(-?[\d.]+)", log)])
    return np.frombuffer(raw, np.uint8).reshape(-1, HEIGHT, WIDTH, 3), times - float(start[1])


@cache
def sound(path: str) -> np.ndarray:
    """float32 [n] mono 16 kHz from the container's start, silence where it has none yet, by ffmpeg."""
    raw, _ = run_ffmpeg("-i", path, "-vn", "-af", "aresample=16000:first_pts=0", "-ac", "1", "-f", "f32le")
    return np.frombuffer(raw, np.float32)


def bare_clip(model: str, path: str, steps: int, end: float) -> np.ndarray:
    """[steps, 16, 16]: patch tokens of the frame on screen at the middle of each step, or of what of it the
    media covers, up to `end`, where that is less than half."""
    pictures, shown = frames(path)
    centres = [0.5 * k + 0.25 if 0.5 * k + 0.25 < end else (0.5 * k + end) / 2 for k in range(steps)]
    chosen = [np.searchsorted(shown, centre, side="right") - 1 for centre in centres]
    processor = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    pixels = processor([Image.fromarray(pictures[row]) for row in chosen], return_tensors="pt").pixel_values
    with torch.inference_mode():
        return CLIPVisionModel.from_pretrained(model).eval()(pixels).last_hidden_state[:, 1:].numpy()


def bare_whisper(path: str, steps: int) -> np.ndarray:
    """[steps, 25, 384]: the encoder's vectors of one window of 30 s."""
    mel = whisper.log_mel_spectrogram(whisper.pad_or_trim(torch.from_numpy(sound(path).copy())))
    with torch.inference_mode():
        vectors = tiny_en().encoder(mel[None])[0]
    return vectors.numpy().reshape(60, 25, -1)[:steps]


@cache
def tiny_en() -> whisper.model.Whisper:
    checkpoint = read_checkpoint(Path(WHISPER))
    model = whisper.model.Whisper(whisper.model.ModelDimensions(**checkpoint["dims"]))
    model.load_state_dict(checkpoint["model_state_dict"])
    return model.eval().float()


def cosine(ours: np.ndarray, bare: np.ndarray) -> np.ndarray:
    """[steps]: mean cosine of the vectors of each step."""
    a, b = ours.astype(np.float64), bare.astype(np.float64)
    similarity = (a * b).sum(-1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1))
    return similarity.reshape(len(similarity), -1).mean(1)


on_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="float16 needs an NVIDIA GPU")
DTYPES = [("float32", 0.999), ("bfloat16", 0.998), pytest.param(("float16", 0.998), marks=on_a_gpu)]


@pytest.fixture(scope="module", params=DTYPES, ids=lambda p: p[0])
def built(
    request, media, clip, corpus, tmp_path_factory, read_samples
) -> tuple[dict[str, dict[str, bytes]], float]:
    """Samples by id, and the agreement that their dtype must reach."""
    dtype, enough = request.param
    if dtype == "float32":
        return read_samples(corpus), enough
    output = tmp_path_factory.mktemp(dtype)
    command = ["build", str(media), "--output", str(output), "--whisper", WHISPER, "--clip", clip]
    assert main([*command, "--dtype", dtype]) == 0
    return read_samples(output), enough


def check(ours: np.ndarray, bare: np.ndarray, mask: np.ndarray, enough: float) -> None:
    agreement = cosine(ours[mask], bare[mask])
    assert agreement.min() >= enough, agreement
    shifted = cosine(ours[mask][1:], bare[mask][:-1])
    assert shifted.mean() < enough - 0.01, "a shift of one step went unnoticed"


@pytest.mark.parametrize("name", SEEN)
def test_frames_are_those_of_the_bare_clip(name: str, built, media, clip) -> None:
    samples, enough = built
    record = json.loads(samples[name]["json"])
    ours = np.load(BytesIO(samples[name]["clip.npy"]))
    bare = bare_clip(clip, str(media / name), record["steps"], record["span"][1])
    check(ours, bare, np.array(record["visual_mask"], bool), enough)


@pytest.mark.parametrize("name", HEARD)
def test_sound_is_that_of_the_bare_whisper(name: str, built, media) -> None:
    samples, enough = built
    record = json.loads(samples[name]["json"])
    ours = np.load(BytesIO(samples[name]["whisper.npy"]))
    check(ours, bare_whisper(str(media / name), len(ours)), np.array(record["audio_mask"], bool), enough)


def test_a_picture_is_seen_as_the_bare_clip_sees_it(built, media, clip) -> None:
    samples, enough = built
    ours = np.load(BytesIO(samples["still.png"]["clip.npy"]))
    processor = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    with torch.inference_mode():
        pixels = processor(Image.open(media / "still.png").convert("RGB"), return_tensors="pt").pixel_values
        bare = CLIPVisionModel.from_pretrained(clip).eval()(pixels).last_hidden_state[:, 1:].numpy()
    assert cosine(ours, bare).min() >= enough
