"""One span's 16 kHz waveform out of blocks at the native rate, in bounded memory and without seams.

native lattice   n / rate              (rounded to the nearest sample at the span's start)
output lattice   start + i / 16000     torchaudio's kernel sees every chunk with its surroundings,
                                       so two chunks, or two overlapping spans, agree sample for sample
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from decoders.streams.audio import Sound
from schemas.grid import SAMPLE_NS, SAMPLE_RATE, SECOND_NS, STEP_NS, Grid
from schemas.media import DecodedAudio

CHUNK_SECONDS = 8
LOWPASS_ZEROS = 6  # torchaudio's default filter: this many zero crossings a side
ROLLOFF = 0.99
LARGEST_KERNEL = 4_000_000  # elements of torchaudio's table; 44.1 kHz needs 77,000


def interpolate(
    native: npt.NDArray[np.float32], first: int, count: int, rate: int
) -> npt.NDArray[np.float32]:
    """torchaudio's windowed sinc, output by output: its table of kernels for 44,099 Hz would take gigabytes.

    Args:
        native: float32 [samples], with the filter's support on both sides of what is wanted.
        first: index of the sample at the first output's instant.
        count: outputs.
        rate: of `native`, in Hz.

    Returns:
        float32 [count], at 16 kHz.
    """
    cutoff = min(rate, SAMPLE_RATE) * ROLLOFF
    reach = math.ceil(LOWPASS_ZEROS * rate / cutoff)
    out = np.empty(count, np.float32)
    for start in range(0, count, SAMPLE_RATE):
        centre = np.arange(start, min(start + SAMPLE_RATE, count)) * (rate / SAMPLE_RATE)
        taps = np.floor(centre).astype(np.int64)[:, None] + np.arange(-reach, reach + 2)
        time = np.clip((taps - centre[:, None]) * (cutoff / rate), -LOWPASS_ZEROS, LOWPASS_ZEROS)
        kernel = np.sinc(time) * np.cos(time * np.pi / LOWPASS_ZEROS / 2) ** 2 * (cutoff / rate)
        values = native[np.clip(taps + first, 0, native.size - 1)]
        out[start : start + len(centre)] = (kernel * values).sum(1)
    return out


class SpanWaveform:
    """Collects one span. Blocks come in order of time."""

    def __init__(self, grid: Grid, rate: int) -> None:
        self.grid = grid
        self.rate = rate
        divisor = math.gcd(rate, SAMPLE_RATE)
        self._native_period, self._out_period = rate // divisor, SAMPLE_RATE // divisor
        support = math.ceil(LOWPASS_ZEROS * max(rate, SAMPLE_RATE) / SAMPLE_RATE / ROLLOFF) + 2
        self._margin_periods = -(-support // self._native_period)
        self._margin = self._margin_periods * self._native_period
        self.first = round(grid.span.start_ns * rate / SECOND_NS)
        chunk_periods = max(1, CHUNK_SECONDS * SAMPLE_RATE // self._out_period)
        self._chunk_native = chunk_periods * self._native_period
        self._chunk_out = chunk_periods * self._out_period
        self._native = np.zeros(self._chunk_native + 2 * self._margin, np.float32)
        self._chunk = 0
        self.waveform = np.zeros(grid.span.samples, np.float32)
        self.mask = np.zeros(grid.steps, np.uint8)
        self._chunks = -(-self.waveform.size // self._chunk_out)
        self.wanted_from = self.first - self._margin
        self.wanted_until = self.first + self._chunks * self._chunk_native + self._margin

    def add(self, sound: Sound) -> None:
        self._mark(sound)
        position, samples = sound.first, sound.samples
        while self._chunk < self._chunks:
            base = self.wanted_from + self._chunk * self._chunk_native
            low = max(position, base)
            high = min(position + samples.size, base + self._native.size)
            if low < high:
                self._native[low - base : high - base] = samples[low - position : high - position]
            if position + samples.size < base + self._native.size:
                return
            self._flush()

    def finish(self) -> DecodedAudio:
        """The waveform; silence wherever no block came."""
        while self._chunk < self._chunks:
            self._flush()
        return DecodedAudio(self.waveform, self.mask)

    def _flush(self) -> None:
        start = self._chunk * self._chunk_out
        out = self.waveform[start : start + self._chunk_out]
        if self._native.any():
            out[:] = self._resample(self._native)[: out.size]
            np.clip(out, -1.0, 1.0, out=out)  # as 16-bit output would
        overlap = 2 * self._margin
        self._native[:overlap] = self._native[self._chunk_native :].copy()
        self._native[overlap:] = 0
        self._chunk += 1

    def _resample(self, native: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The outputs from the end of the first margin on."""
        if self.rate == SAMPLE_RATE:
            return native[self._margin :]
        if self._out_period * self._native_period > LARGEST_KERNEL:
            return interpolate(native, self._margin, self._chunk_out, self.rate)
        from decoders.streams.resampling import resample

        return resample(native, self.rate)[self._margin_periods * self._out_period :]

    def _mark(self, sound: Sound) -> None:
        """Steps that this block sounds in, by more than half an output sample."""
        span = self.grid.span
        begin = max(sound.first * SECOND_NS // self.rate, span.start_ns) - span.start_ns
        end = min((sound.first + sound.samples.size) * SECOND_NS // self.rate, span.end_ns) - span.start_ns
        if end - begin > SAMPLE_NS // 2:
            self.mask[(begin + SAMPLE_NS // 2) // STEP_NS : -(-(end - SAMPLE_NS // 2) // STEP_NS)] = 1
