"""What people write: a video's frames at 2 fps through CLIP, its sound through Whisper, one tar of features.

    python -m benchmarks.rivals.script OUT.tar VIDEO... --reader decord

Each reader at its best: all frames at once, own threads; resizing by torch on bytes; CLIP in batches of 16
and Whisper's windows by fours, in the fastest number format. Random weights of the true shapes.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import webdataset
import whisper
from transformers import CLIPVisionConfig, CLIPVisionModel

from featurizers.running.arithmetic import cpu_multiplies_bfloat16
from featurizers.vision.clip import UNTRAINED
from featurizers.vision.preprocessing import CLIP_MEAN, CLIP_STD
from featurizers.whisper.description import untrained_dimensions

Read = Callable[[str], tuple[torch.Tensor, torch.Tensor]]
"""Path -> uint8 [n, H, W, 3] at 2 fps, float32 [samples] mono 16 kHz."""


def decord(path: str) -> tuple[torch.Tensor, torch.Tensor]:
    """decord's get_batch of every frame that is wanted."""
    import decord

    video = decord.VideoReader(path, num_threads=os.cpu_count() or 1)
    step = video.get_avg_fps() / 2
    wanted = [int(step * k) for k in range(int(len(video) / step))]
    sound = decord.AudioReader(path, sample_rate=16_000, mono=True)[:].asnumpy()[0]
    return torch.from_numpy(video.get_batch(wanted).asnumpy()), torch.from_numpy(sound)


def torchcodec(path: str) -> tuple[torch.Tensor, torch.Tensor]:
    """torchcodec's frames by time."""
    from torchcodec.decoders import AudioDecoder, VideoDecoder

    decoder = VideoDecoder(path, num_ffmpeg_threads=0, dimension_order="NHWC", seek_mode="approximate")
    begin, end = decoder.metadata.begin_stream_seconds, decoder.metadata.end_stream_seconds
    frames = decoder.get_frames_played_at(np.arange(begin + 0.25, end, 0.5).tolist()).data
    sound = AudioDecoder(path, sample_rate=16_000, num_channels=1).get_all_samples().data[0]
    return frames, sound


def pyav(path: str) -> tuple[torch.Tensor, torch.Tensor]:
    """PyAV: every frame decoded by FFmpeg's threads, those converted that are wanted."""
    import av

    frames, wanted = [], 0.25
    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for frame in container.decode(stream):
            if frame.time >= wanted:
                frames.append(frame.to_ndarray(format="rgb24"))
                wanted += 0.5
    resampler, parts = av.AudioResampler("flt", "mono", 16_000), []
    with av.open(path) as container:
        for heard in container.decode(audio=0):
            parts += [part.to_ndarray()[0] for part in resampler.resample(heard)]
    return torch.from_numpy(np.stack(frames)), torch.from_numpy(np.concatenate(parts))


def opencv(path: str) -> tuple[torch.Tensor, torch.Tensor]:
    """clip-video-encode's way: cv2 reads every frame, every nth is kept. It has no sound; ffmpeg gives it."""
    import cv2

    capture = cv2.VideoCapture(path)
    step = max(1, round(capture.get(cv2.CAP_PROP_FPS) / 2))
    frames, number = [], 0
    while capture.grab():
        if number % step == 0:
            frames.append(cv2.cvtColor(capture.retrieve()[1], cv2.COLOR_BGR2RGB))
        number += 1
    return torch.from_numpy(np.stack(frames)), _ffmpeg_sound(path)


def video2dataset(path: str) -> tuple[torch.Tensor, torch.Tensor]:
    """video2dataset's way: ffmpeg writes films of 2 fps and the encoder's size, which are decoded again."""
    with tempfile.TemporaryDirectory() as folder:
        small = f"{folder}/small.mp4"
        _ffmpeg("-i", path, "-vf", "fps=2,scale=-2:224:flags=bicubic", "-an", small)
        import decord

        video = decord.VideoReader(small)
        return torch.from_numpy(video.get_batch(range(len(video))).asnumpy()), _ffmpeg_sound(path)


def _ffmpeg_sound(path: str) -> torch.Tensor:
    raw = _ffmpeg("-i", path, "-vn", "-ac", "1", "-ar", "16000", "-f", "f32le", "-")
    return torch.from_numpy(np.frombuffer(raw, np.float32).copy())


def _ffmpeg(*arguments: str) -> bytes:
    command = [os.environ["FFMPEG"], "-v", "error", "-nostdin", "-y", *arguments]
    return subprocess.run(command, check=True, capture_output=True).stdout


READERS: dict[str, Read] = {each.__name__: each for each in (decord, torchcodec, pyav, opencv, video2dataset)}


def prepared(frames: torch.Tensor) -> torch.Tensor:
    """uint8 [n, H, W, 3] -> float32 [n, 3, 224, 224], CLIP's shortest side and centre."""
    pictures = frames.permute(0, 3, 1, 2)
    height, width = pictures.shape[2:]
    scale = 224 / min(height, width)
    size = (max(224, int(height * scale)), max(224, int(width * scale)))
    small = torch.nn.functional.interpolate(pictures, size, mode="bicubic", antialias=True)
    top, left = (size[0] - 224) // 2, (size[1] - 224) // 2
    cut = small[..., top : top + 224, left : left + 224].float() / 255
    return (cut - torch.tensor(CLIP_MEAN)[:, None, None]) / torch.tensor(CLIP_STD)[:, None, None]


def features(
    path: str, read: Read, clip: CLIPVisionModel, listener: Any, dtype: torch.dtype
) -> dict[str, Any]:
    """The members of one video."""
    frames, sound = read(path)
    pixels = torch.cat([prepared(part) for part in torch.split(frames, 16)]).to(dtype)
    vision = [clip(part).last_hidden_state.half() for part in torch.split(pixels, 16)]
    mels = torch.stack(
        [whisper.log_mel_spectrogram(whisper.pad_or_trim(part), 80) for part in torch.split(sound, 480_000)]
    )
    heard = [listener(part.to(dtype)).half() for part in torch.split(mels, 4)]
    return {"clip.npy": torch.cat(vision).numpy(), "whisper.npy": torch.cat(heard).numpy()}


def main() -> None:
    """Prints the seconds of the loop, models loaded before it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("output", type=Path)
    parser.add_argument("videos", nargs="+")
    parser.add_argument("--reader", choices=READERS, default="decord")
    parser.add_argument("--clip", default="vit-b-32")
    parser.add_argument("--whisper", default="tiny")
    arguments = parser.parse_args()
    dtype = torch.bfloat16 if cpu_multiplies_bfloat16() else torch.float32
    clip = CLIPVisionModel(CLIPVisionConfig(**UNTRAINED[arguments.clip])).eval().to(dtype)
    dimensions = whisper.model.ModelDimensions(**untrained_dimensions(arguments.whisper))
    listener = whisper.model.Whisper(dimensions).encoder.eval()  # casts its weights itself
    began = time.perf_counter()
    with torch.inference_mode(), webdataset.TarWriter(str(arguments.output)) as writer:
        for video in arguments.videos:
            made = features(video, READERS[arguments.reader], clip, listener, dtype)
            writer.write({"__key__": Path(video).stem, **{name: _npy(made[name]) for name in made}})
    print(time.perf_counter() - began)


def _npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


if __name__ == "__main__":
    main()
