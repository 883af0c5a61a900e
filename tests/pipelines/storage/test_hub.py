"""Sources on a hub."""

from __future__ import annotations

from pathlib import Path

from tests.storage.hub import loopback


def test_a_build_reads_its_sources_from_a_hub(media: Path, features: list[str], tmp_path: Path) -> None:
    """As a user does it: the hub's own variable says where it is."""
    with loopback(tmp_path / "hf") as hub:
        rows = b'{"media": "films/still.png", "id": "row"}\n'
        hub.holds(
            "somebody/films", {"films/still.png": (media / "still.png").read_bytes(), "rows.jsonl": rows}
        )
        source = "hf://datasets/somebody/films"
        named = [f"{source}/rows.jsonl", f"{source}/films/", "--output", str(tmp_path / "out")]
        status, said, error = hub.run("build", *named, *features, HF_HUB_OFFLINE="0")
        assert status == 0, error
        assert "2: 2 done" in said
