"""Lively films for the benchmarks, made with the ffmpeg command."""

from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg


def film(path: Path, scene: str, *rest: str) -> None:
    """Encodes a lavfi scene; `rest` is ffmpeg's: the sound's input, the length, the codecs."""
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    subprocess.run(
        [ffmpeg, "-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", scene, *rest, str(path)], check=True
    )
