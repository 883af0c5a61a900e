"""Any number of spans of one file, decoded in one pass over it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial

import numpy as np
from av import VideoStream
from av.container import InputContainer

from decoders import DECODERS
from decoders.limits import DEFAULT, Limits
from decoders.streams import nvdec
from decoders.streams.audio import SoundReader
from decoders.streams.decord import DecordReader
from decoders.streams.film import Films, small
from decoders.streams.frames import FrameCollector, Prepared
from decoders.streams.parallel import merge
from decoders.streams.picture import ToRGB
from decoders.streams.still import animation
from decoders.streams.video import FullReader, NotExactError, SelectiveReader, TimedFrame
from decoders.streams.waveform import SpanWaveform
from decoders.timeline import webp, windows
from decoders.timeline.container import open_media, stream_at
from decoders.timeline.files import MediaFile
from decoders.timeline.selective import Plan, plan, share
from decoders.timeline.timeline import Timeline, read_timeline
from schemas.grid import SECOND_NS, FrameAt, Grid, Nanoseconds, Span
from schemas.media import ClipRequest, DecodedAudio, DecodedClip, DecodedFilm, DecodedFrames, FrameTransform
from schemas.reasons import MediaError, Reason, Remark

ADMIT_NS = 2 * SECOND_NS  # a span's resampling reaches back by less than this


def decode_clips(
    file: MediaFile,
    requests: Sequence[ClipRequest],
    transforms: Mapping[str, FrameTransform],
    decoder: str = "pyav",
    limits: Limits = DEFAULT,
    threads: int = 1,
    gpu: int = 0,
    audio_track: str = "",
    first_channel: bool = False,
) -> Iterator[DecodedClip]:
    """Decode `requests`, yielded in order of their spans' starts; `gpu` is nvdec's, `audio_track` as
    decoders/timeline/choice.py has it; `first_channel`: that of the sound alone.

    Pictures and sound are read side by side, each no further than the clip at hand needs, so memory
    does not grow with the media's length.

    Where of two streams one cannot be decoded the other is kept, and a remark says so.

    Raises:
        MediaError: missing_modality, corrupt (nothing decodes), too_large, and what opening a file can give.
        ValueError: unknown `decoder`.
        NoHardwareDecoderError: no such GPU for nvdec.
    """
    if decoder not in DECODERS:
        raise ValueError(f"unknown decoder {decoder!r}: one of {', '.join(DECODERS)}")
    ordered = sorted(requests, key=lambda request: request.grid.span)
    timeline = read_timeline(file, limits, audio_track)
    _check_modalities(ordered, timeline)
    with ExitStack() as stack:
        pictures = sounds = None
        if any(request.frames for request in ordered):
            pictures = Pictures(file, timeline, limits, threads, decoder, gpu)
            stack.enter_context(closing(pictures.want(ordered, transforms)))
        if any(request.audio for request in ordered):
            container = stack.enter_context(open_media(file, limits))
            sounds = Sounds(container, timeline, limits, first_channel)
            sounds.want(ordered)
        for index, request in enumerate(ordered):
            frames = pictures.clip(index) if pictures and request.frames else None
            audio = sounds.clip(index) if sounds and request.audio else None
            if pictures and sounds and pictures.undecodable and sounds.undecodable:
                raise MediaError(Reason.CORRUPT, "neither a frame nor a sample decodes")
            film = pictures.film(index) if pictures and request.film else None
            yield DecodedClip(request.grid, frames, audio, film)


def _check_modalities(requests: Sequence[ClipRequest], timeline: Timeline) -> None:
    if timeline.video is None and any(request.frames for request in requests):
        raise MediaError(Reason.MISSING_MODALITY, "no moving pictures")
    if timeline.audio is None and any(request.audio for request in requests):
        raise MediaError(Reason.MISSING_MODALITY, "no sound")


def _said(
    remarks: Iterable[tuple[int, Remark]], span: Span, of_all: Sequence[Remark] = ()
) -> tuple[str, ...]:
    """Those of a span and those of the whole medium, each once."""
    found = sorted({(ns, remark) for ns, remark in remarks if span.start_ns <= ns < span.end_ns})
    return (*(remark.at() for remark in of_all), *(remark.at(ns) for ns, remark in found))


@dataclass(frozen=True, order=True)
class _Wish:
    """One step's instant."""

    time_ns: int
    clip: int
    step: int


