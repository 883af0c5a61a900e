"""The engines, as arguments that `favor-data build` takes."""

from __future__ import annotations

from collections.abc import Callable

from runners import tools

# SDK workers as processes of their own, started by the driver (Beam's LOOPBACK with an experiment).
PROCESSES = ["--environment_type=LOOPBACK", "--experiments=use_loopback_process_worker"]


def _prism() -> list[str]:
    return ["--runner=PrismRunner", f"--prism_location={tools.prism()}", "--environment_type=LOOPBACK"]


def _flink() -> list[str]:
    return [
        "--runner=FlinkRunner",
        "--flink_master=[local]",
        f"--flink_job_server_jar={tools.flink_job_server()}",
        "--parallelism=2",
        *PROCESSES,
        "--sdk_worker_parallelism=2",
        # Without it Beam's Flink runner ends the workers whenever no stage runs, and the next stage imports
        # torch anew. Milliseconds.
        "--environment_cache_millis=3600000",
    ]


ENGINES: dict[str, Callable[[], list[str]]] = {
    "in-process": lambda: ["--runner=FnApiRunner"],
    "two-processes": lambda: [
        "--runner=FnApiRunner",
        "--direct_num_workers=2",
        "--direct_running_mode=multi_processing",
    ],
    "prism": _prism,
    "flink": _flink,
}
