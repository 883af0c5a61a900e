"""What signals ask of the decoders: nothing that a build without them does not ask."""

from __future__ import annotations

from pathlib import Path

import pytest

from decoders.processes.pool import DecoderPool, DecodeTicket
from decoders.processes.worker import DecodeJob
from pipelines.commands.command import main
from signals.picture.small import NAME


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[DecodeJob]:
    """Every job that a build gives its decoders."""
    given: list[DecodeJob] = []
    submit = DecoderPool.submit

    def noted(pool: DecoderPool, job: DecodeJob) -> DecodeTicket:
        given.append(job)
        return submit(pool, job)

    monkeypatch.setattr(DecoderPool, "submit", noted)
    return given


def test_signals_decode_the_same_spans_of_the_same_streams_and_full_adds_films_alone(
    media: Path, features: list[str], tmp_path: Path, jobs: list[DecodeJob]
) -> None:
    asked = []
    for number, signals in enumerate(([], ["--signals"], ["--signals", "full"])):
        build = ["build", str(media), "--output", str(tmp_path / str(number)), *features]
        assert main([*build, *signals]) == 0
        asked.append({Path(job.path).name: job for job in jobs})
        jobs.clear()
    without, grid, full = asked
    assert {name: job.requests for name, job in grid.items()} == {
        name: job.requests for name, job in without.items()
    }
    assert all(NAME in job.transforms for name, job in grid.items() if any(r.frames for r in job.requests))
    films = {name for name, job in full.items() if any(request.film for request in job.requests)}
    assert films == {"talk.mp4", "late.mkv", "transport.ts", "silent.ogv"}
    for name, job in full.items():
        for request, before in zip(job.requests, without[name].requests, strict=True):
            assert (request.grid, request.frames, request.audio) == (before.grid, before.frames, before.audio)
