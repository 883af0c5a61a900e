"""The engines, as arguments that `favor-data build` takes while a context is open."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from runners import tools

# SDK workers as processes of their own, started by the driver (Beam's LOOPBACK with an experiment).
PROCESSES = ("--environment_type=LOOPBACK", "--experiments=use_loopback_process_worker")
START_S, ARCHIVE_S = 60.0, 20.0
FLINK_CONF = """\
jobmanager.archive.fs.dir: {archive}
restart-strategy.type: fixed-delay
restart-strategy.fixed-delay.attempts: 3
restart-strategy.fixed-delay.delay: 1 s
"""
Engine = Callable[[Path], AbstractContextManager[list[str]]]


@contextmanager
def in_process(_: Path) -> Iterator[list[str]]:
    """Beam's runner inside the command, one worker."""
    yield ["--runner=FnApiRunner"]


@contextmanager
def two_processes(_: Path) -> Iterator[list[str]]:
    """Beam's runner inside the command, two workers in processes of their own."""
    yield ["--runner=FnApiRunner", "--direct_num_workers=2", "--direct_running_mode=multi_processing"]


@contextmanager
def prism(_: Path) -> Iterator[list[str]]:
    """Beam's Prism, which the command starts and stops itself."""
    yield ["--runner=PrismRunner", f"--prism_location={tools.prism()}", "--environment_type=LOOPBACK"]


@contextmanager
def flink(folder: Path) -> Iterator[list[str]]:
    """Flink inside a job server, parallelism 2; the finished job's archive is left in `folder`/archive."""
    jar = tools.flink_job_server()
    archive = folder / "archive"
    archive.mkdir(parents=True)
    (folder / "flink-conf.yaml").write_text(FLINK_CONF.format(archive=archive.as_uri()))
    port = _free_port()
    command = [
        *(shutil.which("java") or "java", "-jar", str(jar)),
        *("--flink-master", "[local]", "--job-port", str(port)),
        *("--artifact-port", "0", "--expansion-port", "0", "--artifacts-dir", str(folder)),
    ]
    with (folder / "flink.log").open("wb") as log:
        server = subprocess.Popen(  # noqa: S603
            command, env={**tools.environment(), "FLINK_CONF_DIR": str(folder)}, stdout=log, stderr=log
        )
    try:
        _until(lambda: server.poll() is not None or _answers(port), START_S)
        yield [
            "--runner=FlinkRunner",
            f"--job_endpoint=localhost:{port}",
            "--parallelism=2",
            *PROCESSES,
            "--sdk_worker_parallelism=2",
            # Milliseconds. Without it the workers are ended whenever no stage runs, and the next stage
            # imports torch anew.
            "--environment_cache_millis=3600000",
        ]
        _until(lambda: any(archive.iterdir()), ARCHIVE_S)
    finally:
        server.kill()
        server.wait()


ENGINES: dict[str, Engine] = {
    "in-process": in_process,
    "two-processes": two_processes,
    "prism": prism,
    "flink": flink,
}


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        return int(listener.getsockname()[1])


def _answers(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("localhost", port)) == 0


def _until(done: Callable[[], bool], seconds: float) -> None:
    """Returns when `done` holds or the time is over."""
    deadline = time.monotonic() + seconds
    while not done() and time.monotonic() < deadline:
        time.sleep(0.2)
