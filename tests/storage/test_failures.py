"""A store that fails now and then, for ever, or cannot be reached; and one that is of another kind."""

from __future__ import annotations

import socket
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from storage import files, objects
from storage.files import StorageError

URI = "s3://corpora/file"


@pytest.fixture
def hasty(monkeypatch) -> None:
    monkeypatch.setattr(objects, "PATIENCE_S", 2.0)


def test_a_store_that_fails_every_second_request_delays_only(s3, door) -> None:
    door.fails = lambda n: n % 2
    for n in range(4):
        files.put(f"{URI}{n}", b"content")
    assert files.read_many([f"{URI}{n}" for n in range(4)]) == [b"content"] * 4
    assert len(files.listing("s3://corpora")) == 4


@pytest.mark.parametrize(
    "act",
    [
        files.read_bytes,
        files.entry,
        files.exists,
        files.delete,
        lambda uri: files.listing("s3://corpora"),
        lambda uri: files.read_range(uri, 0, 9),
        lambda uri: files.put(uri, b""),
        lambda uri: files.create_if_absent(uri, b""),
    ],
)
def test_a_store_that_fails_for_ever_ends_in_one_line_in_time(s3, door, hasty, act) -> None:
    door.fails = lambda n: True
    began = time.monotonic()
    with pytest.raises(StorageError, match=r"^s3://corpora[^\n]*$") as caught:
        act(URI)
    assert time.monotonic() - began < 8
    assert "\n" not in str(caught.value)


def test_a_store_that_cannot_be_reached_ends_in_one_line_in_time(s3, hasty, monkeypatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{closed.getsockname()[1]}")
        began = time.monotonic()
        with pytest.raises(StorageError, match="Could not connect"):
            files.read_bytes(URI)
    assert time.monotonic() - began < 8


def test_a_bucket_is_there_or_not_and_nobody_waits_long(s3, door, monkeypatch) -> None:
    files.check_bucket("s3://corpora/none/at/all")
    with pytest.raises(FileNotFoundError):
        files.check_bucket("s3://mistyped/out")
    monkeypatch.setattr(files, "_FIRST_CONTACT_S", 1.0)
    door.fails = lambda n: True
    began = time.monotonic()
    with pytest.raises(StorageError, match="s3://corpora"):
        files.check_bucket("s3://corpora")
    assert time.monotonic() - began < 8


def test_a_store_that_is_waited_for_is_said_and_the_next_request_waits_less(
    s3, door, monkeypatch, caplog
) -> None:
    monkeypatch.setattr(objects, "PATIENCE_S", 6.0)
    monkeypatch.setattr(objects, "_given_up", float("-inf"))
    door.fails = lambda n: True
    took = []
    for _ in range(2):
        began = time.monotonic()
        with pytest.raises(StorageError):
            files.read_bytes(URI)
        took.append(time.monotonic() - began)
    assert took[1] < took[0] / 2
    said = [record.getMessage() for record in caplog.records if record.name == "storage.objects"]
    assert len(said) == 1
    assert "trying for another" in said[0]
    door.fails = lambda n: False
    files.put(URI, b"")
    assert objects._given_up == float("-inf")


def test_a_lost_answer_does_not_lose_the_commit(s3, door) -> None:
    """The store did it, and the answer came as a 500: the repeated request finds its own content."""
    inner = door.inner

    def forgetful(environ, start_response):
        if environ["REQUEST_METHOD"] == "PUT" and "done" not in seen:
            seen.add("done")
            list(inner(environ, lambda *_: None))
            start_response("500 Internal Server Error", [])
            return [b""]
        return inner(environ, start_response)

    seen: set[str] = set()
    door.inner = forgetful
    try:
        assert files.create_if_absent(URI, b"mine")
    finally:
        door.inner = inner
    assert not files.create_if_absent(URI, b"another's")
    assert files.read_bytes(URI) == b"mine"


def test_no_permission_is_said_at_once(s3, door) -> None:
    inner = door.inner

    def guarded(environ, start_response):
        start_response("403 Forbidden", [("Content-Type", "application/xml")])
        return [b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"]

    door.inner = guarded
    try:
        with pytest.raises(PermissionError):
            files.read_bytes(URI)
        with pytest.raises(StorageError, match="cannot be written: Access Denied"):
            files.put(URI, b"")
    finally:
        door.inner = inner


def test_a_scheme_that_nobody_knows_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="nobody"):
        files.read_bytes("nobody://x")


@pytest.fixture
def web(tmp_path):
    class Quiet(SimpleHTTPRequestHandler):
        fails = False

        def do_GET(self):
            self.send_error(500) if Quiet.fails else super().do_GET()

        def do_HEAD(self):
            self.send_error(500) if Quiet.fails else super().do_HEAD()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", Quiet
    server.shutdown()
    server.server_close()


def test_the_web_is_read_and_not_written(web, tmp_path, hasty) -> None:
    """From a server that knows no ranges."""
    address, handler = web
    (tmp_path / "talk [1].mp4").write_bytes(bytes(range(256)))
    uri = f"{address}/talk [1].mp4"
    assert files.entry(uri).size == 256
    assert files.read_bytes(uri) == bytes(range(256))
    assert files.read_range(uri, 5, 3) == b"\5\6\7"
    files.download(uri, str(tmp_path / "copy"))
    assert (tmp_path / "copy").read_bytes() == bytes(range(256))
    assert not files.exists(f"{address}/none.mp4")
    with pytest.raises(StorageError):
        files.create_if_absent(uri, b"")
    handler.fails = True
    with pytest.raises(StorageError):  # not "not found": the server is ill
        files.exists(uri)
