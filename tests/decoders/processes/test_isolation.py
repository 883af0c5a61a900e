"""A decoder can do nothing but decode: what hostile media could make it try is refused by the kernel."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from decoders.limits import DEFAULT
from decoders.processes import isolation
from decoders.processes.isolation import Level
from decoders.processes.pool import DecoderPool
from decoders.processes.process import isolation_of_workers
from decoders.processes.worker import DecodeJob
from schemas.grid import SECOND_NS, Grid, Span
from schemas.media import ClipRequest, FrameTransform
from schemas.reasons import MediaError, Reason
from tests.decoders import hostile_transforms
from tests.decoders.conftest import Matrix
from tests.decoders.test_references import PLAYLISTS, refer

ROOT = Path(__file__).parents[3]
REFUSED = {errno.EPERM, errno.EACCES}
OPEN_NOTHING = partial(hostile_transforms.opens, path="/etc/hostname")


def lacking() -> str:
    """What this machine has not, in words of its own: not by the code that is tested."""
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"):
        return "isolation is for Linux on x86_64 and aarch64"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(444, None, ctypes.c_size_t(0), 1) < 1:
        return f"this kernel has no Landlock ({os.strerror(ctypes.get_errno())})"
    actions = Path("/proc/sys/kernel/seccomp/actions_avail")
    if not actions.exists() or "errno" not in actions.read_text().split():
        return "this kernel has no seccomp filters"
    return ""


LACKING = lacking()
needs_the_kernel = pytest.mark.skipif(bool(LACKING), reason=LACKING)


@pytest.fixture(scope="module")
def video(matrix: Matrix) -> str:
    return str(matrix.path("x264_aac.mp4"))


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    with DecoderPool(1, replace(DEFAULT, deadline_s=30.0)) as pool:
        yield pool


def run(pool: DecoderPool, path: str, transform: FrameTransform, decoder: str = "pyav") -> int:
    """What a planted decoder brings back of one frame."""
    request = ClipRequest(Grid(Span(0, SECOND_NS)), True, False)
    (clip,) = pool.submit(DecodeJob(path, (request,), {"planted": transform}, decoder))
    assert clip.frames is not None
    return int(clip.frames.prepared["planted"][0][0])


@needs_the_kernel
@pytest.mark.parametrize("what", hostile_transforms.ATTEMPTS)
@pytest.mark.parametrize("decoder", ["pyav", "decord"])
def test_what_a_planted_decoder_tries_is_refused(
    pool: DecoderPool, video: str, what: str, decoder: str
) -> None:
    if decoder == "decord":
        pytest.importorskip("decord")
    assert run(pool, video, partial(hostile_transforms.attempt, what=what), decoder) in REFUSED


@needs_the_kernel
def test_decord_opens_its_own_file_and_no_other(pool: DecoderPool, video: str, matrix: Matrix) -> None:
    pytest.importorskip("decord")
    other = str(matrix.path("x264_aac.ts"))
    assert run(pool, video, partial(hostile_transforms.opens, path=video), "decord") == 0
    assert run(pool, video, partial(hostile_transforms.opens, path=other), "decord") in REFUSED
    assert run(pool, video, partial(hostile_transforms.opens, path=video), "pyav") in REFUSED
    assert run(pool, str(matrix.path("x264_aac.mkv")), OPEN_NOTHING, "decord") in REFUSED


def test_no_secret_reaches_a_decoder(video: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the kernel has nothing: the process never knew it."""
    names = ["AWS_SECRET_ACCESS_KEY", "HF_TOKEN", "GOOGLE_APPLICATION_CREDENTIALS", "MY_PASSWORD"]
    for name in names:
        monkeypatch.setenv(name, "secret")
    program = (
        "from functools import partial\n"
        "from tests.decoders import hostile_transforms as t\n"
        "from tests.decoders.processes.test_isolation import run\n"
        "from decoders.processes.pool import DecoderPool\n"
        "with DecoderPool(1) as pool:\n"
        f"    for name in {[*names, 'PATH']}:\n"
        f"        print(run(pool, {video!r}, partial(t.secret, name=name)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.split() == ["0", "0", "0", "0", "1"]


@needs_the_kernel
def test_isolation_is_on_where_the_kernel_has_it(pool: DecoderPool, video: str) -> None:
    """The workers' own words, and the kernel's; this one is what fails in CI when it is switched off."""
    assert os.environ.get(isolation.SWITCH) != "off", f"{isolation.SWITCH}=off: tests run with it on"
    before = isolation_of_workers.copy()
    with DecoderPool(1) as fresh:
        fresh.probe(video)
        status = Path(f"/proc/{fresh._slots[0].process.pid}/status").read_text()
    said = isolation_of_workers - before
    assert [level for level, _ in said] == [Level.ON]
    assert re.search(r"^NoNewPrivs:\s*1$", status, re.MULTILINE)
    assert re.search(r"^Seccomp:\s*2$", status, re.MULTILINE)


ONE_LOCK = """
import errno, os, socket, sys
from unittest.mock import patch
from decoders.processes import isolation, system_calls
absent = OSError(errno.ENOSYS, "Function not implemented")
with patch.object(*{which}, side_effect=absent):
    level, said = isolation.enter("pyav", 0)
print(level, said, sep="|")
for attempt in (lambda: open("/etc/hostname"), socket.socket):
    try:
        attempt()
        print("done")
    except OSError as error:
        print(errno.errorcode[error.errno])
try:
    socket.create_connection(("127.0.0.1", 1))
except OSError as error:
    print(errno.errorcode[error.errno])
"""


@needs_the_kernel
@pytest.mark.parametrize(
    ("which", "expected"),
    [
        (
            '(isolation, "_landlock")',
            ["in part|no Landlock (the kernel has none), system calls filtered", "EPERM", "EPERM", "EPERM"],
        ),
        (
            '(system_calls, "install")',
            [r"in part|Landlock \d+, system calls not filtered (the kernel has none)", "EACCES", "done"],
        ),
    ],
)
def test_each_lock_holds_alone_and_what_is_missing_is_said(which: str, expected: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ONE_LOCK.replace("{which}", which)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert re.fullmatch(re.escape(expected[0]).replace(r"\\d\+", r"\d+"), lines[0]), lines
    assert lines[1 : len(expected)] == expected[1:]


def test_switched_off_it_says_so() -> None:
    program = 'from decoders.processes import isolation; print("|".join(isolation.enter("pyav", 0)))'
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True,
        env={**os.environ, isolation.SWITCH: "off"},
    )  # fmt: skip
    assert done.stdout == "off|FAVOR_DATA_ISOLATION=off\n"


def test_an_environment_keeps_names_that_are_listed() -> None:
    given = {"PATH": "/bin", "LC_ALL": "C", "PYTHONHASHSEED": "0", "AWS_PROFILE": "x", "SSH_AUTH_SOCK": "y"}
    assert set(isolation.environment(given)) == {"PATH", "LC_ALL", "PYTHONHASHSEED"}


def test_a_worker_with_what_a_new_transform_needs_is_a_new_one(pool: DecoderPool, video: str) -> None:
    """A locked one can import nothing any more."""
    request = ClipRequest(Grid(Span(0, SECOND_NS)), True, False)
    assert len(list(pool.submit(DecodeJob(video, (request,), {"rgb": np.copy})))) == 1
    assert len(list(pool.submit(DecodeJob(video, (request,), {"a": hostile_transforms.process_id})))) == 1


TRACED = """
import sys
from contextlib import suppress
import numpy as np
from decoders.processes.pool import DecoderPool
from decoders.processes.process import isolation_of_workers
from decoders.processes.worker import DecodeJob
from schemas.grid import SECOND_NS, Grid, Span
from schemas.media import ClipRequest
from schemas.reasons import MediaError
request = ClipRequest(Grid(Span(0, SECOND_NS)), True, True)
with DecoderPool(2) as pool:
    for path in sys.argv[1:]:
        with suppress(MediaError):
            pool.probe(path)
        for decoder in ("pyav", "decord"):
            with suppress(MediaError):
                list(pool.submit(DecodeJob(path, (request,), {"rgb": np.copy}, decoder)))
"""


@needs_the_kernel
def test_media_that_name_other_files_open_none(tmp_path: Path, video: str, matrix: Matrix) -> None:
    """Seen from the kernel: after its locks are on, a worker opens nothing, but decord the file itself."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed (apt-get install strace)")
    pytest.importorskip("decord")
    film = matrix.path("mjpeg_pcm_s16le.mov")
    (tmp_path / "refers.mov").write_bytes(refer(film.read_bytes(), "secret.mov"))
    shutil.copy(film, tmp_path / "secret.mov")
    paths = [video, str(tmp_path / "refers.mov")]
    for name, text in PLAYLISTS.items():
        path = tmp_path / name
        path.write_text(text.replace("{target}", "/etc/hostname").replace("{port}", "9"))
        paths.append(str(path))
    log = tmp_path / "strace.log"
    calls = "trace=?open,openat,?openat2,?creat,socket,connect,bind,execve,clone,?clone3,seccomp"
    subprocess.run(
        ["strace", "-f", "-z", "-s", "4096", "-e", calls, "-e", "signal=none", "-o", log,
         sys.executable, "-c", TRACED, *paths],
        check=True, timeout=300, cwd=ROOT,
    )  # fmt: skip
    lines = (UNKNOWN.sub("", line) for line in log.read_text().splitlines())
    done = calls_of_locked_processes([line.split(maxsplit=1) for line in lines if line])
    assert len(done) > 10
    opened = {found[1] for call in done if (found := re.match(r'openat\([^"]*"([^"]*)"', call))}
    assert opened == {video}
    assert not [call for call in done if not call.startswith(("openat(", "clone", "<... clone", "+++"))]


UNKNOWN = re.compile(r"^\d+ \?\?\?\(")  # strace begins a line for who ends, and goes on with another's


def calls_of_locked_processes(log: list[list[str]]) -> list[str]:
    """What they, and their threads, did after their locks were on."""
    ours = {process for process, call in log if call.startswith("seccomp(")}
    assert ours
    threads: set[str] = set()
    locked: set[str] = set()
    for process, call in log:
        if call.startswith("seccomp("):
            locked.add(process)
        elif process in locked | threads and (made := re.match(r"(?:<\.\.\. )?clone3?\b.* = (\d+)$", call)):
            threads.add(made[1])
    locked, calls = set(threads), []
    for process, call in log:
        if call.startswith("seccomp("):
            locked.add(process)
        elif process in locked:
            calls.append(call)
    return calls


def test_a_file_that_cannot_be_opened_costs_no_worker(pool: DecoderPool, tmp_path: Path, video: str) -> None:
    for path, reason in ((tmp_path / "absent.mp4", Reason.NOT_FOUND), (tmp_path, Reason.UNREADABLE)):
        with pytest.raises(MediaError) as caught:
            pool.probe(str(path))
        assert caught.value.reason == reason
    assert pool.probe(video).video is not None
