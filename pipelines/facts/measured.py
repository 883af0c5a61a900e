"""The signals of one decoded stream, as the cache holds them."""

from __future__ import annotations

import numpy as np

from schemas.grid import SECOND_NS, ns_to_seconds
from schemas.media import DecodedAudio, DecodedClip, DecodedFrames
from schemas.selection.signals import entry_bytes
from signals.registry import measure
from signals.signal import Film, Pictures, Sound


def measured(decoded: DecodedFrames | DecodedAudio, start_ns: int, still: bool, film: Film | None) -> bytes:
    """The entry; `start_ns`: where the span begins. What is said of a film takes the place of what the grid's
    frames say."""
    if isinstance(decoded, DecodedAudio):
        return entry_bytes(*measure(Sound(decoded.waveform, decoded.mask)))
    made = {name: np.asarray(one) for name, one in decoded.prepared.items() if name.startswith("signals.")}
    pictures = Pictures(ns_to_seconds(start_ns), decoded.frame_of_step, made, still)
    values, series = measure(pictures)
    if film is not None:
        more, _ = measure(film)
        values |= more
    return entry_bytes(values, series)


def film_of(clip: DecodedClip, with_sound: bool) -> Film | None:
    """Every frame of a clip, with its sound if that lies in the same file; None: they were not wanted."""
    if clip.film is None:
        return None
    span = clip.grid.span
    audio = clip.audio if with_sound else None
    return Film(
        start_s=ns_to_seconds(span.start_ns),
        frames=clip.film.frames,
        times_s=(clip.film.pts_ns - span.start_ns) / SECOND_NS,
        length_s=ns_to_seconds(span.duration_ns),
        sound=Sound(audio.waveform, audio.mask) if audio and audio.mask.any() else None,
    )
