"""Media that change in mid-stream, pairwise; `python -m benchmarks.alignment` walks the whole product."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.changes.family import Change, Member, make, pairwise
from benchmarks.changes.judge import decode, judge, right

CHOSEN = pairwise()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("family")


@pytest.mark.parametrize(
    ("member", "decoders"), CHOSEN, ids=[f"{member.name}-{decoders}" for member, decoders in CHOSEN]
)
def test_a_change_in_mid_stream(member: Member, decoders: int, folder: Path) -> None:
    path = folder / member.name
    clip = decode(path if path.exists() else make(member, folder), decoders)
    verdict = judge(member, clip)
    assert right(member, verdict), verdict
    remarks = [remark for part in (clip.frames, clip.audio) if part for remark in part.remarks]
    said = {remark.partition("@")[0] for remark in remarks}
    if member.change is Change.JOIN and member.format.suffix in ("ts", "mpg", "flv", "ogg", "opus", "oga"):
        assert "joined" in said
    if member.change in (Change.RATE, Change.CHANNELS):
        assert "sound_changes" in said
