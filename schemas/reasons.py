"""Why an input was not turned into samples: a closed set, so that a ledger can be counted and retried."""

from __future__ import annotations

import enum

from schemas.grid import SECOND_NS


class Stage(enum.StrEnum):
    """Where in the job an input was rejected."""

    SOURCE = "source"  # finding and reading files and manifests
    PROBE = "probe"  # what a file holds
    PLAN = "plan"  # spans and modalities
    DECODE = "decode"  # packets to frames and sound
    FEATURIZE = "featurize"  # the encoders
    WHERE = "where"  # decoded, and kept out by --where


class Reason(enum.StrEnum):
    """The class of a rejection."""

    BAD_ROW = "bad_row"  # a manifest's row that is wrong, with --skip-bad-rows
    NOT_FOUND = "not_found"  # no such file
    UNREADABLE = "unreadable"  # permissions, a folder or a pipe, a damaged tar
    CHANGED = "changed"  # replaced or written to between its listing and its last frame
    EMPTY_FILE = "empty_file"  # no bytes, or a tar without media
    NOT_MEDIA = "not_media"  # no demuxer recognises the bytes
    REFUSED_FORMAT = "refused_format"  # playlists and anything that opens other files
    CORRUPT = "corrupt"  # recognised, but nothing in it decodes
    NO_STREAMS = "no_streams"  # neither sound nor pictures
    MISSING_MODALITY = "missing_modality"  # the row asks for sound or pictures that the media lacks
    SPAN_OUT_OF_RANGE = "span_out_of_range"  # the row's start or end lies outside the medium
    TOO_LARGE = "too_large"  # over a limit on bytes, pixels, streams, duration or memory
    TIMED_OUT = "timed_out"  # decoding took longer than it may
    DECODER_CRASHED = "decoder_crashed"  # twice, in fresh processes
    ENCODER_FAILED = "encoder_failed"  # twice, while another input went well
    FILTERED = "filtered"  # by the rule that the detail holds; such an input is no rejected one


PASSING = frozenset({Reason.NOT_FOUND, Reason.CHANGED})  # of what may be otherwise at the next look


class MediaError(Exception):
    """A bad input, to be written to the ledger as it is. Never raised for a bug."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


class MachineError(Exception):
    """The machine failed, or we did: processes, memory, descriptors, a GPU, a bug. One line; nothing about an
    input follows from it."""


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
