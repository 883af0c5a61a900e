"""Workers that crash, hang and eat memory cost one item and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import wave
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from decoders.clips import decode_clips
from decoders.limits import DEFAULT
from decoders.probe import probe
from decoders.processes import pool as pool_module
from decoders.processes import process as process_module
from decoders.processes.pool import DecoderPool
from decoders.processes.worker import DecodeJob
from decoders.processes.zygote import Zygote
from schemas.grid import SECOND_NS, Grid, Span, cut
from schemas.media import ClipRequest, DecodedClip, FrameTransform
from schemas.reasons import MediaError, Reason
from tests.decoders import hostile_transforms
from tests.decoders.conftest import Matrix

LIMITS = replace(DEFAULT, deadline_s=6.0, deadline_per_second=0.0, memory_bytes=256 << 20)


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    with DecoderPool(2, LIMITS) as pool:
        yield pool


@pytest.fixture(scope="module")
def video(matrix: Matrix) -> str:
    return str(matrix.path("x264_aac.mp4"))


def job(path: str, transform: FrameTransform = np.copy, clips: int = 1) -> DecodeJob:
    spans = cut(clips * SECOND_NS, SECOND_NS)
    return DecodeJob(path, tuple(ClipRequest(Grid(span), True, True) for span in spans), {"rgb": transform})


def test_what_a_worker_sends_is_what_was_decoded(pool: DecoderPool, video: str) -> None:
    work = job(video, clips=4)
    here = list(decode_clips(video, work.requests, work.transforms))
    there = list(pool.submit(work))
    assert len(there) == 4
    for expected, found in zip(here, there, strict=True):
        assert_equal(expected, found)
    assert pool.probe(video) == probe(video)


def test_sound_that_needs_no_resampling_needs_no_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "kept.wav"
    said = np.random.default_rng(0).integers(-9000, 9000, 3 * 16_000).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(said.tobytes())
    monkeypatch.setattr(process_module, "ZYGOTE", zygote := Zygote())
    request = ClipRequest(Grid(Span(0, 3 * SECOND_NS)), frames=False, audio=True)
    with DecoderPool(1, LIMITS) as pool:
        [clip] = pool.submit(DecodeJob(str(path), (request,), resampled=False))
        assert zygote._process is not None
        assert "libtorch" not in Path(f"/proc/{zygote._process.pid}/maps").read_text()
        [again] = pool.submit(DecodeJob(str(path), (request,)))
        assert "libtorch" in Path(f"/proc/{zygote._process.pid}/maps").read_text()
    zygote._stop()
    for found in (clip, again):
        assert found.audio is not None
        assert np.array_equal(found.audio.waveform, said / np.float32(32768))


def assert_equal(expected: DecodedClip, found: DecodedClip) -> None:
    assert expected.grid == found.grid
    assert expected.frames is not None
    assert expected.audio is not None
    assert found.frames is not None
    assert found.audio is not None
    assert expected.frames.remarks == found.frames.remarks
    assert expected.audio.remarks == found.audio.remarks
    np.testing.assert_array_equal(expected.frames.frame_of_step, found.frames.frame_of_step)
    np.testing.assert_array_equal(expected.frames.pts_ns, found.frames.pts_ns)
    np.testing.assert_array_equal(expected.frames.prepared["rgb"], found.frames.prepared["rgb"])
    np.testing.assert_array_equal(expected.audio.waveform, found.audio.waveform)
    np.testing.assert_array_equal(expected.audio.mask, found.audio.mask)


@pytest.mark.parametrize(
    ("transform", "reason"),
    [
        (hostile_transforms.crash, Reason.DECODER_CRASHED),
        (hostile_transforms.hang, Reason.TIMED_OUT),
        (hostile_transforms.eat_memory, Reason.TOO_LARGE),
    ],
)
def test_a_crash_a_hang_and_a_memory_bomb_end_one_item(
    pool: DecoderPool, video: str, transform: FrameTransform, reason: Reason
) -> None:
    tickets = [pool.submit(job(video)), pool.submit(job(video, transform)), pool.submit(job(video))]
    assert len(list(tickets[0])) == 1
    with pytest.raises(MediaError) as caught:
        list(tickets[1])
    assert caught.value.reason == reason
    assert len(list(tickets[2])) == 1


def test_a_bug_in_a_transform_is_raised_as_a_bug(pool: DecoderPool, video: str) -> None:
    with pytest.raises(RuntimeError, match="a bug in a transform"):
        list(pool.submit(job(video, hostile_transforms.bug)))
    assert len(list(pool.submit(job(video)))) == 1


def test_a_transform_that_cannot_be_sent_is_refused_at_once(pool: DecoderPool, video: str) -> None:
    with pytest.raises(TypeError, match="importable"):
        pool.submit(job(video, lambda picture: picture))


def test_missing_files_and_playlists_come_back_as_their_reason(pool: DecoderPool, tmp_path: Path) -> None:
    with pytest.raises(MediaError) as caught:
        pool.probe(str(tmp_path / "absent.mp4"))
    assert caught.value.reason == Reason.NOT_FOUND
    playlist = tmp_path / "list.m3u8"
    playlist.write_text("#EXTM3U\n#EXTINF:1,\nfile.ts\n")
    with pytest.raises(MediaError) as caught:
        list(pool.submit(job(str(playlist))))
    assert caught.value.reason == Reason.REFUSED_FORMAT


def test_waiting_for_the_consumer_is_not_counted(video: str) -> None:
    with DecoderPool(1, replace(LIMITS, deadline_s=3.0)) as pool:
        ticket = pool.submit(job(video, clips=4))
        next(ticket)
        time.sleep(3.5)  # past the deadline, doing nothing
        assert len(list(ticket)) == 3


def test_workers_run_ahead_no_further_than_allowed(video: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "AHEAD_BYTES", 1)
    with DecoderPool(2, LIMITS) as pool:
        tickets = [pool.submit(job(video, clips=4)) for _ in range(5)]
        while not any(ticket.ready for ticket in tickets):
            time.sleep(0.05)
        time.sleep(0.5)
        assert sum(len(ticket._ready) for ticket in tickets) < 10  # of 20
        # Taken last to first: the slots are full with tickets that nobody takes yet.
        assert [len(list(ticket)) for ticket in reversed(tickets)] == [4] * 5


def test_workers_are_replaced_when_they_have_done_enough(video: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_module, "JOBS_PER_WORKER", 1)
    with DecoderPool(1, LIMITS) as pool:
        pids = set()
        for _ in range(3):
            (clip,) = pool.submit(job(video, hostile_transforms.process_id))
            assert clip.frames is not None
            pids.add(int(clip.frames.prepared["rgb"][0][0]))
    assert len(pids) == 3


def test_tickets_may_be_taken_from_many_threads(pool: DecoderPool, video: str) -> None:
    found: list[int] = []

    def take() -> None:
        found.append(len(list(pool.submit(job(video, clips=3)))))

    threads = [threading.Thread(target=take) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [3] * 6


def test_no_process_outlives_its_parent(video: str) -> None:
    program = (
        "import os, sys\n"
        "from decoders.processes.pool import DecoderPool\n"
        "pool = DecoderPool(2)\n"
        f"pool.probe({video!r})\n"
        "print(*[slot.process.pid for slot in pool._slots if slot.process.pid], flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    pids = [int(pid) for pid in done.stdout.split()]
    assert pids
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_a_forked_copy_of_the_parent_starts_its_own_workers(pool: DecoderPool, video: str) -> None:
    pool.probe(video)
    program = (
        "import os\n"
        "from decoders.processes.pool import DecoderPool\n"
        f"with DecoderPool(1) as pool: pool.probe({video!r})\n"
        "pid = os.fork()\n"
        "if not pid:\n"
        f"    with DecoderPool(1) as pool: pool.probe({video!r})\n"
        "    os._exit(7)\n"
        f"with DecoderPool(1) as pool: pool.probe({video!r})\n"
        "assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120, env={**os.environ})


def test_one_span_at_a_time_or_all_at_once(pool: DecoderPool, video: str) -> None:
    whole = list(pool.submit(job(video, clips=4)))
    for index, span in enumerate(Span(second * SECOND_NS, (second + 1) * SECOND_NS) for second in range(4)):
        request = ClipRequest(Grid(span), True, True)
        (alone,) = pool.submit(DecodeJob(video, (request,), {"rgb": np.copy}))
        assert_equal(whole[index], alone)
