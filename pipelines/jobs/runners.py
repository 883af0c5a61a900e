"""The runner that Beam's options name: is there one of that name, and does anybody answer for it."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

from apache_beam.options.pipeline_options import (
    FlinkRunnerOptions,
    PipelineOptions,
    PortableOptions,
    StandardOptions,
)
from apache_beam.runners.runner import create_runner

from pipelines.errors import UsageError

_ANSWER_S = 5.0


def check_runner(beams: PipelineOptions) -> None:
    """Raises:
    UsageError: no such runner, or nobody answers at its address.
    """
    name = beams.view_as(StandardOptions).runner
    try:
        create_runner(name)
    except (ValueError, ImportError, AttributeError) as error:
        raise UsageError(f"--runner {name}: {str(error).splitlines()[0]}") from error
    if (endpoint := beams.view_as(PortableOptions).job_endpoint) not in (None, "embed"):
        _check_answers("--job_endpoint", endpoint)
    master = beams.view_as(FlinkRunnerOptions).flink_master
    if str(name).endswith("FlinkRunner") and not master.startswith("["):  # [local], [auto]
        _check_answers("--flink_master", master)


def _check_answers(option: str, address: str) -> None:
    parts = urlsplit(address if "//" in address else f"//{address}")
    try:
        socket.create_connection((parts.hostname or "", parts.port or 80), _ANSWER_S).close()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{option} {address}: nobody answers there: {reason}") from error
