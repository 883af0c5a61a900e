"""What the headers of a sample's media say, as columns of the index."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.records import Probed
from schemas.grid import SECOND_NS
from schemas.media import MediaInfo, Modality
from schemas.sample import Source

HEADERS = ("width", "height", "fps", "video_codec", "audio_codec", "bit_rate", "start_offset_ms")
_MS_NS = 1_000_000


def of_media(media: Mapping[Modality, Source], probed: Mapping[str, Probed]) -> tuple[Any, ...]:
    """A value for each of HEADERS, None where it does not apply.

    Pictures are the video's, or the image's; the bit rate is that of their whole file, or of the sound's.
    """
    found: dict[str, Any] = dict.fromkeys(HEADERS)
    seen = media.get(Modality.VIDEO) or media.get(Modality.IMAGE)
    heard = media.get(Modality.AUDIO)
    if seen:
        found |= _pictures(probed[seen.uri].info)
    if heard and (sound := probed[heard.uri].info.audio):
        found["audio_codec"] = sound.codec
    if first := seen or heard:
        found["bit_rate"] = _bit_rate(probed[first.uri])
    if seen and heard and seen.uri == heard.uri:
        found["start_offset_ms"] = _start_offset(probed[seen.uri].info)
    return tuple(found[name] for name in HEADERS)


def _pictures(info: MediaInfo) -> dict[str, Any]:
    video = info.video
    if video is None:
        size = info.image_size or (None, None)
        return {"width": size[0], "height": size[1]}
    length = video.end_ns - video.start_ns
    fps = round(video.frames * SECOND_NS / length, 3) if length > 0 else None
    return {"width": video.width, "height": video.height, "fps": fps, "video_codec": video.codec}


def _bit_rate(probed: Probed) -> int | None:
    if not probed.size or not probed.info.duration_ns:
        return None
    return round(8 * probed.size * SECOND_NS / probed.info.duration_ns)


def _start_offset(info: MediaInfo) -> float | None:
    if info.video is None or info.audio is None:
        return None
    return (info.audio.start_ns - info.video.start_ns) / _MS_NS
