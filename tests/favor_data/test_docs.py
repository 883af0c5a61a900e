"""docs/api.md does what it says: its blocks are one script."""

import re
import shutil
from pathlib import Path

import pytest

import favor_data

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def test_every_public_name_is_on_the_page() -> None:
    assert not [name for name in favor_data.__all__ if not re.search(rf"\b{name}\b", PAGE)]


def test_the_notebook_is_25_lines_of_favor_data_alone() -> None:
    [notebook] = re.findall(r"<!-- notebook -->\n```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert len([line for line in notebook.splitlines() if line.strip()]) <= 25
    assert re.findall(r"^(?:import|from) .*", notebook, re.MULTILINE) == ["import favor_data"]


@pytest.mark.filterwarnings("ignore:column .* is made with UNTRAINED weights")
def test_the_page_runs(media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    shutil.copy(media / "talk.mp4", tmp_path / "talk.mp4")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "page"}
    for number, block in enumerate(BLOCKS):
        exec(compile(block, f"docs/api.md, block {number + 1}", "exec"), names)
    told = capsys.readouterr().out
    assert "<Clip talk.mp4 [0, 4) s: 8 steps, 8 frames of 160 x 120, 4 s of sound>" in told
    assert "<Features float16 [8, 49, 768]>" in told
    assert "torch.Size([1, 11, 25, 768]) torch.Size([1, 11, 25, 384])" in told
    assert "talk shards/000000.tar 4" in told
    assert "lost not_found" in told
    assert "clip_seconds: 0.3 is not a positive multiple" in told
    assert len(list((tmp_path / "anybodys" / "shards").glob("*.tar"))) > 1
