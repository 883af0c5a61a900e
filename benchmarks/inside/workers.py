"""The zygote that decoding processes are forked from, beside the standard library's forkserver.

    python -m benchmarks.inside.workers

Seconds until a first worker has answered, from nothing (the zygote's before it imports what only decoding
needs); then of each further one; the private memory of one.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import multiprocessing
import os
import statistics
import time
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.lines import Line
from benchmarks.progress import told
from decoders.limits import DEFAULT
from decoders.processes import wire
from decoders.processes.worker import ProbeJob, Work
from decoders.processes.zygote import PRELOAD, PRELOAD_TO_DECODE, ZYGOTE

NO_MEDIUM = __file__  # what every worker is asked about


def by_zygote() -> int:
    """One worker: forked, asked, answered; its process id."""
    import pickle

    pid, connection = ZYGOTE.fork(DEFAULT, (), to_probe=True)
    with open(NO_MEDIUM, "rb", buffering=0) as file:  # noqa: PTH123
        wire.send_files(connection, [file.fileno()])
    wire.send(connection, {"kind": "job"}, [pickle.dumps(Work(ProbeJob(NO_MEDIUM), DEFAULT, 1))])
    kinds = [wire.receive(connection)[0]["kind"] for _ in range(2)]
    assert kinds == ["isolated", "error"]
    return pid


def by_forkserver() -> int:
    """The same by multiprocessing."""
    context = multiprocessing.get_context("forkserver")
    ours, theirs = context.Pipe()
    process = context.Process(target=_probe, args=(theirs,), daemon=True)
    process.start()
    assert "no demuxer" in ours.recv()
    assert process.pid
    return process.pid


def _probe(connection: Connection) -> None:
    from decoders.probe import probe
    from schemas.reasons import MediaError

    try:
        probe(NO_MEDIUM)
    except MediaError as error:
        connection.send(error.detail)
    with contextlib.suppress(EOFError):
        connection.recv()  # until the parent ends


def private_mib(pid: int) -> float:
    """Memory that this process has to itself."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Private_")) / 1024


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=20)
    arguments = parser.parse_args()
    multiprocessing.get_context("forkserver").set_forkserver_preload([*PRELOAD, *PRELOAD_TO_DECODE])
    os.environ["OMP_NUM_THREADS"] = "1"
    importlib.import_module("decoders.probe")
    found = {}
    kinds = (("zygote", by_zygote), ("forkserver", by_forkserver))
    for name, start in told("kind", kinds, lambda pair: pair[0]):
        began = time.perf_counter()
        start()
        first, rest = time.perf_counter() - began, []
        for _ in range(arguments.workers):
            began = time.perf_counter()
            pid = start()
            rest.append(time.perf_counter() - began)
        found[name] = first, statistics.median(rest), private_mib(pid)
    (first, rest_s, memory), (their_first, their_rest, their_memory) = found.values()
    print(Line.ratio("first worker: forkserver / zygote", their_first, first))
    how = f"{1e3 * their_rest:.1f} ms / {1e3 * rest_s:.1f} ms"
    print(Line("each further: forkserver / zygote", their_rest / rest_s, how))
    how = f"{their_memory:.1f} MiB / {memory:.1f} MiB"
    print(Line("memory of one: forkserver / zygote", their_memory / memory, how))


if __name__ == "__main__":
    main()
