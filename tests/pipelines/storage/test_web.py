"""A manifest is a stranger's: what it names on the web is fetched, what it names inside is not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pyarrow.parquet as pq
import pytest

from pipelines.commands.command import main


class Counting(SimpleHTTPRequestHandler):
    visits = 0

    def do_GET(self) -> None:
        Counting.visits += 1
        super().do_GET()

    def do_HEAD(self) -> None:
        Counting.visits += 1
        super().do_HEAD()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address(media: Path) -> Iterator[str]:
    Counting.visits = 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Counting, directory=str(media)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def build(source: str, output: Path, features: list[str]) -> dict[str, dict[str, str]]:
    main(["build", source, "--output", str(output), *features])
    return {row["id"]: row for row in pq.read_table(output / "ledger.parquet").to_pylist()}


def test_a_manifest_on_disk_reaches_no_inner_server(
    address: str, media: Path, tmp_path: Path, features: list[str]
) -> None:
    manifest = tmp_path / "list.jsonl"
    rows = [
        {"id": "there", "media": f"{address}/silent.ogv"},
        {"id": "here", "media": str(media / "silent.ogv")},
    ]
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    ledger = build(str(manifest), tmp_path / "corpus", features)
    assert ledger["here"]["status"] == "done"
    assert (ledger["there"]["status"], ledger["there"]["reason"]) == ("rejected", "unreadable")
    assert "inner network" in ledger["there"]["detail"]
    assert Counting.visits == 0


def test_what_the_user_names_on_it_is_fetched(address: str, tmp_path: Path, features: list[str]) -> None:
    ledger = build(f"{address}/silent.ogv", tmp_path / "corpus", features)
    assert [row["status"] for row in ledger.values()] == ["done"]
    assert Counting.visits > 0
