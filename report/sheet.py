"""One sample drawn on one time axis: frames over waveform over log-mel, masks, words in their steps."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from markupsafe import Markup
from PIL import Image

from report.log_mel import log_mel
from schemas.grid import SAMPLE_RATE, SAMPLES_PER_STEP, STEP_NS, ns_to_seconds

STEP_WIDTH = 96  # pixels of a step
WAVE_HEIGHT, MEL_HEIGHT = 64, 80
_POINTS = 24  # of the waveform, a step
_QUALITY = 70


@dataclass(frozen=True)
class Medium:
    """What a sample looks and sounds like.

    Attributes:
        frames: step -> picture as JPEG.
        waveform: float32 [n], mono, 16 kHz, from the span's start; None: no sound, or none to be had.
        note: why something cannot be shown; "": all is.
    """

    frames: Mapping[int, bytes]
    waveform: npt.NDArray[np.float32] | None
    note: str = ""


@dataclass(frozen=True)
class Step:
    """One column of the sheet; `picture`: a data URI, or ""."""

    number: int
    seconds: float
    picture: str
    frame_time: float | None
    sound: bool
    words: list[str]


@dataclass(frozen=True)
class Sheet:
    """One sample, ready for the page; `wave`: an SVG's path, `mel` and `audio`: data URIs or ""."""

    key: str
    id: str
    where: str
    span: str
    steps: list[Step]
    wave: Markup
    mel: str
    audio: str
    note: str
    features: list[str]
    uris: list[tuple[str, str]]
    conversations: list[list[Mapping[str, str]]] = field(default_factory=list)
    metadata: list[tuple[str, str]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def width(self) -> int:
        return len(self.steps) * STEP_WIDTH

    @property
    def seconds(self) -> float:
        return len(self.steps) * ns_to_seconds(STEP_NS)

    @property
    def text(self) -> str:
        """What it is found by."""
        said = [word for step in self.steps for word in step.words]
        turns = [turn.get("value", "") for talk in self.conversations for turn in talk]
        return " ".join([self.id, self.key, *said, *turns]).lower()


def sheet(
    row: Mapping[str, Any],
    record: Mapping[str, Any],
    said: Mapping[str, Any],
    words: Sequence[Mapping[str, Any]],
    medium: Medium,
) -> Sheet:
    """Args:
    row: of the index.
    record: KEY.json.
    said: conversations and metadata.
    words: of KEY.words.json.
    """
    start_ns = int(row["start_ns"])
    of_step: dict[int, list[str]] = {}
    for word in words:
        of_step.setdefault(int(word["step"]), []).append(str(word["word"]))
    steps = [
        Step(
            number=step,
            seconds=ns_to_seconds(start_ns + step * STEP_NS),
            picture=_thumbnail(medium.frames[step]) if step in medium.frames else "",
            frame_time=record["frame_times"][step],
            sound=bool(record["audio_mask"][step]),
            words=of_step.get(step, []),
        )
        for step in range(int(row["steps"]))
    ]
    heard = medium.waveform
    return Sheet(
        key=row["key"],
        id=row["id"],
        where=row["shard"],
        span=f"{ns_to_seconds(start_ns):g} to {ns_to_seconds(int(row['end_ns'])):g} s",
        steps=steps,
        wave=wave_path(heard, len(steps)) if heard is not None else Markup(""),
        mel=mel_picture(heard, len(steps)) if heard is not None else "",
        audio=_data("audio/wav", wav(heard)) if heard is not None else "",
        note=medium.note,
        features=[f"{f['column']} {f['dtype']} {list(f['shape'])}" for f in row["features"]],
        uris=[(name, uri) for name, uri in row["uris"].items() if uri],
        conversations=list(said.get("conversations", [])),
        metadata=[(name, str(value)) for name, value in said.get("metadata", {}).items()],
        remarks=list(record.get("remarks", [])),
    )


def wave_path(waveform: npt.NDArray[np.float32], steps: int) -> Markup:
    """The envelope as an SVG path, `STEP_WIDTH` a step."""
    size = steps * SAMPLES_PER_STEP
    padded = np.zeros(size, np.float32)
    padded[: min(size, len(waveform))] = waveform[:size]
    pieces = np.array_split(padded, steps * _POINTS)
    scale = max(float(np.abs(padded).max()), 1e-4)
    middle, width = WAVE_HEIGHT / 2, STEP_WIDTH / _POINTS
    drawn = "".join(
        f"M{at * width:.1f} {middle - piece.max() / scale * middle:.1f}"
        f"V{middle - piece.min() / scale * middle + 0.5:.1f}"
        for at, piece in enumerate(pieces)
    )
    return Markup('<path d="{}"/>').format(drawn)


def mel_picture(waveform: npt.NDArray[np.float32], steps: int) -> str:
    """Whisper's own log-mel, low sounds below, as a PNG's data URI; "" of no sound."""
    size = steps * SAMPLES_PER_STEP
    padded = np.zeros(size, np.float32)
    padded[: min(size, len(waveform))] = waveform[:size]
    mel = log_mel(padded)
    level = np.clip((mel - mel.min()) / max(float(np.ptp(mel)), 1e-6), 0, 1)
    picture = Image.fromarray((255 * level[::-1]).astype(np.uint8), "L")
    stream = io.BytesIO()
    picture.resize((steps * STEP_WIDTH // 2, MEL_HEIGHT)).save(stream, "PNG", optimize=True)
    return _data("image/png", stream.getvalue())


def wav(waveform: npt.NDArray[np.float32]) -> bytes:
    """8-bit mu-law (ITU-T G.711), which browsers play: half of 16 bits, and no codec's delay."""
    samples = (np.clip(waveform, -1, 1) * 32767).astype(np.int16)
    stream = io.BytesIO()
    with av.open(stream, "w", format="wav") as file:
        track = file.add_stream("pcm_mulaw", rate=SAMPLE_RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        file.mux(track.encode(frame))
        file.mux(track.encode(None))
    return stream.getvalue()


def strip(frames: Mapping[int, bytes], steps: int, height: int = 96) -> bytes:
    """A sample's frames side by side as a PNG; a step without one is grey."""
    pictures = {step: Image.open(io.BytesIO(content)).convert("RGB") for step, content in frames.items()}
    widths = [round(p.width * height / p.height) for p in pictures.values()] or [height]
    width = max(widths)
    whole = Image.new("RGB", (width * steps, height), (128, 128, 128))
    for step, picture in pictures.items():
        whole.paste(
            picture.resize((round(picture.width * height / picture.height), height)), (step * width, 0)
        )
    stream = io.BytesIO()
    whole.save(stream, "PNG")
    return stream.getvalue()


def _thumbnail(jpeg: bytes) -> str:
    kept = Image.open(io.BytesIO(jpeg))
    kept.draft("RGB", (2 * STEP_WIDTH, 2 * STEP_WIDTH * kept.height // kept.width))  # of the film's size
    picture = kept.convert("RGB")
    picture.thumbnail((STEP_WIDTH, 4 * STEP_WIDTH))
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=_QUALITY)
    return _data("image/jpeg", stream.getvalue())


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
