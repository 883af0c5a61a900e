"""Why an input was not turned into samples: a closed set, so that a ledger can be counted and retried."""

from __future__ import annotations

import enum


class Stage(enum.StrEnum):
    """Where in the job an input was rejected."""

    SOURCE = "source"
    PROBE = "probe"
    PLAN = "plan"
    DECODE = "decode"
    FEATURIZE = "featurize"


class Reason(enum.StrEnum):
    """The class of a rejection."""

    NOT_FOUND = "not_found"
    UNREADABLE = "unreadable"  # permissions, I/O errors
    EMPTY_FILE = "empty_file"
    NOT_MEDIA = "not_media"  # no demuxer recognises the bytes
    REFUSED_FORMAT = "refused_format"  # playlists and anything that opens other files
    CORRUPT = "corrupt"  # recognised, but nothing in it decodes
    NO_STREAMS = "no_streams"  # neither sound nor pictures
    MISSING_MODALITY = "missing_modality"  # the row asks for sound or pictures that the media lacks
    SPAN_OUT_OF_RANGE = "span_out_of_range"
    TOO_LARGE = "too_large"  # over a limit on bytes, pixels, streams, duration or memory
    TIMED_OUT = "timed_out"
    DECODER_CRASHED = "decoder_crashed"
    ENCODER_FAILED = "encoder_failed"


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
