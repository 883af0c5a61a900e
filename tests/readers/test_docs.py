"""docs/readers.md does what it says: its blocks are one script."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from pipelines.commands.command import main

PAGE = (Path(__file__).parents[2] / "docs" / "readers.md").read_text(encoding="utf-8")
IMPORTS = "import glob\nimport webdataset as wds\n"
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def folder(changed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = changed["corrected answer"].root
    (tmp_path / "corpus").symlink_to(root)
    for loader in ("energon", "lhotse"):
        assert main(["index", str(root), "--for", loader]) == 0
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "hf"))
    return tmp_path


def run(block: str, names: dict[str, Any]) -> None:
    exec(compile(block, "docs/readers.md", "exec"), names)


def test_the_page_runs(folder, changed) -> None:
    state = changed["corrected answer"]
    names: dict[str, Any] = {"__name__": "page"}
    for number, block in enumerate(BLOCKS):
        run(block, names)
        if "talks = datasets" in block:
            assert len(list(names["rows"])) == len(names["talks"]) == len(state.answers), number
    held = {row["json"]["id"]: {c for c in ("clip", "whisper") if row[f"{c}.npy"]} for row in names["rows"]}
    assert held == {name: columns - {"wide"} for name, columns in state.columns.items()}
    assert sorted(name for name, _, _ in names["found"]) == sorted(state.answers)
    assert len(names["sound"]) == sum("whisper" in columns for columns in state.columns.values())
    assert len(names["pictures"]) == sum("clip" in columns for columns in state.columns.values())
    assert sorted(names["train"]["id"]) == ["b0", "c0"]
    assert len(names["index"]) == len(state.answers) == len(names["ledger"])
    assert dict(zip(names["lengths"]["split"], names["lengths"]["seconds"], strict=True))["train"] == 2
    key = names["row"]["key"]
    assert names["members"] == [f"{key}.{suffix}" for suffix in ("json", "clip.npy", "whisper.npy")]


def test_six_lines_join_a_column(folder, changed) -> None:
    """Each sample once, with `wide.npy` where it has the column."""
    [block] = [block for block in BLOCKS if 'columns/wide")' in block]
    assert len(list(filter(None, block.splitlines()))) - 1 == 6  # its last line uses what the six gave
    names: dict[str, Any] = {"seen": [], "__name__": "page"}
    run(
        BLOCKS[0]
        + block.replace(
            '    sample.get("clip.npy"),', '    seen.append(sample)\n    sample.get("clip.npy"),'
        ),
        names,
    )
    found = {sample["json"]["id"]: {m[:-4] for m in sample if m.endswith(".npy")} for sample in names["seen"]}
    assert len(names["seen"]) == len(found)
    assert found == changed["corrected answer"].columns


def test_nodes_and_workers_read_every_sample_once(folder, changed, monkeypatch) -> None:
    [block] = [block for block in BLOCKS if "split_by_node" in block]
    state, found = changed["corrected answer"], []
    for rank in range(2):
        monkeypatch.setenv("RANK", str(rank))
        monkeypatch.setenv("WORLD_SIZE", "2")
        names: dict[str, Any] = {"__name__": "page"}
        run(IMPORTS + block, names)
        found += list(names["loader"])
    ids = [sample["json"]["id"] for sample in found]
    assert sorted(ids) == sorted(state.answers)
    for sample in found:
        members = {name.removesuffix(".npy") for name in sample if name.endswith(".npy")}
        assert members == state.columns[sample["json"]["id"]]
        assert "conversations" in sample["annotations.json"]
