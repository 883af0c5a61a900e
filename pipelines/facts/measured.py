"""The signals of one decoded stream, as the cache holds them."""

from __future__ import annotations

import numpy as np

from schemas.grid import ns_to_seconds
from schemas.media import DecodedAudio, DecodedFrames
from schemas.selection.signals import entry_bytes
from signals.registry import measure
from signals.signal import Pictures, Sound


def measured(decoded: DecodedFrames | DecodedAudio, start_ns: int, still: bool) -> bytes:
    """The entry; `start_ns`: where the span begins."""
    if isinstance(decoded, DecodedAudio):
        return entry_bytes(*measure(Sound(decoded.waveform, decoded.mask)))
    made = {name: np.asarray(one) for name, one in decoded.prepared.items() if name.startswith("signals.")}
    pictures = Pictures(ns_to_seconds(start_ns), decoded.frame_of_step, made, still)
    return entry_bytes(*measure(pictures))
