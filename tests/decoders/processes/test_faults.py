"""What fails and is not the medium's fault: tried again, and never said of the medium."""

from __future__ import annotations

import errno
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from decoders.clips import decode_clips
from decoders.limits import DEFAULT
from decoders.processes import pool as pool_module
from decoders.processes import shared_memory, zygote
from decoders.processes.pool import KNOWN, DecoderPool
from decoders.processes.worker import DecodeJob
from schemas.grid import SECOND_NS, Grid, cut
from schemas.media import ClipRequest, FrameTransform
from schemas.reasons import MachineError, MediaError, Reason
from tests.decoders import hostile_transforms
from tests.decoders.conftest import Matrix

LIMITS = replace(DEFAULT, deadline_s=20.0, deadline_per_second=0.0, memory_bytes=256 << 20)


@pytest.fixture(scope="module")
def video(matrix: Matrix) -> str:
    return str(matrix.path("x264_aac.mp4"))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "PAUSES_S", (0.0, 0.01))


@pytest.fixture
def pool() -> Iterator[DecoderPool]:
    with DecoderPool(1, LIMITS) as pool:
        yield pool


def job(path: str, transform: FrameTransform = np.copy, clips: int = 2) -> DecodeJob:
    spans = cut(clips * SECOND_NS, SECOND_NS)
    return DecodeJob(path, tuple(ClipRequest(Grid(span), True, True) for span in spans), {"rgb": transform})


def failing(times: float, number: int, real: Callable[..., Any]) -> Callable[..., Any]:
    """`real`, after it has failed so many times."""
    left = times

    def fail(*arguments: Any, **named: Any) -> Any:
        nonlocal left
        if left > 0:
            left -= 1
            raise OSError(number, os.strerror(number))
        return real(*arguments, **named)

    return fail


PLACES: dict[str, tuple[Any, str, int]] = {
    "fork": (zygote.Zygote, "fork", errno.EAGAIN),
    "memfd": (shared_memory, "create", errno.ENOMEM),
    "mapping": (shared_memory, "read", errno.ENOMEM),
    "socketpair": (socket, "socketpair", errno.EMFILE),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_system_that_recovers_costs_nothing(
    place: str, pool: DecoderPool, video: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = job(video, hostile_transforms.enlarge)
    expected = list(decode_clips(video, work.requests, work.transforms))
    where, name, number = PLACES[place]
    monkeypatch.setattr(where, name, failing(2, number, getattr(where, name)))
    found = list(pool.submit(work))
    assert len(found) == len(expected)
    for before, after in zip(expected, found, strict=True):
        assert before.frames is not None
        assert after.frames is not None
        np.testing.assert_array_equal(before.frames.prepared["rgb"], after.frames.prepared["rgb"])


@pytest.mark.parametrize("place", PLACES)
def test_a_system_that_does_not_recover_is_the_machines_fault(
    place: str, pool: DecoderPool, video: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    where, name, number = PLACES[place]
    with monkeypatch.context() as patch:
        patch.setattr(where, name, failing(float("inf"), number, None))
        with pytest.raises(MachineError, match=os.strerror(number)):
            list(pool.submit(job(video, hostile_transforms.enlarge)))
    assert len(list(pool.submit(job(video)))) == 2  # the fault is gone


def test_no_descriptors_left_is_the_machines_fault(pool: DecoderPool, video: str) -> None:
    """The limit itself, not a stand-in for it."""
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, allowed[1]))
    try:
        with pytest.raises(MachineError, match="Too many open files"):
            pool.probe(video)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, allowed)
    assert pool.probe(video).video is not None


FORK = """
import os, resource, socket
from dataclasses import asdict
import decoders.processes.worker
from decoders.limits import DEFAULT
from decoders.processes import wire
from decoders.processes.zygote import main
here, there = socket.socketpair()
for _ in range(2):
    socket.send_fds(here, [b"f"], [there.fileno()])
    wire.send(here, {"do": "fork", "limits": asdict(DEFAULT), "modules": [], "to_probe": False})
if not os.fork():
    here.close()
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    os.setuid(os.getuid() or 65534)  # root may have any number of processes
    main(there.detach(), False)
there.close()
print(*[os.strerror(wire.receive(here)[0]["errno"]) for _ in range(2)], sep=", ")
"""


def test_the_process_that_forks_says_why_it_cannot_and_lives_on() -> None:
    """It had ended, with all that it had imported."""
    command = [sys.executable, "-c", FORK]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert ended.stdout.strip() == ", ".join(2 * ["Resource temporarily unavailable"]), ended.stderr


def test_a_killed_worker_is_tried_again_and_no_clip_comes_twice(pool: DecoderPool, video: str) -> None:
    work = job(video, hostile_transforms.take_time, clips=4)
    expected = list(decode_clips(video, work.requests, {"rgb": np.copy}))
    ticket = pool.submit(work)
    found = [next(ticket)]
    pid = pool._slots[0].process.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    found += ticket
    assert [clip.grid for clip in found] == [clip.grid for clip in expected]
    for before, after in zip(expected, found, strict=True):
        assert before.audio is not None
        assert after.audio is not None
        np.testing.assert_array_equal(before.audio.waveform, after.audio.waveform)


def test_whoever_kills_its_decoder_twice_is_too_large(pool: DecoderPool, video: str) -> None:
    with pytest.raises(MediaError) as caught:
        list(pool.submit(job(video, hostile_transforms.be_killed)))
    assert caught.value.reason == Reason.TOO_LARGE


def test_decoders_that_die_over_a_known_clip_too_are_the_machines_fault(
    pool: DecoderPool, video: str
) -> None:
    with pytest.raises(MachineError, match="known to be good"):
        list(pool.submit(job(video, hostile_transforms.crash_at_anything)))


def test_a_transform_that_a_worker_cannot_import_is_no_fault_of_a_medium(
    pool: DecoderPool, video: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "vanishing.py").write_text("def same(picture):\n    return picture\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    vanishing = __import__("vanishing")
    zygote.ZYGOTE.fork(LIMITS, ())[1].close()  # it runs, and does not know this path
    with pytest.raises(MachineError, match="vanishing"):
        list(pool.submit(job(video, vanishing.same)))


def test_a_disk_that_fails_while_a_worker_reads_is_not_the_mediums_fault(
    pool: DecoderPool, tmp_path: Path
) -> None:
    """The kernel's own files answer with errors of the system."""
    with pytest.raises(MachineError, match="Input/output error"):
        pool.probe("/proc/self/mem")


def test_the_known_clip_is_what_it_says() -> None:
    (clip,) = decode_clips(
        KNOWN, [ClipRequest(Grid(cut(SECOND_NS, SECOND_NS)[0]), True, True)], {"rgb": np.copy}
    )
    assert clip.frames is not None
    assert clip.audio is not None
    assert clip.frames.prepared["rgb"][0].shape == (144, 176, 3)
    assert np.abs(clip.audio.waveform).max() > 0.05


def test_a_pool_that_closes_does_not_wait_for_a_machine(video: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "PAUSES_S", (60.0,))
    monkeypatch.setattr(zygote.Zygote, "fork", failing(float("inf"), errno.EAGAIN, None))
    pool = DecoderPool(1, LIMITS)
    pool.submit(job(video))
    time.sleep(0.2)
    closing = threading.Thread(target=pool.close)
    closing.start()
    closing.join(10)
    assert not closing.is_alive()
