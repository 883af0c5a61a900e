"""The process that workers are forked from: it has imported everything, runs one thread and opens no media.

A worker costs a fork (milliseconds) instead of the imports (seconds), whatever threads and locks the
parent holds. Only the zygote signals and reaps workers, so no process id is ever reused under it.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from decoders.limits import Limits
from decoders.processes import isolation, wire

# A worker may open no file: what is imported late elsewhere is imported here.
PRELOAD = (
    "decoders.processes.worker",
    "decoders.streams.plugins",
    "av.subtitles.codeccontext",
    "av.subtitles.stream",
    "av.subtitles.subtitle",
    "numpy.ma",
)
PRELOAD_TO_DECODE = ("decoders.streams.resampling",)
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Death:
    """How a worker ended.

    Attributes:
        signal: that ended it; 0 for none.
        peak_bytes: the most memory it held beyond what it began with.
    """

    signal: int
    peak_bytes: int


class Zygote:
    """The parent's handle. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def start(self, resampling: bool = True) -> None:
        """Begin its imports now, torch's too if sound will be resampled: whoever forks first waits that much
        less."""
        with self._lock, contextlib.suppress(OSError):  # `fork` tries again, and says so
            self._running(resampling)

    def forget(self) -> None:
        """In a forked copy of the parent: the zygote is the original's."""
        self._lock = threading.Lock()
        self._process = self._control = None

    def fork(
        self, limits: Limits, modules: Iterable[str], to_probe: bool = False
    ) -> tuple[int, socket.socket]:
        """A new worker: its process id, and the connection to it. While it probes, torch is imported.

        Raises:
            OSError: no process can be started.
        """
        here, there = socket.socketpair()
        with there, contextlib.ExitStack() as unless_all_goes_well:
            unless_all_goes_well.callback(here.close)
            asked = {"limits": asdict(limits), "modules": sorted(modules), "to_probe": to_probe}
            answer = self._ask({"do": "fork", **asked}, there)
            if "errno" in answer:
                raise OSError(answer["errno"], os.strerror(answer["errno"]))
            unless_all_goes_well.pop_all()
        return answer["pid"], here

    def kill(self, pid: int) -> Death | None:
        """End a worker; None if the zygote that had it is gone."""
        try:
            answer = self._ask({"do": "kill", "pid": pid})
        except OSError:
            return None
        return Death(answer["signal"], answer["peak_bytes"]) if answer["known"] else None

    def _ask(self, header: dict[str, Any], connection: socket.socket | None = None) -> dict[str, Any]:
        with self._lock:
            for attempt in range(2):
                control = self._running()
                try:
                    if connection is not None:
                        socket.send_fds(control, [b"f"], [connection.fileno()])
                    else:
                        control.sendall(b"k")
                    wire.send(control, header)
                    return wire.receive(control)[0]
                except (OSError, EOFError) as error:
                    self._stop()
                    if attempt:
                        raise OSError("the process that decoders are forked from does not start") from error
        raise AssertionError

    def _running(self, resampling: bool = False) -> socket.socket:
        if self._control is None:
            ours, theirs = socket.socketpair()
            with theirs:
                environment = {
                    **isolation.environment(os.environ),
                    "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
                    "OMP_NUM_THREADS": "1",
                }
                command = f"from decoders.processes.zygote import main; main({theirs.fileno()}, {resampling})"
                self._process = subprocess.Popen(  # noqa: S603
                    [sys.executable, "-c", command],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    env=environment,
                )
            self._control = ours
        return self._control

    def _stop(self) -> None:
        if self._control is not None and self._process is not None:
            self._control.close()
            self._process.kill()
            self._process.wait()
        self._control = self._process = None


def main(descriptor: int, resampling: bool) -> None:
    """Serve fork and kill requests until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    for module in PRELOAD:
        importlib.import_module(module)
    control = socket.socket(fileno=descriptor)
    if resampling and not select.select([control], [], [], 0)[0]:  # started ahead of the first request
        _preload_to_decode()
    children: set[int] = set()
    with contextlib.suppress(EOFError, OSError):
        while True:
            request, descriptors, _, _ = socket.recv_fds(control, 1, 1)
            if not request:
                break
            header, _ = wire.receive(control)
            if header["do"] == "kill":
                wire.send(control, _reap(header["pid"], children))
                continue
            wire.send(control, _fork(header, descriptors[0], control, children))
            if header["to_probe"]:
                _preload_to_decode()
    for pid in children:
        os.kill(pid, signal.SIGKILL)


def _fork(
    header: dict[str, Any], descriptor: int, control: socket.socket, children: set[int]
) -> dict[str, Any]:
    for module in header["modules"]:
        with contextlib.suppress(Exception):  # the worker meets it, and says so
            importlib.import_module(module)
    try:
        pid = os.fork()
    except OSError as error:
        os.close(descriptor)
        return {"errno": error.errno}
    if not pid:
        control.close()
        _work(descriptor, Limits(**header["limits"]))
    os.close(descriptor)
    children.add(pid)
    return {"pid": pid}


def _preload_to_decode() -> None:
    for module in PRELOAD_TO_DECODE:
        importlib.import_module(module)


def _work(descriptor: int, limits: Limits) -> None:
    status = 1
    try:
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        from decoders.processes.worker import serve

        serve(socket.socket(fileno=descriptor), limits)
        status = 0
    except BaseException:  # noqa: BLE001 - a forked child must never return into its parent's stack
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(status)


def _reap(pid: int, children: set[int]) -> dict[str, Any]:
    if pid not in children:
        return {"known": False}
    children.remove(pid)
    os.kill(pid, signal.SIGKILL)
    _, status, usage = os.wait4(pid, 0)
    ended_by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # a worker begins with the zygote's memory
    return {"known": True, "signal": ended_by, "peak_bytes": max(0, usage.ru_maxrss - held) * 1024}


ZYGOTE = Zygote()
os.register_at_fork(after_in_child=ZYGOTE.forget)
