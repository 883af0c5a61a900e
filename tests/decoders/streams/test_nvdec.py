"""The GPU's pictures become the CPU's, bit for bit; without a GPU the user is told so."""

from __future__ import annotations

import av
import numpy as np
import pytest
import torch
from av.codec.hwaccel import HWAccel

from benchmarks.alignment import decode_whole, wrong_steps
from decoders.limits import DEFAULT
from decoders.processes.pool import DecoderPool
from decoders.processes.worker import DecodeJob
from decoders.streams import nvdec
from decoders.streams.picture import ToRGB
from decoders.timeline.container import open_media
from schemas.grid import SECOND_NS, Grid, Span
from schemas.media import ClipRequest
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


@needs_gpu
def test_beside_torch_it_still_is_the_gpu_that_decodes(matrix: Matrix) -> None:
    """FFmpeg does not share a context with torch that torch made first."""
    torch.zeros(1, device="cuda")
    path = matrix.path("x264_aac.mp4")
    with open_media(str(path), DEFAULT, hardware=nvdec.accelerator(0)) as container:
        assert container.streams.video[0].codec_context.is_hwaccel
        assert next(container.decode(video=0)).format.name == "nv12"


@needs_gpu
def test_a_worker_decodes_on_the_gpu_within_its_limits(matrix: Matrix) -> None:
    path = matrix.path("x264_aac.mp4")
    job = DecodeJob(
        str(path), (ClipRequest(Grid(Span(0, 5 * SECOND_NS)), True, False),), {"rgb": np.copy}, "nvdec"
    )
    free = torch.cuda.mem_get_info()[0]
    pool = DecoderPool(1)
    try:
        (clip,) = pool.submit(job)
        assert free - torch.cuda.mem_get_info()[0] > 50 << 20  # the worker's context
    finally:
        pool.close()
    assert wrong_steps(clip, matrix.shown(path.name)) == []


def test_a_file_that_the_gpu_cannot_open_is_the_cpus(matrix: Matrix, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where its memory is full: no GPU here, or one too many."""
    nowhere = HWAccel("cuda", "99", allow_software_fallback=True)
    monkeypatch.setattr(nvdec, "accelerator", lambda gpu: nowhere)
    assert wrong_steps(decode_whole(matrix.path("x264_aac.mp4"), "nvdec"), matrix.shown("x264_aac.mp4")) == []
