"""torchaudio's resampling. Imported late: torch takes two seconds that probing need not wait for."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import torchaudio.functional

from schemas.grid import SAMPLE_RATE


def resample(native: npt.NDArray[np.float32], rate: int) -> npt.NDArray[np.float32]:
    """float32 [samples] at `rate` Hz -> float32 at 16 kHz."""
    return np.asarray(torchaudio.functional.resample(torch.from_numpy(native), rate, SAMPLE_RATE).numpy())


resample(np.zeros(441, np.float32), 44_100)  # torch looks at the CPU now: a decoder may not read /proc
