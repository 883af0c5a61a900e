"""How much of the time somebody speaks, by one measure for all rows: Silero's detector."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from signals.signal import NOTHING, Measured, Signal, Sound

CHUNK = 512  # samples, 32 ms: what the detector hears at once
LANE = 64  # chunks of a lane, about 2 s; the lanes of a span are heard side by side
BEFORE = 16  # chunks that a lane hears first, to know where it is
SPEAKS = 0.5  # the detector's own threshold
_ONE_AT_A_TIME = threading.Lock()  # it holds state while it hears


def _speech(sound: Sound) -> Measured:
    if not sound.heard.size:
        return NOTHING
    spoken = np.repeat(probabilities(sound.waveform) >= SPEAKS, CHUNK)[: sound.waveform.size]
    steps = Sound(spoken.astype(np.float32), sound.mask)
    return Measured(float(steps.heard.mean()), steps.by_step(lambda part: float(part.mean())))


def probabilities(wave: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """float32 [ceil(n / 512)]: that somebody speaks, for each 32 ms of a 16 kHz waveform [n]."""
    import torch

    chunks = -(-wave.size // CHUNK)
    lanes = -(-chunks // LANE)
    padded = np.zeros((BEFORE + lanes * LANE) * CHUNK, np.float32)
    padded[BEFORE * CHUNK : BEFORE * CHUNK + wave.size] = wave
    starts = np.arange(lanes)[:, None] * LANE * CHUNK
    lined = torch.from_numpy(padded[starts + np.arange((BEFORE + LANE) * CHUNK)[None]])
    found = np.zeros((lanes, BEFORE + LANE), np.float32)
    with _ONE_AT_A_TIME, _one_thread(), torch.inference_mode():
        detector = _detector()
        detector.reset_states()
        for at in range(BEFORE + LANE):
            heard = detector(lined[:, at * CHUNK : (at + 1) * CHUNK], 16_000)
            found[:, at] = heard[:, 0].numpy()
    return found[:, BEFORE:].reshape(-1)[:chunks]


@cache
def _detector() -> Any:
    from silero_vad import load_silero_vad

    return load_silero_vad()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Of torch: tiny steps, and the package sets one thread for the whole process when it is imported."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


SIGNAL = Signal(
    name="speech_share",
    unit="share of the sound's time",
    resolution="32 ms; a step",
    tolerance="0.05 against the detector's own reading in one piece; 0.15 on speech between silences",
    source="Silero VAD 6 (its package's weights, MIT), probability 0.5 or more, in lanes of 2 s",
    series=True,
    of_sound=_speech,
)
