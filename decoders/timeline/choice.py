"""Which of a container's streams are the medium's pictures and its sound."""

from __future__ import annotations

from collections.abc import Sequence

import av
import av.container
import av.stream
import langcodes
from langcodes.tag_parser import LanguageTagError

from decoders.timeline.files import MediaFile
from decoders.timeline.programs import programs
from schemas.reasons import MediaError, Reason

_D = av.stream.Disposition
# Tracks that are beside the main one: a director's commentary, descriptions for the blind, effects alone.
_BESIDE = (
    _D.comment | _D.lyrics | _D.karaoke | _D.hearing_impaired | _D.visual_impaired | _D.clean_effects
    | _D.non_diegetic | _D.descriptions | _D.dependent
)  # fmt: skip


def video_stream(container: av.container.InputContainer) -> av.VideoStream | None:
    """The moving pictures that the ffmpeg command would pick: default ones, the largest, no cover art; of an
    AVIF, the sequence and not its still picture."""
    streams = [
        stream
        for stream in container.streams.video
        if not stream.disposition & _D.attached_pic and stream.codec_context
    ]
    return max(streams, key=_video_score, default=None)


def audio_stream(
    container: av.container.InputContainer, file: MediaFile, video: av.VideoStream | None, track: str = ""
) -> av.AudioStream | None:
    """The sound, of the same program as the pictures.

    Args:
        container, file: the same medium.
        video: the pictures in use.
        track: "" for the main one: what the container marks as the default, none that is said to be beside
            the main sound, the first; else a number that counts from 1, or a language (en, eng, de-AT).

    Raises:
        MediaError: missing_modality, where there is sound but no such track.
    """
    streams = [stream for stream in container.streams.audio if stream.codec_context is not None]
    # What FFmpeg knows no rate of it only took for sound (pictures without a sequence header, in MPEG-PS).
    streams = [stream for stream in streams if stream.codec_context.sample_rate] or streams
    if not streams or not track:
        return min(_of_program(container, file, video, streams), key=_beside, default=None)
    if track.isdecimal():
        chosen = streams[int(track) - 1 : int(track)] if int(track) else []
    else:
        chosen = [stream for stream in streams if _speaks(stream, track)]
    if not chosen:
        there = ", ".join(f"{number} {stream.language or 'und'}" for number, stream in enumerate(streams, 1))
        raise MediaError(Reason.MISSING_MODALITY, f"no sound track {track!r}: there are {there}")
    return min(_of_program(container, file, video, chosen), key=_beside)


def picked_before(container: av.container.InputContainer) -> av.AudioStream | None:
    """The sound that favor-data 0.1.0 picked: the default one with most channels."""
    streams = [stream for stream in container.streams.audio if stream.codec_context is not None]
    return max(streams, key=lambda s: s.codec_context.channels + 5_000_000 * _is_default(s), default=None)


def language(text: str) -> str:
    """An ISO 639 or BCP 47 language's shortest name ("eng" -> "en").

    Raises:
        ValueError: none.
    """
    try:
        found = langcodes.Language.get(text)
    except LanguageTagError as error:
        raise ValueError(f"{text!r} is no language") from error
    if not found.language or not found.is_valid():
        raise ValueError(f"{text!r} is no language")
    return str(found.language)


def _speaks(stream: av.AudioStream, wanted: str) -> bool:
    try:
        return language(stream.language or "") == language(wanted)
    except ValueError:
        return False


def _of_program(
    container: av.container.InputContainer,
    file: MediaFile,
    video: av.VideoStream | None,
    streams: Sequence[av.AudioStream],
) -> Sequence[av.AudioStream]:
    """Those of the pictures' program; all where it has none."""
    if container.format.name != "mpegts" or video is None or len(streams) < 2:
        return streams
    together = [pids for pids in programs(file) if video.id in pids]
    return [stream for stream in streams if any(stream.id in pids for pids in together)] or streams


def _video_score(stream: av.VideoStream) -> tuple[bool, int]:
    context = stream.codec_context
    alone = stream.frames == 1 and "avif" in stream.container.metadata.get("compatible_brands", "")
    return not alone, context.width * context.height + 5_000_000 * _is_default(stream)


def _beside(stream: av.AudioStream) -> tuple[bool, bool, int]:
    return bool(stream.disposition & _BESIDE), not _is_default(stream), stream.index


def _is_default(stream: av.stream.Stream) -> bool:
    return bool(stream.disposition & _D.default)
