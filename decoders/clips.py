"""Any number of spans of one file, decoded in one pass over it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass

import numpy as np
from av import VideoStream
from av.container import InputContainer

from decoders.audio import SoundReader
from decoders.container import open_media, stream_at
from decoders.decord_reader import DecordReader
from decoders.frames import FrameCollector, Prepared
from decoders.limits import DEFAULT, Limits
from decoders.picture import ToRGB
from decoders.selective import plan
from decoders.timeline import Timeline, read_timeline
from decoders.video import FullReader, NotExactError, SelectiveReader, TimedFrame
from decoders.waveform import SpanWaveform
from schemas.grid import SECOND_NS
from schemas.media import ClipRequest, DecodedAudio, DecodedClip, DecodedFrames, FrameTransform
from schemas.reasons import MediaError, Reason

DECODERS = ("pyav", "decord")
ADMIT_NS = 2 * SECOND_NS  # a span's resampling reaches back by less than this


def decode_clips(
    path: str,
    requests: Sequence[ClipRequest],
    transforms: Mapping[str, FrameTransform],
    decoder: str = "pyav",
    limits: Limits = DEFAULT,
    threads: int = 1,
) -> Iterator[DecodedClip]:
    """Decode `requests`, yielded in order of their spans' starts.

    Pictures and sound are read side by side, each no further than the clip at hand needs, so memory
    does not grow with the media's length.

    Raises:
        MediaError: missing_modality, corrupt (not one frame or sample decodes), too_large, and what
            opening a file can give.
        ValueError: unknown `decoder`.
    """
    if decoder not in DECODERS:
        raise ValueError(f"unknown decoder {decoder!r}: one of {', '.join(DECODERS)}")
    ordered = sorted(requests, key=lambda request: request.grid.span)
    timeline = read_timeline(path, limits)
    _check_modalities(ordered, timeline)
    with ExitStack() as stack:
        pictures = sounds = None
        if any(request.frames for request in ordered):
            pictures = Pictures(path, stack, timeline, limits, threads, decoder)
            pictures.want(ordered, transforms)
        if any(request.audio for request in ordered):
            sounds = Sounds(stack.enter_context(open_media(path, limits)), timeline, limits)
            sounds.want(ordered)
        for index, request in enumerate(ordered):
            frames = pictures.clip(index) if pictures and request.frames else None
            audio = sounds.clip(index) if sounds and request.audio else None
            yield DecodedClip(request.grid, frames, audio, _warnings(pictures, sounds))


def _check_modalities(requests: Sequence[ClipRequest], timeline: Timeline) -> None:
    if timeline.video is None and any(request.frames for request in requests):
        raise MediaError(Reason.MISSING_MODALITY, "no moving pictures")
    if timeline.audio is None and any(request.audio for request in requests):
        raise MediaError(Reason.MISSING_MODALITY, "no sound")


def _warnings(pictures: Pictures | None, sounds: Sounds | None) -> tuple[str, ...]:
    """Closed set: what the decoder lost up to here."""
    found = {
        "video_packets_lost": pictures is not None and pictures.lost > 0,
        "audio_packets_lost": sounds is not None and sounds.reader.lost > 0,
        "audio_timestamps_jump": sounds is not None and sounds.reader.gaps > 0,
    }
    return tuple(name for name, value in found.items() if value)


@dataclass(frozen=True, order=True)
class _Wish:
    """One step's instant."""

    time_ns: int
    clip: int
    step: int


