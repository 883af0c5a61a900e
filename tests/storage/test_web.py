"""Addresses that strangers name: none leads into the inner network, none costs without end."""

from __future__ import annotations

import socket
import threading
import time
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from storage import files, objects, web
from storage.errors import StorageError, TooLargeError

NOBODY: frozenset[str] = frozenset()


class Server(ThreadingHTTPServer):
    """Answers by path; counts."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.visits, self.now, self.most, self.lock = 0, 0, 0, threading.Lock()
        self.at = f"127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Answers(BaseHTTPRequestHandler):
    server: Server

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        with self.server.lock:
            self.server.visits += 1
            self.server.now += 1
            self.server.most = max(self.server.most, self.server.now)
        try:
            getattr(self, "say_" + self.path.split("/")[1].partition("?")[0])()
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            with self.server.lock:
                self.server.now -= 1

    def _begin(self, code: int, **headers: object) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def say_small(self) -> None:
        self._begin(200, Content_Length=5)
        if self.command == "GET":
            self.wfile.write(b"small")

    def say_to(self) -> None:
        self._begin(302, Location=self.path.partition("?")[2], Content_Length=0)

    def say_large(self) -> None:
        self._begin(200, Content_Length=10**12)

    def say_endless(self) -> None:
        self._begin(200)
        while self.command == "GET":
            self.wfile.write(bytes(1 << 16))

    def say_bomb(self) -> None:
        content = zlib.compress(bytes(50_000_000))
        self._begin(200, Content_Length=len(content), Content_Encoding="deflate")
        if self.command == "GET":
            self.wfile.write(content)

    def say_slow(self) -> None:
        self._begin(200, Content_Length=10_000)
        for _ in range(100):
            self.wfile.write(b".")
            time.sleep(0.05)

    def say_later(self) -> None:
        if self.server.visits == 1:
            self._begin(429, Retry_After=2, Content_Length=0)
        else:
            self.say_small()

    def say_wait(self) -> None:
        time.sleep(0.1)
        self.say_small()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def inner() -> Iterator[Server]:
    """What nobody named."""
    server = Server()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "127.1", "2130706433", "evil.example"]
)
def test_no_name_of_this_machine_is_reached(
    host: str, inner: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda name, *rest, **more: true("127.0.0.1" if name == "evil.example" else name, *rest, **more),
    )
    monkeypatch.setattr(objects, "PATIENCE_S", 1.0)
    uri = f"http://{host}:{inner.server_port}/small"
    with web.guarded(NOBODY):
        for act in (files.entry, files.read_bytes, lambda uri: files.read_range(uri, 0, 1),
                    lambda uri: files.download(uri, str(tmp_path / "copy"))):  # fmt: skip
            with pytest.raises((PermissionError, FileNotFoundError, StorageError)):
                act(uri)
    assert inner.visits == 0


@pytest.mark.parametrize(
    "address",
    ["10.1.2.3", "192.168.0.1", "169.254.169.254", "172.16.0.1", "100.64.0.1", "::1", "fe80::1%eth0",
     "fd00::1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "224.0.0.1", "0.0.0.0"],
)  # fmt: skip
def test_addresses_of_inner_networks_are_known(address: str) -> None:
    with web.guarded(NOBODY), pytest.raises(PermissionError, match="inner network"):
        web._check(address, 80)
    web._check(address, 80)  # where nobody guards
    with web.guarded(NOBODY):
        web._check("93.184.215.14", 80)
        web._check("2606:2800:21f:cb07:6820:80da:af6b:8b2c", 80)


def test_a_redirect_leads_nowhere_either(server: Server, inner: Server, tmp_path: Path) -> None:
    uri = f"http://{server.at}/to?http://{inner.at}/small"
    with web.guarded(frozenset({server.at})):
        assert files.read_bytes(f"http://{server.at}/small") == b"small"
        for act in (files.entry, files.read_bytes, lambda uri: files.download(uri, str(tmp_path / "copy"))):
            with pytest.raises(PermissionError, match="inner network"):
                act(uri)
    assert inner.visits == 0
    assert files.read_bytes(uri) == b"small"


def test_behind_a_proxy_names_are_looked_up_first(
    server: Server, inner: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://{server.at}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with web.guarded(NOBODY), pytest.raises(PermissionError, match="inner network"):
        files.read_bytes(f"http://{inner.at}/small")
    assert server.visits == 0


def test_what_the_user_names_is_reached(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = f"http://{server.at}/small"
    assert list(web.hosts([uri, "/a/path", "s3://bucket/x", "hdfs://name/x"])) == [server.at, "name"]
    with web.guarded(frozenset(web.hosts([uri]))):
        assert files.read_bytes(uri) == b"small"
    for named in (server.at, "localhost", "elsewhere.example, 127.0.0.1"):
        monkeypatch.setenv(web.PRIVATE_HOSTS, named)
        with web.guarded(frozenset(web.hosts([]))):
            assert files.read_bytes(uri) == b"small"


def test_other_schemes_that_name_a_host_are_looked_at_too() -> None:
    with web.guarded(NOBODY), pytest.raises(PermissionError, match="inner network"):
        files.read_bytes("ftp://127.0.0.1/x.mp4")


@pytest.mark.parametrize("path", ["large", "endless", "bomb"])
def test_a_download_ends_at_its_limit(path: str, server: Server, tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(TooLargeError, match="10000000 are the most"):
        files.download(f"http://{server.at}/{path}", str(tmp_path / "copy"), most=10_000_000)
    assert time.monotonic() - began < 20
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 30_000_000


def test_a_range_of_an_endless_answer_is_a_range(server: Server) -> None:
    assert files.read_range(f"http://{server.at}/endless", 1 << 20, 7) == bytes(7)


def test_who_sends_a_byte_now_and_then_is_given_up(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "_PATIENCE_S", 0.5)
    with pytest.raises(StorageError, match="too slow"):
        files.download(f"http://{server.at}/slow", str(tmp_path / "copy"))
    assert server.visits == 1


def test_a_server_that_asks_for_time_gets_it(server: Server) -> None:
    began = time.monotonic()
    assert files.read_bytes(f"http://{server.at}/later") == b"small"
    assert time.monotonic() - began >= 2
    assert server.visits == 2


def test_a_host_is_not_asked_more_than_so_much_at_once(server: Server) -> None:
    uris = [f"http://{server.at}/wait/{number}" for number in range(40)]
    assert files.read_many(uris) == [b"small"] * 40
    assert 1 < server.most <= web.AT_ONCE_A_HOST


def test_a_host_that_is_gone_is_not_the_others_fault(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "PATIENCE_S", 0.5)
    true = socket.getaddrinfo

    def lookup(name: str, *rest: object, **more: object) -> object:
        if name == "gone.example":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return true(name, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{closed.getsockname()[1]}/x"
        here, gone = f"http://{server.at}/small", "http://gone.example/x"
        found = files.entries([here, dead, gone])
        assert isinstance(found[here], files.Entry)
        assert isinstance(found[dead], StorageError)
        assert isinstance(found[gone], FileNotFoundError)
        with pytest.raises(StorageError):  # nothing of the web is there
            files.entries([dead])
