"""On an NVIDIA GPU: the CPU's features, whatever the batch, the streams and the memory. Needs no Beam."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from whisper.audio import log_mel_spectrogram

from featurizers.featurizer import Encoder
from featurizers.registry import load, resolve
from featurizers.running import transformer
from featurizers.running.transfer import download, upload
from featurizers.whisper.log_mel import together

DTYPES = {"float16": 0.999, "bfloat16": 0.998, "float32": 0.9999}
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")


def frames(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, 224, 224, 3), np.uint8)


def waveform(samples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)


def cosines(here: np.ndarray, there: np.ndarray) -> torch.Tensor:
    a, b = (torch.from_numpy(found).double().flatten(0, -2) for found in (here, there))
    return torch.nn.functional.cosine_similarity(a, b)


def loaded(spec: str, device: str = "cuda", dtype: str = "float16") -> Encoder:
    return load(resolve("x", spec, device=device, dtype=dtype))


@needs_gpu
@pytest.mark.parametrize("dtype", DTYPES)
def test_frames_are_those_of_the_cpu(dtype: str) -> None:
    rows = frames(300)  # more than one batch, and not a whole number
    (there,) = loaded("clip:random:vit-b-32", dtype=dtype).encode([rows])
    (here,) = loaded("clip:random:vit-b-32", "cpu", "float32").encode([rows[-20:]])
    assert cosines(there.array[-20:], here.array).min() > DTYPES[dtype]


@needs_gpu
@pytest.mark.parametrize("dtype", DTYPES)
def test_sound_is_that_of_the_cpu(dtype: str) -> None:
    loud, quiet = waveform(700_000), waveform(40_000, seed=1) / 1000
    there = loaded("whisper:random:tiny", dtype=dtype).encode([loud, quiet])
    here = loaded("whisper:random:tiny", "cpu", "float32").encode([loud, quiet])
    for a, b in zip(there, here, strict=True):
        assert a.array.shape == b.array.shape
        assert cosines(a.array, b.array).min() > DTYPES[dtype]


@needs_gpu
def test_a_row_does_not_depend_on_its_batch() -> None:
    encoder = loaded("clip:random:vit-b-32")
    many = frames(300)
    (whole,) = encoder.encode([many])
    (alone,) = encoder.encode([many[150:]])
    np.testing.assert_array_equal(alone.array, whole.array[150:])
    listener = loaded("whisper:random:tiny")
    long, short = waveform(1_300_000), waveform(9_000, seed=1)
    (alone,) = listener.encode([long])
    _, among = listener.encode([short, long])
    np.testing.assert_array_equal(among.array, alone.array)


@needs_gpu
def test_what_goes_over_comes_back() -> None:
    """Many at once: memory that is used again too early, or read too early, would show."""
    random = np.random.default_rng(0)
    given = [random.normal(size=(64, 1000, 50)).astype(np.float32) for _ in range(40)]
    waiting = [download(upload(list(rows), (80, 1000, 50), "cuda") * 2) for rows in given]
    for rows, wait in zip(given, waiting, strict=True):
        back = wait()
        np.testing.assert_array_equal(back[:64], (rows * 2).astype(np.float16))
        assert not back[64:].any()


@needs_gpu
@pytest.mark.parametrize("value", [np.nan, np.inf, 70_000.0])
def test_what_float16_cannot_hold_is_refused(value: float) -> None:
    wait = download(torch.tensor([1.0, value], device="cuda"))
    with pytest.raises(ValueError, match="not finite"):
        wait()


@pytest.fixture
def little_memory() -> Iterator[None]:
    """1.1 GiB: enough for ViT-L/14 in small batches, not for whole ones."""
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(1.1 * 2**30 / torch.cuda.mem_get_info()[1])
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)


@needs_gpu
def test_where_memory_does_not_suffice_batches_are_halved(little_memory: None) -> None:
    encoder = loaded("clip:random:vit-l-14")
    whole = encoder.batches.size
    rows = frames(2 * whole)
    (there,) = encoder.encode([rows])
    assert 1 <= encoder.batches.size < whole
    (again,) = encoder.encode([rows[-5:]])
    np.testing.assert_array_equal(again.array, there.array[-5:])


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=needs_gpu)])
def test_log_mel_of_all_windows_is_that_of_each(device: str) -> None:
    """A loud window beside a quiet one and one of zeros: each clamped to its own loudest."""
    waves = torch.zeros(3, 480_000)
    waves[0], waves[1] = torch.from_numpy(waveform(480_000)), torch.from_numpy(waveform(480_000, 1)) / 1000
    expected = torch.stack([log_mel_spectrogram(wave, 80) for wave in waves])
    torch.testing.assert_close(together(waves.to(device), 80).cpu(), expected, rtol=0, atol=1e-4)


@needs_gpu
@pytest.mark.parametrize("width", [384, 1024, 1408])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_residual_and_norm_in_one_pass_are_torchs(width: int, dtype: torch.dtype) -> None:
    from featurizers.running.add_norm import add_norm

    generator = torch.Generator("cuda").manual_seed(0)
    x, y = (torch.randn(5, 77, width, device="cuda", generator=generator).to(dtype) * 3 for _ in range(2))
    weight, bias = (torch.randn(width, device="cuda", generator=generator).to(dtype) for _ in range(2))
    total = x + y
    expected = torch.nn.functional.layer_norm(total.double(), (width,), weight.double(), bias.double(), 1e-5)
    normed = add_norm(x, y, weight, bias, 1e-5)
    torch.testing.assert_close(x, total, rtol=0, atol=0)
    torch.testing.assert_close(normed.double(), expected, rtol=2e-3, atol=2e-3)


@needs_gpu
def test_without_triton_features_are_the_same_within_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    assert transformer._fused() is not None
    encoder, rows = loaded("clip:random:vit-b-32"), frames(8)
    (fused,) = encoder.encode([rows])
    monkeypatch.setattr(transformer, "_fused", lambda: None)
    (plain,) = encoder.encode([rows])
    assert cosines(fused.array, plain.array).min() > 0.99999