class _Shown:
    """A frame that is shown for a time, made ready when first asked for; `small`: of a film."""

    def __init__(
        self, timed: TimedFrame, to_rgb: ToRGB, transforms: Mapping[str, FrameTransform], film: bool
    ) -> None:
        self.start_ns, self.end_ns = timed.start_ns, timed.end_ns
        self.small = small(timed.frame) if film else None
        self._make: Callable[[], Prepared] | None = partial(_prepare, timed, to_rgb, transforms)
        self._prepared: Prepared = {}

    def prepare(self) -> Prepared:
        """Always the same object."""
        if self._make:
            self._prepared, self._make = self._make(), None  # the frame itself is let go of
        return self._prepared


def _prepare(timed: TimedFrame, to_rgb: ToRGB, transforms: Mapping[str, FrameTransform]) -> Prepared:
    rgb = to_rgb(timed.frame)
    return {name: transform(rgb) for name, transform in transforms.items()}


_Read = Callable[[InputContainer, int], Iterator[TimedFrame]]


class Pictures:
    """Hands every step its frame, prepares each distinct frame once."""

    def __init__(
        self, file: MediaFile, timeline: Timeline, limits: Limits, threads: int, decoder: str, gpu: int
    ) -> None:
        self.undecodable = False
        self._file = file
        self._timeline = timeline
        self._limits = limits
        self._decoder = decoder
        self._hardware = nvdec.accelerator(gpu) if decoder == "nvdec" else None
        self._threads = 1 if self._hardware else threads
        self._collectors: dict[int, FrameCollector] = {}

    def want(
        self, requests: Sequence[ClipRequest], transforms: Mapping[str, FrameTransform]
    ) -> Generator[_Shown]:
        """Begin; what is given back has to be closed."""
        self._transforms = transforms
        wishes = []
        self._films = Films([request.grid.span if request.film else None for request in requests])
        for clip, request in enumerate(requests):
            if request.frames:
                times = self._instants(request.grid).tolist()
                self._collectors[clip] = FrameCollector(request.grid, len(times))
                wishes += [_Wish(time_ns, clip, step) for step, time_ns in enumerate(times) if time_ns >= 0]
        self._wishes = sorted(wishes, reverse=True)
        self._left = Counter(wish.clip for wish in wishes)
        self._frames = self._read()
        return self._frames

    def _instants(self, grid: Grid) -> Nanoseconds:
        """When each step's frame is on screen; -1: it has none."""
        if grid.frame_at is FrameAt.FAVOR:
            return windows.frame_times_ns(self._timeline, grid.span)
        return grid.frame_times_ns(self._timeline.duration_ns)

    def _read(self) -> Generator[_Shown]:
        """The frames on screen at the wished instants, and possibly others; none is missing."""
        instants = np.array([wish.time_ns for wish in self._wishes], np.int64)
        if self._films.spans:
            instants = np.union1d(instants, self._films.instants(self._timeline.duration_ns))[::-1]
        if self._timeline.video is not None and self._timeline.video.codec == webp.CODEC:
            yield from self._ready(animation(self._file, self._timeline, self._limits), None)
            return
        if self._decoder == "decord":
            yield from self._shown(partial(self._decord, instants), self._threads)
            return
        exact = plan(self._timeline, instants)
        if exact is not None:
            with suppress(NotExactError):
                yield from self._selected(exact)
                return
        shown = None
        for shown in self._shown(self._full, self._threads):
            yield shown
        self.undecodable = shown is None
        if self.undecodable and self._timeline.audio is None:
            raise MediaError(Reason.CORRUPT, "not one frame decodes")

    def _selected(self, exact: Plan) -> Iterator[_Shown]:
        """Several decoders of one thread each waste less than one decoder of several threads."""
        assert self._timeline.video is not None
        shares = share(self._timeline.video, exact, self._threads)
        if len(shares.plans) == 1:
            yield from self._shown(partial(self._selective, exact), self._threads)
        else:
            yield from merge(shares.owner.tolist(), [partial(self._share, plan) for plan in shares.plans])

    def _share(self, plan: Plan) -> Iterator[_Shown]:
        for shown in self._shown(partial(self._selective, plan), threads=1):
            shown.prepare()
            yield shown

    def _shown(self, read: _Read, threads: int) -> Iterator[_Shown]:
        """What a reader of its own container gives."""
        assert self._timeline.video is not None
        with open_media(self._file, self._limits, hardware=self._hardware) as container:
            stream = stream_at(container, self._timeline.video.index, VideoStream)
            yield from self._ready(read(container, threads), stream.sample_aspect_ratio)

    def _ready(self, frames: Iterator[TimedFrame], aspect: Fraction | None) -> Iterator[_Shown]:
        to_rgb = ToRGB(aspect, self._limits)
        for timed in frames:
            yield _Shown(timed, to_rgb, self._transforms, film=bool(self._films.spans))

    def _selective(self, plan: Plan, container: InputContainer, threads: int) -> Iterator[TimedFrame]:
        return SelectiveReader(container, self._timeline, self._limits, threads, plan).frames()

    def _decord(self, instants: Nanoseconds, container: InputContainer, threads: int) -> Iterator[TimedFrame]:
        path = self._file if isinstance(self._file, str) else self._file.name
        arguments = (path, container, self._timeline, self._limits, threads, instants)
        return DecordReader(*arguments).frames()

    def _full(self, container: InputContainer, threads: int) -> Iterator[TimedFrame]:
        return FullReader(container, self._timeline, self._limits, threads).frames()

    def clip(self, clip: int) -> DecodedFrames:
        """The frames of one request; earlier requests must have been taken."""
        while (self._left[clip] or self._films.lacks(clip)) and self._advance():
            pass
        collector = self._collectors.pop(clip)
        lacking = [Remark.NO_PICTURES] if self.undecodable else []
        remarks = _said(self._timeline.remarks, collector.grid.span, lacking)
        return replace(collector.finish(), remarks=remarks)

    def film(self, clip: int) -> DecodedFilm:
        """Every frame of the request that `clip` was last asked for."""
        return self._films.take(clip)

    def _advance(self) -> bool:
        shown = next(self._frames, None)
        if shown is None:
            return False
        if shown.small is not None:
            self._films.add(shown.small, shown.start_ns, shown.end_ns)
        while self._wishes and self._wishes[-1].time_ns < shown.end_ns:
            wish = self._wishes.pop()
            self._left[wish.clip] -= 1
            if wish.time_ns >= shown.start_ns:  # else: before the first frame
                self._collectors[wish.clip].add(wish.step, shown.start_ns, shown.prepare())
        return True


class Sounds:
    """Hands every span its waveform."""

    def __init__(
        self, container: InputContainer, timeline: Timeline, limits: Limits, first_channel: bool = False
    ) -> None:
        self.undecodable = False
        self._timeline = timeline
        self.reader = SoundReader(container, timeline, limits, first_channel)
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
        waveform = self._open.pop(clip)
        lacking = [Remark.NO_PICTURES] if self._timeline.no_pictures else []
        lacking += [Remark.NO_SOUND] if self.undecodable else []
        remarks = _said([*self._timeline.remarks, *self.reader.remarks], waveform.grid.span, lacking)
        return replace(waveform.finish(), remarks=remarks)

    def _admit(self, clip: int) -> None:
        while self._waiting and self._waiting[-1][0] <= clip:
            index, request = self._waiting.pop()
            self._open[index] = SpanWaveform(request.grid, self.reader.rate)

    def _advance(self) -> bool:
        block = next(self._blocks, None)
        if block is None:
            self.undecodable = self._position is None
            if self.undecodable and self._timeline.video is None:
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
