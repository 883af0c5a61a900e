"""Lively films for the benchmarks, made with the ffmpeg command."""

from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg

from benchmarks.progress import told

SPEECH = Path(__file__).parents[1] / "demo" / "media" / "speech"
H264 = ("-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-pix_fmt", "yuv420p")


def film(path: Path, scene: str, *rest: str) -> None:
    """Encodes a lavfi scene; `rest` is ffmpeg's: the sound's input, the length, the codecs."""
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    subprocess.run(
        [ffmpeg, "-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", scene, *rest, str(path)], check=True
    )


ZOOM = "mandelbrot=size=1280x720:rate=25:start_scale={scale}:end_scale=0.01:end_pts=2000"  # slow to make
SHAPES = "testsrc2=size=640x360:rate=25,hue=h={number},noise=alls=6:allf=t"


def talking_films(folder: Path, count: int, seconds: int, scene: str) -> list[Path]:
    """Lively H.264 with B-frames, a voice that reads on and on; no two films share a frame or a sample."""
    paths = []
    for number in told("film to make", range(count)):
        path = folder / f"{number:03d}.mp4"
        own = scene.format(number=number, scale=3 + number / 9)
        film(path, own, *voice(folder), "-af", f"volume={1 - number / 1000}", "-t", str(seconds), *H264)
        paths.append(path)
    return paths


def voice(folder: Path) -> list[str]:
    """ffmpeg's arguments for an endless voice as AAC; its list of files is written into `folder`."""
    listed = folder / "speech.txt"
    listed.write_text("".join(f"file '{path}'\n" for path in sorted(SPEECH.glob("*.flac"))))
    return ["-f", "concat", "-safe", "0", "-stream_loop", "-1", "-i", str(listed), "-c:a", "aac"]
