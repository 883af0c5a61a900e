"""What a user can do about an input that was rejected, by the ledger's reason."""

from __future__ import annotations

from schemas.reasons import Reason

REMEDIES = {
    Reason.BAD_ROW: "The manifest's row is wrong: the detail names the field. Mend it, then build again.",
    Reason.NOT_FOUND: "The file was not there. Bring it back, then build with --retry not_found.",
    Reason.UNREADABLE: "The file may not be read, or the disk failed. Mend that, then --retry unreadable.",
    Reason.CHANGED: "The file was written to while it was read. Build again when it rests.",
    Reason.EMPTY_FILE: "The file has no bytes: a failed download. Fetch it again, then build again.",
    Reason.NOT_MEDIA: "No demuxer knows the bytes: often a web page or a text saved under a media name.",
    Reason.REFUSED_FORMAT: "A playlist, or another file that opens files. Name the media themselves.",
    Reason.CORRUPT: "It is media, and nothing in it decodes. ffmpeg -i FILE -f null - says what is wrong.",
    Reason.NO_STREAMS: "Neither sound nor pictures: subtitles or data alone. Leave it out.",
    Reason.MISSING_MODALITY: "The row asks for sound or pictures that the file lacks: name it as media.",
    Reason.SPAN_OUT_OF_RANGE: "The row's start or end lies outside the medium: are they seconds?",
    Reason.TOO_LARGE: "Over a limit on bytes, pixels, streams, duration or memory. Cut or scale it first.",
    Reason.TIMED_OUT: "Decoding stood still. On a loaded machine try --retry timed_out.",
    Reason.DECODER_CRASHED: "The decoder died of it twice. Re-encode it with the ffmpeg command.",
    Reason.ENCODER_FAILED: "An encoder raised on it: the detail says what. Then --retry encoder_failed.",
    Reason.FILTERED: "Your --where leaves it out. Another condition takes it in at the next build.",
}


def remedy(reason: str) -> str:
    """In a sentence; a reason of a later version has none."""
    return REMEDIES.get(Reason(reason), "") if reason in set(Reason) else ""
