"""A row's features depend on the row alone: not on its neighbours, its place, the threads or the process."""

import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from featurizers.registry import load, resolve
from featurizers.running.batches import FixedBatches

DTYPES = ("float32", "bfloat16")


def frames(n, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, 224, 224, 3), np.uint8)


def waveform(samples, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)


@pytest.mark.parametrize("dtype", DTYPES)
def test_frames_do_not_depend_on_their_batch(dtype):
    encoder = load(resolve("clip", "clip:random:vit-b-32", device="cpu", dtype=dtype))
    ten = frames(10)
    (whole,) = encoder.encode([ten])
    (alone,) = encoder.encode([ten[9:]])
    _, second, third = encoder.encode([frames(3, seed=1), ten[:6], ten[6:]])
    np.testing.assert_array_equal(alone.array, whole.array[9:])
    np.testing.assert_array_equal(np.concatenate([second.array, third.array]), whole.array)


@pytest.mark.parametrize("dtype", DTYPES)
def test_windows_do_not_depend_on_their_batch(dtype):
    encoder = load(resolve("whisper", "whisper:random:tiny", device="cpu", dtype=dtype))
    long, short = waveform(500_000), waveform(9_000, seed=1)
    (alone,) = encoder.encode([long])
    (tail,) = encoder.encode([long[480_000:]])
    _, among, _ = encoder.encode([short, long, short])
    np.testing.assert_array_equal(among.array, alone.array)
    np.testing.assert_array_equal(tail.array, alone.array[60:])


INPUTS = {"clip:random:vit-b-32": frames(3), "whisper:random:tiny": waveform(9_000)}

DIGESTS = """
import hashlib, json, sys
import numpy as np, torch
from featurizers.registry import load, resolve
found = []
for dtype in ("float32", "bfloat16"):
    for spec, item in (
        ("clip:random:vit-b-32", np.random.default_rng(0).integers(0, 256, (3, 224, 224, 3), np.uint8)),
        ("whisper:random:tiny", np.random.default_rng(0).normal(0, 0.1, 9_000).astype(np.float32)),
    ):
        encoder = load(resolve("x", spec, device="cpu", dtype=dtype))
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            array = encoder.encode([item])[0].array
            found.append((spec, dtype, threads, hashlib.sha256(array.tobytes()).hexdigest()))
json.dump(found, sys.stdout)
"""


def test_neither_threads_nor_a_new_process_change_a_bit():
    run = subprocess.run([sys.executable, "-c", DIGESTS], capture_output=True, check=True)
    found = json.loads(run.stdout)
    assert len(found) == 12
    here = {}
    for spec, dtype, threads, digest in found:
        if (spec, dtype) not in here:
            encoder = load(resolve("x", spec, device="cpu", dtype=dtype))
            array = encoder.encode([INPUTS[spec]])[0].array
            here[spec, dtype] = hashlib.sha256(array.tobytes()).hexdigest()
        assert here[spec, dtype] == digest, (spec, dtype, threads)


def double(rows, size):
    batch = torch.zeros(size, 2)
    batch[: len(rows)] = torch.tensor(np.stack(rows))
    return batch * 2


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA"), MemoryError(), RuntimeError("can't allocate memory")]
)
def test_out_of_memory_halves_the_batch(error):
    sizes = []

    def forward(rows, size):
        sizes.append(size)
        if size > 2:
            raise error
        return double(rows, size)

    batches = FixedBatches(8)
    inputs = [np.arange(6, dtype=np.float32).reshape(3, 2), np.arange(6, 10, dtype=np.float32).reshape(2, 2)]
    outputs = batches.run(inputs, (2,), forward)
    for output, rows in zip(outputs, inputs, strict=True):
        np.testing.assert_array_equal(output, rows * 2)
    assert sizes == [8, 4, 2, 2, 2]
    assert batches.size == 2


def test_out_of_memory_with_one_row_is_raised():
    def forward(rows, size):
        raise torch.OutOfMemoryError("CUDA")

    with pytest.raises(torch.OutOfMemoryError):
        FixedBatches(1).run([np.ones((1, 2), np.float32)], (2,), forward)


@pytest.mark.parametrize("value", [np.nan, np.inf, 70_000.0])
def test_features_that_float16_cannot_hold_are_refused(value):
    rows = np.array([[1.0, value]], np.float32)
    with pytest.raises(ValueError, match="not finite"):
        FixedBatches(4).run([rows], (2,), double)
