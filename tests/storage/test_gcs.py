"""gs:// against the few calls of Google's JSON API that the contract needs, with its generations."""

from __future__ import annotations

import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from threading import Lock, Thread
from urllib.parse import parse_qs, unquote, urlsplit

import fsspec
import pytest

from storage import files

pytestmark = pytest.mark.skipif(not find_spec("gcsfs"), reason="needs the extra gcs")


class Bucket(BaseHTTPRequestHandler):
    """https://cloud.google.com/storage/docs/json_api/v1/objects"""

    protocol_version = "HTTP/1.1"
    objects: dict[str, tuple[int, bytes]]
    lock: Lock

    def answer(self, status: int, body: bytes | dict) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if body is not content else "text/plain")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def described(self, name: str) -> dict:
        generation, content = self.objects[name]
        return {
            "kind": "storage#object",
            "name": name,
            "bucket": "bucket",
            "size": str(len(content)),
            "generation": str(generation),
            "etag": f"e{generation}",
            "updated": "2026-01-01T00:00:00.000Z",
        }

    def name(self) -> str:
        return unquote(urlsplit(self.path).path.partition("/o/")[2])

    def do_POST(self) -> None:
        asked = parse_qs(urlsplit(self.path).query)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        boundary = re.search(r"boundary=['\"]?([^'\";]+)", self.headers["Content-Type"])[1].encode()
        _, described, media, _ = body.split(b"--" + boundary)
        name = json.loads(described.partition(b"\n\n")[2] or described.partition(b"\r\n\r\n")[2])["name"]
        content = re.split(rb"\r?\n\r?\n", media, maxsplit=1)[1].removesuffix(b"\n").removesuffix(b"\r")
        with self.lock:
            if asked.get("ifGenerationMatch") == ["0"] and name in self.objects:
                self.answer(412, {"error": {"code": 412, "message": "conditionNotMet"}})
                return
            self.objects[name] = (self.objects.get(name, (0, b""))[0] + 1, content)
            self.answer(200, self.described(name))

    def do_GET(self) -> None:
        asked, name = parse_qs(urlsplit(self.path).query), self.name()
        if "/b/bucket/" not in self.path:
            self.answer(404, {"error": {"code": 404, "message": "The specified bucket does not exist."}})
        elif not name:
            prefix = asked.get("prefix", [""])[0]
            found = [self.described(name) for name in sorted(self.objects) if name.startswith(prefix)]
            self.answer(200, {"kind": "storage#objects", "items": found})
        elif name not in self.objects:
            self.answer(404, {"error": {"code": 404, "message": "Not Found"}})
        elif "alt" not in asked:
            self.answer(200, self.described(name))
        elif span := re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            begin, last = int(span[1]), int(span[2] or 1 << 40)
            content = self.objects[name][1][begin : last + 1]
            self.answer(206 if content else 416, content)
        else:
            self.answer(200, self.objects[name][1])

    def do_DELETE(self) -> None:
        gone = self.objects.pop(self.name(), None)
        self.answer(404 if gone is None else 204, b"")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def bucket(monkeypatch):
    handler = type("Handler", (Bucket,), {"objects": {}, "lock": Lock()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setitem(fsspec.config.conf, "gcs", {"token": "anon"})
    monkeypatch.setitem(fsspec.config.conf, "gs", {"token": "anon"})
    yield handler.objects
    server.shutdown()
    server.server_close()


def test_the_contract_holds_on_gs(bucket) -> None:
    files.put("gs://bucket/out/a", b"content")
    files.put("gs://bucket/out/deep/b", b"other")
    assert files.read_bytes("gs://bucket/out/a") == b"content"
    assert files.read_range("gs://bucket/out/a", 3, 2) == b"te"
    listed = files.listing("gs://bucket/out")
    assert {uri: entry.size for uri, entry in listed.items()} == {
        "gs://bucket/out/a": 7,
        "gs://bucket/out/deep/b": 5,
    }
    assert files.entry("gs://bucket/out/a") == listed["gs://bucket/out/a"]
    files.put("gs://bucket/out/a", b"CONTENT")
    assert files.entry("gs://bucket/out/a").version != listed["gs://bucket/out/a"].version
    assert not files.exists("gs://bucket/none")
    files.delete_many(list(listed))
    assert not bucket


def test_only_the_first_creates_by_generation_0(bucket) -> None:
    assert files.create_if_absent("gs://bucket/state", b"first")
    assert not files.create_if_absent("gs://bucket/state", b"second")
    assert bucket == {"state": (1, b"first")}


def test_a_bucket_is_there_or_not(bucket) -> None:
    files.check_bucket("gs://bucket/none/at/all")
    with pytest.raises(FileNotFoundError):
        files.check_bucket("gs://mistyped/out")