class Pictures:
    """Hands every step its frame, prepares each distinct frame once."""

    def __init__(
        self, path: str, stack: ExitStack, timeline: Timeline, limits: Limits, threads: int, decoder: str
    ) -> None:
        self.lost = 0
        self._path = path
        self._stack = stack
        self._timeline = timeline
        self._limits = limits
        self._threads = threads
        self._decoder = decoder
        self._collectors: dict[int, FrameCollector] = {}

    def want(self, requests: Sequence[ClipRequest], transforms: Mapping[str, FrameTransform]) -> None:
        self._transforms = transforms
        wishes = []
        for clip, request in enumerate(requests):
            if request.frames:
                self._collectors[clip] = FrameCollector(request.grid)
                times = request.grid.frame_times_ns().tolist()
                wishes += [_Wish(time_ns, clip, step) for step, time_ns in enumerate(times)]
        self._wishes = sorted(wishes, reverse=True)
        self._left = {clip: collector.grid.steps for clip, collector in self._collectors.items()}
        self._frames = self._read()

    def _read(self) -> Iterator[TimedFrame]:
        """The frames on screen at the wished instants, and possibly others; none is missing."""
        instants = np.array([wish.time_ns for wish in self._wishes], np.int64)
        arguments = (self._timeline, self._limits, self._threads)
        if self._decoder == "decord":
            reader = DecordReader(self._path, self._open(), *arguments, instants)
            yield from reader.frames()
            return
        exact = plan(self._timeline, instants)
        if exact is not None:
            with suppress(NotExactError):
                yield from SelectiveReader(self._open(), *arguments, exact).frames()
                return
        full = FullReader(self._open(), *arguments)
        timed = None
        for timed in full.frames():
            yield timed
            self.lost = full.lost
        if timed is None:
            raise MediaError(Reason.CORRUPT, "not one frame decodes")

    def _open(self) -> InputContainer:
        assert self._timeline.video is not None
        container = self._stack.enter_context(open_media(self._path, self._limits))
        stream = stream_at(container, self._timeline.video.index, VideoStream)
        self._to_rgb = ToRGB(stream.sample_aspect_ratio, self._limits)
        return container

    def clip(self, clip: int) -> DecodedFrames:
        """The frames of one request; earlier requests must have been taken."""
        while self._left[clip] and self._advance():
            pass
        return self._collectors.pop(clip).finish()

    def _advance(self) -> bool:
        timed = next(self._frames, None)
        if timed is None:
            return False
        prepared: Prepared | None = None
        while self._wishes and self._wishes[-1].time_ns < timed.end_ns:
            wish = self._wishes.pop()
            self._left[wish.clip] -= 1
            if wish.time_ns < timed.start_ns:
                continue  # before the first frame
            if prepared is None:
                rgb = self._to_rgb(timed.frame)
                prepared = {name: transform(rgb) for name, transform in self._transforms.items()}
            self._collectors[wish.clip].add(wish.step, timed.start_ns, prepared)
        return True


class Sounds:
    """Hands every span its waveform."""

    def __init__(self, container: InputContainer, timeline: Timeline, limits: Limits) -> None:
        self.reader = SoundReader(container, timeline, limits)
        self._blocks = self.reader.sounds()
        self._position: int | None = None
        self._waiting: list[tuple[int, ClipRequest]] = []
        self._open: dict[int, SpanWaveform] = {}

    def want(self, requests: Sequence[ClipRequest]) -> None:
        self._waiting = [(clip, request) for clip, request in enumerate(requests) if request.audio][::-1]

    def clip(self, clip: int) -> DecodedAudio:
        """The sound of one request; earlier requests must have been taken."""
        self._admit(clip)
        while self._position is None or self._position < self._open[clip].wanted_until:
            if not self._advance():
                break
        return self._open.pop(clip).finish()

    def _admit(self, clip: int) -> None:
        while self._waiting and self._waiting[-1][0] <= clip:
            index, request = self._waiting.pop()
            self._open[index] = SpanWaveform(request.grid, self.reader.rate)

    def _advance(self) -> bool:
        block = next(self._blocks, None)
        if block is None:
            if self._position is None:
                raise MediaError(Reason.CORRUPT, "not one sample decodes")
            return False
        self._position = block.first + block.samples.size
        while self._waiting:
            clip, request = self._waiting[-1]
            if (request.grid.span.start_ns - ADMIT_NS) * block.rate >= self._position * SECOND_NS:
                break
            self._admit(clip)
        for waveform in self._open.values():
            waveform.add(block)
        return True
