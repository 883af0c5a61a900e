"""What one media item may cost before it is given up."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.grid import SECOND_NS
from schemas.reasons import MediaError, Reason

FREE_S = 60


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one item; going over one is a MediaError (`too_large`, `timed_out`), never a crash.

    Attributes:
        pixels: width x height of a video's picture, coded or as shown (an 8K frame has 33 million).
        still_pixels: of a photo (phones write up to 200 million; decoded they take 3 bytes each, and more).
        ratio: of a picture's longer side to its shorter (Qwen2-VL's limit, which others took over).
        streams: streams in a container.
        duration_s: seconds between the first and the last presentation time.
        least_rate: bytes a second, beyond the first minute: no medium honestly holds so long with fewer (a
            GIF of 66 bytes says that it lasts 22 minutes; silence in FLAC has over 20). 0: any.
        packets: packets of the streams in use (a day of 60 fps video has 5 million).
        memory_bytes: what a worker process may allocate beyond its state before the first item.
        deadline_s: seconds of work on one item, waiting for the consumer not counted ...
        deadline_per_second: ... plus this much for every second of media up to the last span's end.
    """

    pixels: int = 7680 * 4320
    still_pixels: int = 210_000_000
    ratio: int = 200
    streams: int = 64
    duration_s: float = 24 * 3600.0
    least_rate: float = 8.0
    packets: int = 20_000_000
    memory_bytes: int = 3 << 30
    deadline_s: float = 120.0
    deadline_per_second: float = 2.0

    def check_picture(self, width: int, height: int) -> None:
        """Raises:
        MediaError: too_large, for a video's picture of that size.
        """
        self._check(width, height, self.pixels)

    def check_still(self, width: int, height: int) -> None:
        """Raises:
        MediaError: too_large, for a photo of that size.
        """
        self._check(width, height, self.still_pixels)

    def check_rate(self, size: int, duration_ns: int) -> None:
        """Raises:
        MediaError: too_large, for media that last so long in so few bytes.
        """
        seconds = duration_ns / SECOND_NS
        if (seconds - FREE_S) * self.least_rate > size:
            detail = (
                f"{seconds:.0f} s in {size} bytes: under {self.least_rate:g} bytes a second (--least-rate)"
            )
            raise MediaError(Reason.TOO_LARGE, detail)

    def _check(self, width: int, height: int, pixels: int) -> None:
        if width * height > pixels:
            raise MediaError(Reason.TOO_LARGE, f"a picture of {width} x {height}")
        if max(width, height) > self.ratio * min(width, height):
            detail = f"a picture of {width} x {height}: one side is over {self.ratio} times the other"
            raise MediaError(Reason.TOO_LARGE, detail)

    def seconds_allowed(self, until_ns: int) -> float:
        """Seconds of work that an item may take whose last wanted instant is `until_ns`."""
        return self.deadline_s + self.deadline_per_second * until_ns / SECOND_NS


DEFAULT = Limits()
