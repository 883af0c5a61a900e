"""Spans: any number, any order, overlapping; sound without seams; pictures prepared once."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
import torchaudio.functional
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.flashes import ffmpeg, write_wav
from decoders.clips import decode_clips
from decoders.streams.audio import Sound
from decoders.streams.waveform import SpanWaveform, interpolate
from schemas.grid import SAMPLE_NS, SECOND_NS, STEP_NS, FrameAt, Grid, Span
from schemas.media import ClipRequest, DecodedAudio, DecodedClip
from schemas.reasons import MediaError, Reason
from tests.decoders.conftest import Matrix

SPANS = [(0.0, 2.0), (1.0, 3.5), (3.5, 4.2), (1.0, 1.4), (4.9, 5.0), (0.37, 4.61)]


def request(start: float, end: float) -> ClipRequest:
    return ClipRequest(Grid(Span(round(start * SECOND_NS), round(end * SECOND_NS))), True, True)


def decode(path: Path, *requests: ClipRequest) -> list[DecodedClip]:
    return list(decode_clips(str(path), requests, {"rgb": np.copy}))


def sound_of(clip: DecodedClip) -> DecodedAudio:
    assert clip.audio is not None
    return clip.audio


@pytest.mark.parametrize("name", ["x264_aac.mp4", "mpeg4_mp3lame.avi", "x264_aac.ts", "vpx_vorbis.webm"])
def test_all_spans_at_once_are_each_span_alone(name: str, matrix: Matrix) -> None:
    path = matrix.path(name)
    together = decode(path, *(request(*span) for span in SPANS))
    assert [clip.span for clip in together] == sorted(clip.span for clip in together)
    for clip in together:
        (alone,) = decode(path, ClipRequest(clip.grid, True, True))
        assert clip.frames is not None
        assert alone.frames is not None
        np.testing.assert_array_equal(clip.frames.pts_ns, alone.frames.pts_ns)
        np.testing.assert_array_equal(
            clip.frames.prepared.get("rgb", []), alone.frames.prepared.get("rgb", [])
        )
        np.testing.assert_array_equal(sound_of(clip).waveform, sound_of(alone).waveform)
        np.testing.assert_array_equal(sound_of(clip).mask, sound_of(alone).mask)


def test_a_frame_that_several_steps_show_is_prepared_once(matrix: Matrix) -> None:
    prepared = 0

    def count(picture: np.ndarray) -> np.ndarray:
        nonlocal prepared
        prepared += 1
        return picture[:1, :1].copy()

    path = str(matrix.path("x264_aac.mp4"))
    requests = [request(0, 4), request(0, 4), request(1, 3), request(2, 4)]
    clips = list(decode_clips(path, requests, {"pixel": count}))
    assert [clip.frames.mask.sum() for clip in clips if clip.frames] == [8, 8, 4, 4]
    assert prepared == 8


def test_frame_at_start_and_favor(matrix: Matrix) -> None:
    path = str(matrix.path("x264_aac.mp4"))  # 25 fps
    for rule, expected in (
        (FrameAt.START, [0, 0.48, 1, 1.48]),
        (FrameAt.FAVOR, [0, 0.96, 1, 1.96]),
        (FrameAt.CENTER, [0.24, 0.72, 1.24, 1.72]),
    ):
        grid = Grid(Span(0, 2 * SECOND_NS), rule)
        (clip,) = decode_clips(path, [ClipRequest(grid, True, False)], {})
        assert clip.frames is not None
        np.testing.assert_allclose(clip.frames.pts_ns / SECOND_NS, expected)


@pytest.mark.parametrize("name", ["44100_hz.mp4", "11025_hz.mkv", "mp3.mp3", "96000_hz.mkv"])
def test_consecutive_spans_join_without_a_seam(name: str, matrix: Matrix) -> None:
    path = matrix.path(name)
    bounds = [0, 0.52, 1.88, 2.0, 4.0]

    def audio(start: float, end: float) -> np.ndarray:
        grid = request(start, end).grid
        (clip,) = decode_clips(str(path), [ClipRequest(grid, False, True)], {})
        return sound_of(clip).waveform

    parts = [audio(start, end) for start, end in pairwise(bounds)]
    np.testing.assert_array_equal(np.concatenate(parts), audio(0, 4))


@pytest.mark.parametrize("layout", ["mono", "stereo", "2.1", "quad", "5.1", "7.1"])
def test_channels_are_mixed_as_ffmpeg_does(layout: str, tmp_path: Path) -> None:
    channels = {"mono": 1, "stereo": 2, "2.1": 3, "quad": 4, "5.1": 6, "7.1": 8}[layout]
    wav, path = tmp_path / "in.wav", tmp_path / "in.flac"
    noise = np.random.default_rng(0).uniform(-0.9, 0.9, (channels, 16_000)).astype(np.float32)
    write_wav(wav, noise.T.reshape(-1), 16_000, 1)  # interleaved by hand: the header says one channel
    data = wav.read_bytes()[44:]
    ffmpeg("-f", "s16le", "-ar", 16_000, "-ch_layout", layout, "-i", "-", path, stdin=data)
    reference = np.frombuffer(ffmpeg("-i", path, "-ac", 1, "-f", "s16le", "-"), "<i2") / 32768
    (clip,) = decode_clips(str(path), [ClipRequest(Grid(Span(0, SECOND_NS)), False, True)], {})
    np.testing.assert_allclose(sound_of(clip).waveform, reference, atol=2 / 32768)


def test_sound_that_clips_is_clipped_as_in_16_bits(tmp_path: Path) -> None:
    path = tmp_path / "loud.wav"
    loud = (np.sin(np.arange(16_000) / 7) * 4).astype("<f4")
    ffmpeg("-f", "f32le", "-ar", 16_000, "-ac", 1, "-i", "-", "-c:a", "pcm_f32le", path, stdin=loud.tobytes())
    (clip,) = decode_clips(str(path), [ClipRequest(Grid(Span(0, SECOND_NS)), False, True)], {})
    np.testing.assert_allclose(sound_of(clip).waveform, np.clip(loud, -1, 1), atol=1e-6)


def test_numbers_that_are_none_are_silence(tmp_path: Path) -> None:
    path = tmp_path / "nan.wav"
    bad = np.full(16_000, np.nan, "<f4")
    ffmpeg("-f", "f32le", "-ar", 16_000, "-ac", 1, "-i", "-", "-c", "copy", path, stdin=bad.tobytes())
    (clip,) = decode_clips(str(path), [ClipRequest(Grid(Span(0, SECOND_NS)), False, True)], {})
    assert np.isfinite(sound_of(clip).waveform).all()


@settings(max_examples=25, deadline=None)
@given(
    rate=st.sampled_from([8_000, 11_025, 16_000, 22_050, 44_100, 48_000]),
    start=st.integers(0, 3 * 10**9),
    length=st.integers(1, 9 * 10**9),
    cuts=st.lists(st.integers(1, 400_000), max_size=6),
    seed=st.integers(0, 99),
)
def test_blocks_of_any_size_give_the_same_waveform(
    rate: int, start: int, length: int, cuts: list[int], seed: int
) -> None:
    """And it is torchaudio's resampling of the whole sound, cut out."""
    sound = np.random.default_rng(seed).uniform(-0.5, 0.5, 16 * rate).astype(np.float32)
    grid = Grid(Span(start, start + length))
    whole = SpanWaveform(grid, rate)
    whole.add(Sound(0, rate, sound))
    pieces = SpanWaveform(grid, rate)
    position = 0
    for size in [*cuts, sound.size]:
        pieces.add(Sound(position, rate, sound[position : position + size]))
        position = min(sound.size, position + size)
    expected, found = whole.finish(), pieces.finish()
    np.testing.assert_array_equal(expected.waveform, found.waveform)
    np.testing.assert_array_equal(expected.mask, found.mask)
    first = round(start * rate / SECOND_NS)
    reference = torchaudio.functional.resample(torch.from_numpy(sound[first:]), rate, 16_000).numpy()
    skip = 200  # where the reference has no past and we do
    count = min(found.waveform.size, reference.size - skip)
    np.testing.assert_allclose(found.waveform[skip:count], np.clip(reference[skip:count], -1, 1), atol=2e-6)


