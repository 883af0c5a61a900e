"""A decoded frame -> RGB, upright, square pixels, as the ffmpeg command makes it with `-pix_fmt rgb24`."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from fractions import Fraction

import av
import av.filter
import numpy as np
import numpy.typing as npt
from av.buffer import Buffer
from av.sidedata.sidedata import Type as SideData

from decoders.limits import Limits
from decoders.streams import nvdec
from schemas.reasons import MediaError, Reason

# FFmpeg's names of AVColorSpace and AVColorRange values, for the `buffer` source.
_RANGES = {1: "tv", 2: "pc"}
_SPACES = {
    0: "gbr", 1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "ycgco", 9: "bt2020nc",
    10: "bt2020c",
}  # fmt: skip


def _unnamed(kind: type[SideData], value: object) -> SideData:
    """A kind of side data that PyAV has no name for (EXIF, in FFmpeg 8.1), so that it hides no others."""
    made = object.__new__(kind)
    made._name_, made._value_ = f"UNNAMED_{value}", value  # type: ignore[assignment]
    return made


SideData._missing_ = classmethod(_unnamed)  # type: ignore[assignment,method-assign]


def orientation_filters(frame: av.VideoFrame) -> list[str]:
    """The filters that the ffmpeg command inserts for a display matrix (fftools/ffmpeg_filter.c)."""
    matrix = display_matrix(frame)
    if matrix is None:
        return []
    theta = -frame.rotation % 360
    if abs(theta - 90) < 1:
        return ["transpose=cclock_flip" if matrix[3] > 0 else "transpose=clock"]
    if abs(theta - 180) < 1:
        return ["hflip"] * (matrix[0] < 0) + ["vflip"] * (matrix[4] < 0)
    if abs(theta - 270) < 1:
        return ["transpose=clock_flip" if matrix[3] < 0 else "transpose=cclock"]
    return ["vflip"] if matrix[4] < 0 else []


def display_matrix(frame: av.VideoFrame) -> tuple[int, ...] | None:
    """The nine 16.16 / 2.30 fixed-point numbers that come with a rotated or mirrored picture."""
    found: Mapping[object, Buffer] = frame.side_data  # type: ignore[assignment]  # PyAV's stub is of another thing
    if SideData.DISPLAYMATRIX not in found:
        return None
    return struct.unpack_from("<9i", bytes(found[SideData.DISPLAYMATRIX]))


def square_size(width: int, height: int, aspect: Fraction | None) -> tuple[int, int]:
    """The picture's size with square pixels: its height is kept (scale=iw*sar:ih)."""
    if not aspect or not Fraction(1, 16) <= aspect <= 16:
        return width, height
    return max(1, round(width * aspect)), height


class ToRGB:
    """Converts a stream's frames; rebuilt when their size, format or colour changes."""

    def __init__(self, aspect: Fraction | None, limits: Limits, filters: list[str] | None = None) -> None:
        self.aspect = aspect
        self.limits = limits
        self._filters = filters  # instead of those for the frames' own display matrix
        self._key: tuple[object, ...] | None = None
        self._graph = av.filter.Graph()

    def __call__(self, frame: av.VideoFrame) -> npt.NDArray[np.uint8]:
        """uint8 [H, W, 3].

        Raises:
            MediaError: too_large; corrupt where no conversion exists.
        """
        filters = orientation_filters(frame) if self._filters is None else self._filters
        colour = (int(frame.colorspace), int(frame.color_range))
        key = (frame.width, frame.height, frame.format.name, *colour, *filters)
        try:
            if key != self._key:
                self._graph = self._build(frame, colour, filters)
                self._key = key
            frame.pts = 0
            self._graph.vpush(frame)
            return np.asarray(self._graph.vpull().to_ndarray(), np.uint8)
        except (av.error.FFmpegError, ValueError) as error:
            self._key = None
            raise MediaError(Reason.CORRUPT, f"no way from {frame.format.name} to RGB: {error}") from error

    def _build(self, frame: av.VideoFrame, colour: tuple[int, int], filters: list[str]) -> av.filter.Graph:
        width, height = square_size(frame.width, frame.height, self.aspect)
        self.limits.check_picture(width, height)
        self.limits.check_picture(frame.width, frame.height)
        source = f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}:time_base=1/1"
        source += f":colorspace={_SPACES.get(colour[0], 'unknown')}:range={_RANGES.get(colour[1], 'unknown')}"
        planar = [f"format={nvdec.PLANAR[frame.format.name]}"] if frame.format.name in nvdec.PLANAR else []
        chain = [*planar, f"scale={width}:{height}:flags=bicubic", *filters, "format=rgb24"]
        graph = av.filter.Graph()
        graph.threads = 1
        nodes = [graph.add("buffer", source)]
        for item in chain:
            name, _, arguments = item.partition("=")
            nodes.append(graph.add(name, arguments or None))
        graph.link_nodes(*nodes, graph.add("buffersink")).configure()
        return graph
