"""A build that slept between its last look and its commit, and was swept meanwhile, commits nothing that is
not there; it builds again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipelines.commands.command import main
from storage import files


@pytest.mark.parametrize("swept", ["tables", "shards"])
def test_what_was_swept_before_the_commit_is_not_committed(
    swept: str, film: Path, features: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out"
    create = files.create_if_absent
    states: list[str] = []

    def sleep_once(uri: str, content: bytes, root: str | None = None) -> bool:
        if "/states/" in uri:
            if not states:
                shutil.rmtree(output / swept)
            states.append(uri)
        return create(uri, content, root)

    monkeypatch.setattr(files, "create_if_absent", sleep_once)
    assert main(["build", str(film), "--output", str(output), *features, "--quiet"]) == 0
    assert len(states) == 2
    assert main(["verify", str(output)]) == 0