@settings(max_examples=30, deadline=None)
@given(
    begin=st.integers(0, 160_000),
    size=st.integers(1, 160_000),
    start=st.integers(0, 5 * 10**9),
    length=st.integers(1, 8 * 10**9),
)
def test_the_mask_says_where_sound_lies(begin: int, size: int, start: int, length: int) -> None:
    grid = Grid(Span(start, start + length))
    waveform = SpanWaveform(grid, 16_000)
    waveform.add(Sound(begin, 16_000, np.ones(size, np.float32)))
    mask = waveform.finish().mask
    for step, opens in enumerate(grid.step_starts_ns()):
        closes = min(opens + STEP_NS, grid.span.end_ns)
        overlap = min(closes, (begin + size) * SAMPLE_NS) - max(opens, begin * SAMPLE_NS)
        if overlap > SAMPLE_NS:
            assert mask[step]
        if overlap <= 0:
            assert not mask[step]


def test_odd_rates_are_interpolated_as_torchaudio_would() -> None:
    sound = np.random.default_rng(1).uniform(-0.5, 0.5, 44_100).astype(np.float32)
    reference = torchaudio.functional.resample(torch.from_numpy(sound), 44_100, 16_000).numpy()
    found = interpolate(np.pad(sound, 441), 441, 16_000, 44_100)
    np.testing.assert_allclose(found, reference, atol=1e-5)
    odd = SpanWaveform(Grid(Span(0, SECOND_NS)), 44_099)
    tone = np.sin(2 * np.pi * 440 * np.arange(44_099) / 44_099).astype(np.float32) * 0.5
    odd.add(Sound(0, 44_099, tone))
    expected = np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000) * 0.5
    np.testing.assert_allclose(odd.finish().waveform[100:-100], expected[100:-100], atol=2e-3)


