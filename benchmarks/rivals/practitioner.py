"""What people write today: decord at 2 fps, CLIP and Whisper in fp32, one video after another.

    python -m benchmarks.rivals.practitioner OUT.tar VIDEO... --clip vit-b-32 --whisper tiny

The yardstick of `benchmarks/end_to_end.py`: straightforward, correct on well-behaved files, random weights
of the true shapes as in the builds that it is compared with.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import decord
import numpy as np
import torch
import webdataset
import whisper
from PIL import Image
from transformers import CLIPImageProcessorPil, CLIPVisionConfig, CLIPVisionModel

from featurizers.vision.clip import UNTRAINED
from featurizers.whisper.description import untrained_dimensions

BATCH = 16


def features(path: str, clip: CLIPVisionModel, listener: torch.nn.Module, mels: int) -> dict[str, np.ndarray]:
    """Frames at 2 fps through CLIP, sound through Whisper in windows of 30 s."""
    video = decord.VideoReader(path)
    step = video.get_avg_fps() / 2
    wanted = [int(step * k) for k in range(int(len(video) / step))]
    processor = CLIPImageProcessorPil()
    vision = []
    for start in range(0, len(wanted), BATCH):
        pictures = [
            Image.fromarray(frame) for frame in video.get_batch(wanted[start : start + BATCH]).asnumpy()
        ]
        pixels = processor(pictures, return_tensors="pt").pixel_values
        vision.append(clip(pixels).last_hidden_state.half().numpy())
    sound = torch.from_numpy(decord.AudioReader(path, sample_rate=16_000, mono=True)[:].asnumpy()[0])
    heard = []
    for start in range(0, len(sound), 480_000):
        window = whisper.pad_or_trim(sound[start : start + 480_000])
        heard.append(listener(whisper.log_mel_spectrogram(window, mels)[None])[0].half().numpy())
    return {"clip.npy": np.concatenate(vision), "whisper.npy": np.concatenate(heard)}


def main() -> None:
    """Prints the seconds of the loop, models loaded before it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("output", type=Path)
    parser.add_argument("videos", nargs="+")
    parser.add_argument("--clip", default="vit-b-32")
    parser.add_argument("--whisper", default="tiny")
    arguments = parser.parse_args()
    clip = CLIPVisionModel(CLIPVisionConfig(**UNTRAINED[arguments.clip])).eval()
    dimensions = untrained_dimensions(arguments.whisper)
    listener = whisper.model.Whisper(whisper.model.ModelDimensions(**dimensions)).encoder.eval()
    started = time.perf_counter()
    with torch.inference_mode(), webdataset.TarWriter(str(arguments.output)) as writer:
        for video in arguments.videos:
            writer.write(
                {"__key__": Path(video).stem, **features(video, clip, listener, dimensions["n_mels"])}
            )
    print(time.perf_counter() - started)


if __name__ == "__main__":
    main()
