"""What a file holds, read packet by packet; only the first picture is decoded, for its orientation."""

from __future__ import annotations

import os

import av
import av.container

from decoders.limits import DEFAULT, Limits
from decoders.streams.audio import RATES
from decoders.streams.formats import is_motion_jpeg, looks_like_image
from decoders.streams.picture import orientation_filters, square_size
from decoders.streams.still import read_image
from decoders.streams.video import first_picture
from decoders.timeline import webp
from decoders.timeline.container import open_media, read_head, stream_at
from decoders.timeline.files import MediaFile, opened
from decoders.timeline.timeline import Timeline, read_timeline
from schemas.media import AudioStream, MediaInfo, VideoStream
from schemas.reasons import MediaError, Reason


def probe(file: MediaFile, limits: Limits = DEFAULT, audio_track: str = "") -> MediaInfo:
    """Demux all of one local file; `audio_track` as decoders/timeline/choice.py has it.

    Raises:
        MediaError: not_found, unreadable, empty_file, not_media, refused_format, corrupt, no_streams,
            missing_modality, too_large.
    """
    size = None
    head = read_head(file)
    if looks_like_image(head):
        size, moves = read_image(file, limits)
        if not (moves or is_motion_jpeg(file, head)):
            return MediaInfo("image", 0, image_size=size)
    timeline = read_timeline(file, limits, audio_track)
    with opened(file) as descriptor:
        limits.check_rate(os.fstat(descriptor).st_size, timeline.duration_ns)
    if webp.is_animated(head) and timeline.video is not None and size is not None:
        frames = VideoStream(webp.CODEC, *size, 0, timeline.duration_ns, len(timeline.video.pts))
        return MediaInfo(webp.CODEC, timeline.duration_ns, frames, None, size)
    with open_media(file, limits) as container:
        audio = _audio(container, timeline)
        video = _video(container, timeline, limits)
        return MediaInfo(container.format.name, timeline.duration_ns, video, audio, size, timeline.mended)


def _audio(container: av.container.InputContainer, timeline: Timeline) -> AudioStream | None:
    track = timeline.audio
    if track is None:
        return None
    context = stream_at(container, track.index, av.AudioStream).codec_context
    if not context.sample_rate or not RATES[0] <= context.sample_rate <= RATES[1]:
        raise MediaError(Reason.CORRUPT, f"sound of {context.sample_rate} Hz")
    start, end = max(0, timeline.to_ns(track.start)), timeline.to_ns(track.end)
    return AudioStream(context.name, context.sample_rate, context.channels, start, end)


def _video(container: av.container.InputContainer, timeline: Timeline, limits: Limits) -> VideoStream | None:
    track = timeline.video
    if track is None:
        return None
    stream = stream_at(container, track.index, av.VideoStream)
    context = stream.codec_context
    frame = first_picture(container, stream, limits)
    width, height = (frame.width, frame.height) if frame is not None else (context.width, context.height)
    limits.check_picture(width, height)
    width, height = square_size(width, height, stream.sample_aspect_ratio)
    if frame is not None and any(name.startswith("transpose") for name in orientation_filters(frame)):
        width, height = height, width
    start, end = max(0, timeline.to_ns(track.start)), timeline.to_ns(track.end)
    frames = int((~track.discard).sum())
    return VideoStream(context.codec.canonical_name, width, height, start, end, frames)
