"""An S3 server on loopback whose answers a test can spoil, and the environment that leads there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import boto3
import pytest
from moto.server import ThreadedMotoServer


class Door:
    """A WSGI application before the server: counts, may answer 500 in its place, and lets one write in at a
    time, since a store's conditional put is one step and moto's is two."""

    def __init__(self, inner) -> None:
        self.inner, self.fails = inner, lambda n: False
        self.requests: list[tuple[str, str]] = []
        self.lock = threading.Lock()

    def __call__(self, environ, start_response):
        self.requests.append((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        if self.fails(len(self.requests)):
            start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
            return [b""]
        if environ["REQUEST_METHOD"] != "PUT":
            return self.inner(environ, start_response)
        with self.lock:
            return self.inner(environ, start_response)


@pytest.fixture(scope="session")
def server() -> Iterator[tuple[ThreadedMotoServer, Door]]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    door = server._server.app = Door(server._server.app)
    yield server, door
    server.stop()


@pytest.fixture
def door(server) -> Iterator[Door]:
    door = server[1]
    door.requests.clear()
    yield door
    door.fails = lambda n: False


@pytest.fixture
def s3(server, monkeypatch) -> Iterator[Callable[[], object]]:
    """A boto3 client; the bucket `corpora` is there and the environment leads to it."""
    host, port = server[0].get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "k",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket="corpora")
    yield client
    for page in client.get_paginator("list_objects_v2").paginate(Bucket="corpora"):
        for found in page.get("Contents", []):
            client.delete_object(Bucket="corpora", Key=found["Key"])
    client.delete_bucket(Bucket="corpora")


@pytest.fixture(params=["disk", "s3"])
def root(request, tmp_path) -> str:
    """A folder on each kind of storage."""
    if request.param == "disk":
        return str(tmp_path / "root")
    request.getfixturevalue("s3")
    return "s3://corpora/root"
