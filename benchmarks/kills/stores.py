"""Where rivals meet: a folder, or an S3 server on loopback."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

BUCKET = "corpora"
Application = Callable[..., Any]  # of WSGI


class OneAtATime:
    """A WSGI application in which one request writes at a time: a store's conditional put is one step, and
    moto's is two."""

    def __init__(self, inner: Callable[..., Any]) -> None:
        self._inner, self._lock = inner, threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        if environ["REQUEST_METHOD"] != "PUT":
            return self._inner(environ, start_response)
        with self._lock:
            return self._inner(environ, start_response)


@dataclass(frozen=True)
class Store:
    """`root`: a name below which corpora lie; `environ` leads there."""

    root: str
    environ: Mapping[str, str] = field(default_factory=dict)

    def place(self, folder: Path, name: str) -> str:
        """A corpus of this name that holds what the folder holds."""
        output = f"{self.root}/{name}"
        for path in folder.rglob("*"):
            if path.is_file():
                self._put(path, f"{name}/{path.relative_to(folder)}")
        return output

    def _put(self, path: Path, name: str) -> None:
        if self.environ:
            client(self.environ).upload_file(str(path), BUCKET, name)
            return
        copy = Path(self.root, name)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())


@contextmanager
def loopback(before: Callable[[Application], Application] = lambda inner: inner) -> Iterator[Store]:
    """A server of this process, with an empty bucket; what `before` makes of it answers."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    server._server.app = before(OneAtATime(server._server.app))
    host, port = server.get_host_and_port()
    environ = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "k",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    try:
        client(environ).create_bucket(Bucket=BUCKET)
        yield Store(f"s3://{BUCKET}", environ)
    finally:
        server.stop()


def client(environ: Mapping[str, str]) -> Any:
    """boto3's, of a store's environment."""
    return boto3.client(
        "s3",
        endpoint_url=environ["AWS_ENDPOINT_URL"],
        region_name=environ["AWS_DEFAULT_REGION"],
        aws_access_key_id=environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
    )
