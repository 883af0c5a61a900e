"""The GPU's pictures become the CPU's, bit for bit; without a GPU the user is told so."""

from __future__ import annotations

import av
import numpy as np
import pytest

from benchmarks.alignment import decode_whole, wrong_steps
from decoders.limits import DEFAULT
from decoders.streams import nvdec
from decoders.streams.picture import ToRGB
from tests.decoders.conftest import Matrix


def _gpu() -> bool:
    try:
        nvdec.accelerator(0)
    except nvdec.NoHardwareDecoderError:
        return False
    return True


ON_GPU = [
    "x264_aac.mp4", "x265_opus.mkv", "vpx-vp9_opus.webm", "theora_vorbis.ogv", "edit_list.mp4", "x264_aac.ts",
    "rotate_90.mp4", "10bit_hevc.mkv",
]  # fmt: skip
needs_gpu = pytest.mark.skipif(not _gpu(), reason="needs an NVIDIA GPU with a hardware decoder")


@pytest.mark.parametrize(("interleaved", "planar"), nvdec.PLANAR.items())
def test_interleaved_chroma_gives_the_same_picture(interleaved: str, planar: str) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
    there = av.VideoFrame.from_ndarray(levels, "rgb24").reformat(format=planar)
    here = there.reformat(format=interleaved)
    assert here.format.name == interleaved
    convert = ToRGB(None, DEFAULT)
    expected = convert(there).copy()
    np.testing.assert_array_equal(convert(here), expected)


@pytest.mark.skipif(_gpu(), reason="needs a machine without an NVIDIA GPU")
def test_without_a_gpu_it_is_no_damage_of_the_file(matrix: Matrix) -> None:
    with pytest.raises(nvdec.NoHardwareDecoderError, match="NVIDIA"):
        decode_whole(matrix.path("x264_aac.mp4"), "nvdec")


@needs_gpu
@pytest.mark.parametrize("name", ON_GPU)
def test_frames_are_those_of_ffmpegs_full_decode(name: str, matrix: Matrix) -> None:
    assert wrong_steps(decode_whole(matrix.path(name), "nvdec"), matrix.shown(name)) == []
