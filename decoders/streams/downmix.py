"""Channels -> one, as `ffmpeg -ac 1` mixes them; and a stretch at another rate -> the stream's."""

from __future__ import annotations

import av
import av.audio.frame
import av.filter
import numpy as np
import numpy.typing as npt

_UNNAMED = " channels"  # how libavutil describes a layout of which only the count is known


class Downmix:
    """Mixes a stream's frames with libswresample; rebuilt when their layout or format changes.

    The samples stay at their rate, one for one. (PyAV's own way to an array reads past the end of the
    plane list of a planar frame with eight channels: none but one-channel frames are read here.)
    """

    def __init__(self, first: bool = False) -> None:
        """`first`: the first channel alone, as it is."""
        self._first = first
        self._key: tuple[str, str, int] | None = None
        self._graph = av.filter.Graph()

    def __call__(self, frame: av.audio.frame.AudioFrame) -> npt.NDArray[np.float32]:
        """float32 [samples], full scale 1; what is not a number is silence.

        Raises:
            av.error.FFmpegError: a layout or a format that cannot be converted.
        """
        key = (frame.layout.name, frame.format.name, frame.sample_rate)
        if key != self._key:
            self._graph = _graph(*key, channels=frame.layout.nb_channels, first=self._first)
            self._key = key
        frame.pts = None
        self._graph.push(frame)
        samples = np.asarray(self._graph.pull().to_ndarray(), np.float32).reshape(-1)
        return samples if np.isfinite(samples).all() else np.nan_to_num(samples, posinf=1.0, neginf=-1.0)


class Resampler:
    """A stretch of samples at one rate -> at another, by libswresample; its first sample stays where it was.

    What comes out lags behind what went in: `behind` says by how much, `rest` gives what is left.
    """

    def __init__(self, source: int, target: int) -> None:
        self.source = source
        self._target = target
        self._resampler = av.AudioResampler("flt", "mono", target)
        self._taken = 0
        self._given = 0

    @property
    def behind(self) -> int:
        """Samples at the target's rate."""
        return round(self._taken * self._target / self.source) - self._given

    def __call__(self, samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """float32 [n] -> float32 [m], full scale 1."""
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None]), "flt", "mono")
        frame.sample_rate = self.source
        self._taken += samples.size
        return self._pull(frame)

    def rest(self) -> npt.NDArray[np.float32]:
        """The end of the stretch."""
        behind = self.behind
        return self._pull(None)[: max(0, behind)]

    def _pull(self, frame: av.AudioFrame | None) -> npt.NDArray[np.float32]:
        parts = [part.to_ndarray().reshape(-1) for part in self._resampler.resample(frame)]
        made = np.concatenate(parts, dtype=np.float32) if parts else np.zeros(0, np.float32)
        self._given += made.size
        return made


def _graph(layout: str, sample_format: str, rate: int, channels: int, first: bool) -> av.filter.Graph:
    # rematrix_maxval: the weights add up to at most 1, as they do in the command's 16-bit output.
    mix = ("aresample", "out_chlayout=mono:out_sample_fmt=flt:rematrix_maxval=1")
    if layout.endswith(_UNNAMED):
        if channels > 8:
            weights = "+".join(f"{1 / channels:.6f}*c{i}" for i in range(channels))
            mix = ("pan", f"mono|c0={weights}")
        else:
            layout = av.AudioLayout(_DEFAULTS[channels]).name
    if first:
        mix = ("pan", "mono|c0=c0")
    source = f"sample_rate={rate}:sample_fmt={sample_format}:channel_layout={layout}:time_base=1/{rate}"
    graph = av.filter.Graph()
    graph.threads = 1
    nodes = [graph.add("abuffer", source), graph.add(*mix), graph.add("aformat", "sample_fmts=flt")]
    graph.link_nodes(*nodes, graph.add("abuffersink")).configure()
    return graph


# av_channel_layout_default()
_DEFAULTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