def test_a_clip_under_a_quarter_of_a_second_has_a_frame_and_so_has_a_last_step(tmp_path: Path) -> None:
    for seconds, expected in ((0.08, [0.04]), (0.2, [0.08]), (0.6, [0.24, 0.52]), (0.52, [0.24, 0.48])):
        path = tmp_path / f"{seconds}.mp4"
        ffmpeg("-f", "lavfi", "-i", f"testsrc=s=64x48:r=25:d={seconds}", "-c:v", "libx264", path)
        grid = Grid(Span(0, round(seconds * SECOND_NS)))
        (clip,) = decode_clips(str(path), [ClipRequest(grid, True, False)], {"rgb": np.copy})
        assert clip.frames is not None
        np.testing.assert_allclose(clip.frames.pts_ns / SECOND_NS, expected)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "avi"])
def test_a_single_picture_is_held_to_the_end_of_its_sound(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"still.{suffix}"
    picture = ["-f", "lavfi", "-i", "testsrc=s=64x48:r=25:d=0.04"]
    ffmpeg(*picture, "-f", "lavfi", "-i", "sine=d=2.2", "-c:v", "mpeg4", "-c:a", "mp2", path)
    grid = Grid(Span(0, round(2.2 * SECOND_NS)))
    (clip,) = decode_clips(str(path), [ClipRequest(grid, True, True)], {"rgb": np.copy})
    assert clip.frames is not None
    assert clip.frames.mask.tolist() == [1] * 5
    assert len(clip.frames.prepared["rgb"]) == 1


def test_spans_past_the_end_are_missing_not_invented(matrix: Matrix) -> None:
    (clip,) = decode(matrix.path("x264_aac.mp4"), request(4, 9))
    assert clip.frames is not None
    assert clip.frames.mask.tolist() == [1, 1] + [0] * 8
    assert sound_of(clip).mask.tolist() == [1, 1] + [0] * 8
    assert not sound_of(clip).waveform[17_000:].any()


def test_a_modality_that_is_not_there_is_said_so(matrix: Matrix) -> None:
    for name, frames, audio in (("mp3.mp3", True, False), ("h264.h264", False, True)):
        wanted = ClipRequest(Grid(Span(0, SECOND_NS)), frames, audio)
        with pytest.raises(MediaError) as caught:
            list(decode_clips(str(matrix.path(name)), [wanted], {}))
        assert caught.value.reason == Reason.MISSING_MODALITY


def test_only_known_decoders(matrix: Matrix) -> None:
    with pytest.raises(ValueError, match="unknown decoder"):
        list(decode_clips(str(matrix.path("mp3.mp3")), [], {}, "opencv"))


def test_empty_vorbis_packets_do_not_move_the_sound(tmp_path: Path) -> None:
    """As VLC's muxer writes them; FFmpeg's demuxer counts their time and goes back with every page."""
    plain, padded = tmp_path / "plain.ogg", tmp_path / "padded.ogg"
    ffmpeg(
        "-f",
        "lavfi",
        "-i",
        "aevalsrc='sin(900*t*t)*lt(mod(t,1),0.3)':s=48000:d=6",
        "-c:a",
        "libvorbis",
        plain,
    )
    padded.write_bytes(b"".join(pad_page(page) for page in ogg_pages(plain.read_bytes())))
    spans = ClipRequest(Grid(Span(0, 6 * SECOND_NS)), False, True)
    ((expected,), (found,)) = (decode_clips(str(path), [spans], {}) for path in (plain, padded))
    shift = np.abs(sound_of(expected).waveform[16_000:64_000] - sound_of(found).waveform[16_000:64_000]).max()
    assert shift < 1e-3
    assert sound_of(found).mask.all()


def ogg_pages(content: bytes) -> Iterator[bytes]:
    while content:
        lacing = content[27 : 27 + content[26]]
        size = 27 + len(lacing) + sum(lacing)
        yield content[:size]
        content = content[size:]


def pad_page(page: bytes) -> bytes:
    """Empty packets after each packet, as many as fit, in pages of sound."""
    count = page[26]
    lacing, body = page[27 : 27 + count], page[27 + count :]
    if int.from_bytes(page[6:14], "little") == 0 or lacing[-1] == 255 or page[5] & 1:
        return page
    packets = sum(size < 255 for size in lacing)
    empty = bytes((255 - count) // packets)
    lacing = b"".join(bytes([size]) + (empty if size < 255 else b"") for size in lacing)
    page = page[:22] + bytes(4) + bytes([len(lacing)]) + lacing + body
    return page[:22] + ogg_checksum(page).to_bytes(4, "little") + page[26:]


def ogg_checksum(page: bytes) -> int:
    """CRC-32 of polynomial 0x04c11db7, neither reflected nor inverted (RFC 3533)."""
    value = 0
    for byte in page:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ 0x04C11DB7 if value >> 31 else value << 1) & 0xFFFFFFFF
    return value
