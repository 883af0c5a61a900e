"""What a sample's media had about them that whoever trains on it may want to know: a closed set."""

from __future__ import annotations

import enum

from schemas.grid import SECOND_NS


class Remark(enum.StrEnum):
    """What was found in the media of a sample that was built all the same."""

    JOINED = "joined"  # time begins again: a recording, a link or a restarted stream follows another
    CUT_SHORT = "cut_short"  # the demuxer cannot read on from here
    PICTURES_CHANGE = "pictures_change"  # another configuration or palette
    NO_PICTURES = "no_pictures"  # there is a video stream, and nothing of it can be decoded
    SOUND_CHANGES = "sound_changes"  # another sample rate or channel layout
    SOUND_GAP = "sound_gap"  # the timestamps leave out some time, or go back over it
    SOUND_LOST = "sound_lost"  # packets that did not decode
    NO_SOUND = "no_sound"  # there is an audio stream, and nothing of it can be decoded

    def at(self, time_ns: int | None = None) -> str:
        """As KEY.json has it: `joined@4.032`, in seconds of the media's time; without one, the name alone."""
        return str(self) if time_ns is None else f"{self}@{time_ns / SECOND_NS:.3f}"
