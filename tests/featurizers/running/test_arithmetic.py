"""Device and dtype, decided without torch where that is certain: never otherwise than torch would."""

import platform
import subprocess
import sys

import pytest
import torch

from featurizers.running import arithmetic

X86 = "processor : 0\nflags\t\t: fpu sse2 {}\nbugs : none\n"


def torchs_answer():
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()


def test_auto_is_resolved_at_once():
    chosen = arithmetic.choose()
    if torch.cuda.is_available():
        assert chosen == arithmetic.Arithmetic("cuda", "float16")
    elif torch.backends.mps.is_available():
        assert chosen == arithmetic.Arithmetic("mps", "float16")
    else:
        assert chosen == arithmetic.Arithmetic("cpu", "bfloat16" if torchs_answer() else "float32")


def test_no_accelerator_is_overlooked():
    if arithmetic.surely_no_accelerator():
        assert not torch.cuda.is_available()
        assert not torch.backends.mps.is_available()


def test_an_accelerators_driver_makes_torch_be_asked(monkeypatch, tmp_path):
    monkeypatch.setattr(arithmetic, "_DRIVERS", (str(tmp_path),))
    assert not arithmetic.surely_no_accelerator()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert arithmetic.choose() == arithmetic.Arithmetic("cuda", "float16")


def test_the_kernel_says_of_this_cpu_what_torch_says():
    assert arithmetic._kernel_says_bfloat16() in (None, torchs_answer())
    assert arithmetic.cpu_multiplies_bfloat16() == torchs_answer()


@pytest.mark.parametrize(
    ("text", "release", "expected"),
    [
        (X86.format("avx512f avx512_bf16"), "5.3.0", True),
        (X86.format("avx512f amx_bf16 amx_tile"), "6.1.0-13-amd64", True),
        (X86.format("avx512f avx512_vnni"), "6.1.0-13-amd64", False),
        (X86.format("avx2"), "6.8", False),
        (X86.format("avx512f avx512_vnni"), "4.4.0", None),
        ("processor : 0\nFeatures : asimd bf16\n", "6.1.0", None),
        (None, "6.1.0", None),
    ],
)
def test_what_the_kernel_says(monkeypatch, tmp_path, text, release, expected):
    path = tmp_path / "cpuinfo"
    if text is not None:
        path.write_text(text)
    monkeypatch.setattr(arithmetic, "_CPUINFO", path)
    monkeypatch.setattr(platform, "release", lambda: release)
    assert arithmetic._kernel_says_bfloat16() is expected
    assert arithmetic.cpu_multiplies_bfloat16() == (torchs_answer() if expected is None else expected)


@pytest.mark.parametrize("name", arithmetic.NAMES)
def test_torchs_dtypes(name):
    assert arithmetic.Arithmetic("cpu", name).torch_dtype is getattr(torch, name)


@pytest.mark.skipif(
    not arithmetic.surely_no_accelerator() or arithmetic._kernel_says_bfloat16() is None,
    reason="on this machine torch has to be asked",
)
def test_auto_without_torch():
    code = (
        "import sys; from featurizers.running.arithmetic import choose; choose(); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
