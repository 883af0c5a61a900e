"""hf:// against a hub on loopback."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import fsspec
import pytest

from storage import files

from .hub import TOKEN, loopback

pytestmark = pytest.mark.skipif(not find_spec("huggingface_hub"), reason="needs the extra build")


def test_the_contract_holds_on_a_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with loopback(tmp_path / "hf") as hub:
        monkeypatch.setitem(fsspec.config.conf, "hf", {"endpoint": hub.address, "token": TOKEN})
        films = {"films/a.mp4": bytes(range(256)), "films/deep/b.mp4": b"other", "rows.jsonl": b"{}\n"}
        hub.holds("somebody/films", films)
        root = "hf://datasets/somebody/films"
        listed = files.listing(f"{root}/films")
        assert {uri: entry.size for uri, entry in listed.items()} == {
            f"{root}/films/a.mp4": 256,
            f"{root}/films/deep/b.mp4": 5,
        }
        assert files.entry(f"{root}/films/a.mp4").size == 256
        assert files.read_bytes(f"{root}/rows.jsonl") == b"{}\n"
        assert files.read_range(f"{root}/films/a.mp4", 5, 3) == b"\5\6\7"
        files.download(f"{root}/films/a.mp4", str(tmp_path / "copy"))
        assert (tmp_path / "copy").read_bytes() == bytes(range(256))
        assert not files.exists(f"{root}/films/none.mp4")
        files.check_bucket(f"{root}/films")
        with pytest.raises(FileNotFoundError):
            files.check_bucket("hf://datasets/somebody/mistyped")
