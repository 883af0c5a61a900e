"""int8 with a scale a vector, against float16 that it stands for."""

import numpy as np
import pytest

from schemas.features import dequantised, entry_bytes, quantised
from schemas.shard import npy_array, read_extent


def features() -> np.ndarray:
    """Vectors of very different size, some with a few large numbers, as encoders give them."""
    random = np.random.default_rng(0)
    values = random.standard_normal((6, 25, 384)).astype(np.float32)
    values[..., 7] *= 12
    return (values * 10.0 ** random.integers(-3, 3, (6, 25, 1))).astype(np.float16)


def test_every_vector_keeps_its_direction_and_length():
    values = features().astype(np.float64)
    again = dequantised(*quantised(features())).astype(np.float64)
    lengths = np.linalg.norm(values, axis=-1), np.linalg.norm(again, axis=-1)
    assert ((values * again).sum(-1) / lengths[0] / lengths[1]).min() > 0.998
    assert np.abs(lengths[1] / lengths[0] - 1).max() < 0.01


def test_no_number_is_off_by_more_than_half_a_step():
    steps, scale = quantised(features())
    assert steps.dtype == np.int8
    assert scale.shape == (6, 25, 1)
    off = np.abs(steps * scale - features().astype(np.float32))
    assert (off <= scale * 0.501).all()


def test_zeros_stay_zeros_and_the_largest_float16_stays_finite():
    values = np.zeros((2, 3, 4), np.float16)
    values[1, 2] = [65504, -65504, 1, 0]
    again = dequantised(*quantised(values))
    assert not again[0].any()
    assert np.isfinite(again).all()
    assert again[1, 2].tolist() == [65504, -65504, 0, 0]


@pytest.mark.parametrize("store", ["float16", "int8"])
def test_an_entry_of_nothing_and_of_something(store):
    for values in (features(), np.zeros((0, 3, 4), np.float16)):
        entry = entry_bytes(values, store)
        assert entry == entry_bytes(values, store)
        if store == "float16":
            assert np.array_equal(npy_array(entry), values)
        else:
            members = {name: npy_array(content) for name, content in read_extent(entry).items()}
            assert [members[name].shape for name in ("npy", "scale.npy")] == [
                values.shape,
                (*values.shape[:-1], 1),
            ]
