"""Hugging Face's hub as far as it is used here, on loopback: repositories, LFS uploads, commits, downloads.

As its openapi.json and git-lfs's docs/api/batch.md describe it. Tars and Parquet go into LFS, as there.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "hf_of_the_test"
LARGE = (".tar", ".parquet", ".npy")


@dataclass
class Dataset:
    """One repository: its commits, each a name -> content of all its files."""

    private: bool
    commits: list[tuple[str, dict[str, bytes]]] = field(default_factory=lambda: [("made", {})])

    @property
    def files(self) -> dict[str, bytes]:
        return self.commits[-1][1]

    @property
    def sha(self) -> str:
        return hashlib.sha1(str(len(self.commits)).encode()).hexdigest()


@dataclass
class Hub:
    """What it holds and what was asked of it.

    Attributes:
        cards: model -> its card's licence.
        stall: uploads from this one on (from 0) are taken and never answered; `stalled` says when.
        broken: every request fails with 500.
    """

    datasets: dict[str, Dataset] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    cards: dict[str, str] = field(default_factory=dict)
    uploads: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    stall: int | None = None
    stalled: Event = field(default_factory=Event)
    broken: bool = False
    address: str = ""
    folder: Path = Path()

    @property
    def environment(self) -> dict[str, str]:
        """A user's, who is logged in; the library reads it when it is imported."""
        return {
            **os.environ,
            "HF_ENDPOINT": self.address,
            "HF_TOKEN": TOKEN,
            "HF_HOME": str(self.folder),
            "HF_HUB_DISABLE_XET": "1",  # its store speaks a protocol of its own
            "HF_HUB_DISABLE_TELEMETRY": "1",
        }

    def start(self, *command: str, **more: str) -> subprocess.Popen[str]:
        """`favor-data …` as a user runs it."""
        line = [sys.executable, "-m", "pipelines", *command]
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(line, env={**self.environment, **more}, **pipes)

    def run(self, *command: str, **more: str) -> tuple[int, str, str]:
        """Exit status, output, errors."""
        process = self.start(*command, **more)
        out, error = process.communicate(timeout=240)
        return process.returncode, out, error

    def holds(self, name: str, files: dict[str, bytes]) -> None:
        """A dataset that somebody published."""
        self.datasets[name] = Dataset(False, [("made", files)])

    def python(self, code: str) -> Any:
        """What a piece of Python of the user's prints as JSON, last line."""
        line = [sys.executable, "-c", code]
        ended = subprocess.run(line, env=self.environment, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout.splitlines()[-1])


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *_: object) -> None:
        pass

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except ConnectionError:
            self.close_connection = True

    def do_GET(self) -> None:
        self._answer()

    do_HEAD = do_POST = do_PUT = do_GET

    def _answer(self) -> None:
        path, body = unquote(urlsplit(self.path).path), self._body()
        self.hub.requests.append(f"{self.command} {path}")
        if self.hub.broken:
            self._say({"error": "it burns"}, HTTPStatus.INTERNAL_SERVER_ERROR)
        elif path.startswith("/objects/"):
            self._upload(path.removeprefix("/objects/"), body)
        elif path.startswith("/api/models/"):
            self._model(path.removeprefix("/api/models/").partition("/revision/")[0])
        elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._say({"error": "Invalid credentials"}, HTTPStatus.UNAUTHORIZED)
        elif path == "/api/repos/create":
            self._create(json.loads(body))
        elif path == "/api/validate-yaml":
            self._say({"errors": [], "warnings": []})
        else:
            self._in_dataset(path.removeprefix("/api").removeprefix("/datasets/").split("/"), body)

    def _in_dataset(self, parts: list[str], body: bytes) -> None:
        """OWNER / NAME / what is asked / revision / path."""
        name, what = "/".join(parts[:2]).removesuffix(".git"), [*parts, "revision"][2]
        dataset, below = self.hub.datasets.get(name), "/".join(parts[4:])
        if dataset is None:
            self._say({"error": "no such"}, HTTPStatus.NOT_FOUND, {"X-Error-Code": "RepoNotFound"})
            return
        answers: dict[str, Callable[[], None]] = {
            "revision": lambda: self._say(self._info(name, dataset)),
            "tree": lambda: self._list(dataset, below),
            "paths-info": lambda: self._say(self._paths(dataset, body)),
            "preupload": lambda: self._say(
                {"files": [self._mode(dataset, one) for one in json.loads(body)["files"]]}
            ),
            "info": lambda: self._say({"objects": [self._batch(one) for one in json.loads(body)["objects"]]}),
            "commit": lambda: self._commit(name, dataset, body),
            "resolve": lambda: self._resolve(dataset, below),
        }
        answers[what]()

    def _list(self, dataset: Dataset, below: str) -> None:
        found = self._tree(dataset, below)
        if below and not found:
            return self._say({"error": "no such"}, HTTPStatus.NOT_FOUND, {"X-Error-Code": "EntryNotFound"})
        return self._say(found)

    def _paths(self, dataset: Dataset, body: bytes) -> list[dict[str, Any]]:
        asked = parse_qs(body.decode()).get("paths") or json.loads(body)["paths"]
        return [entry for entry in self._tree(dataset, "") if entry["path"] in asked]

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            found = b""
            while size := int(self.rfile.readline(), 16):
                found += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return found
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _say(
        self, said: Any, code: HTTPStatus = HTTPStatus.OK, headers: dict[str, str] | None = None
    ) -> None:
        content = said if isinstance(said, bytes) else json.dumps(said).encode()
        self.send_response(code)
        for header, value in (headers or {}).items():
            self.send_header(header, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _create(self, asked: dict[str, Any]) -> None:
        name = "/".join(filter(None, [asked.get("organization"), asked["name"]]))
        url = {"url": f"{self.hub.address}/datasets/{name}"}
        if name in self.hub.datasets:
            return self._say({**url, "error": "You already created this"}, HTTPStatus.CONFLICT)
        private = asked.get("private", asked.get("visibility") == "private")
        self.hub.datasets[name] = Dataset(bool(private))
        return self._say({**url, "id": name})

    def _info(self, name: str, dataset: Dataset) -> dict[str, Any]:
        names = [{"rfilename": path} for path in sorted(dataset.files)]
        said = {"id": name, "sha": dataset.sha, "private": dataset.private, "siblings": names, "tags": []}
        return {**said, "lastModified": "2026-11-27T00:00:00.000Z", "downloads": 0, "likes": 0}

    def _model(self, name: str) -> None:
        if name not in self.hub.cards:
            return self._say({"error": "no such"}, HTTPStatus.NOT_FOUND, {"X-Error-Code": "RepoNotFound"})
        return self._say({"id": name, "tags": [], "cardData": {"license": self.hub.cards[name]}})

    def _tree(self, dataset: Dataset, below: str) -> list[dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        deep = "recursive=true" in self.path.lower() or self.command == "POST"
        for path, content in sorted(dataset.files.items()):
            if below and not path.startswith(f"{below}/"):
                continue
            own = path.removeprefix(f"{below}/") if below else path
            folders = own.split("/")[:-1]
            for depth in range(1, len(folders) + 1):
                folder = "/".join(filter(None, [below, *folders[:depth]]))
                if deep or depth == 1:
                    found[folder] = {"type": "directory", "path": folder, "oid": "0" * 40, "size": 0}
            if deep or not folders:
                blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
                entry: dict[str, Any] = {"type": "file", "path": path, "oid": blob, "size": len(content)}
                if path.endswith(LARGE):
                    oid = hashlib.sha256(content).hexdigest()
                    entry["lfs"] = {"oid": oid, "size": len(content), "pointerSize": 130}
                found[path] = entry
        return list(found.values())

    def _mode(self, dataset: Dataset, one: dict[str, Any]) -> dict[str, Any]:
        known = {entry["path"]: entry for entry in self._tree_all(dataset)}.get(one["path"], {})
        oid = known.get("lfs", known).get("oid")
        mode = "lfs" if one["path"].endswith(LARGE) else "regular"
        return {"path": one["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid}

    def _tree_all(self, dataset: Dataset) -> list[dict[str, Any]]:
        return [entry for entry in self._tree(dataset, "") if entry["type"] == "file"]

    def _batch(self, one: dict[str, Any]) -> dict[str, Any]:
        if one["oid"] in self.hub.objects:
            return dict(one)
        return {**one, "actions": {"upload": {"href": f"{self.hub.address}/objects/{one['oid']}"}}}

    def _upload(self, oid: str, body: bytes) -> None:
        if self.hub.stall is not None and len(self.hub.uploads) >= self.hub.stall:
            self.hub.stalled.set()
            self.close_connection = True
            Event().wait(30)  # the test kills who waits for it
            return
        assert hashlib.sha256(body).hexdigest() == oid
        self.hub.objects[oid] = body
        self.hub.uploads.append(oid)
        self._say({})

    def _commit(self, name: str, dataset: Dataset, body: bytes) -> None:
        files, summary = dict(dataset.files), ""
        for line in body.splitlines():
            said = json.loads(line)
            value = said["value"]
            if said["key"] == "header":
                summary = value["summary"]
            elif said["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif said["key"] == "lfsFile":
                files[value["path"]] = self.hub.objects[value["oid"]]
            elif said["key"] == "deletedFile":
                del files[value["path"]]
        dataset.commits.append((summary, files))
        self._say({"commitUrl": f"{self.hub.address}/datasets/{name}/commit/{dataset.sha}",
                   "commitOid": dataset.sha, "success": True})  # fmt: skip

    def _resolve(self, dataset: Dataset, name: str) -> None:
        if name not in dataset.files:
            code = {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": dataset.sha}
            return self._say({"error": "no such"}, HTTPStatus.NOT_FOUND, code)
        content = dataset.files[name]
        digest = f'"{hashlib.sha256(content).hexdigest()}"'
        headers = {"ETag": digest, "X-Repo-Commit": dataset.sha, "Accept-Ranges": "bytes"}
        asked = self.headers.get("Range", "")
        if not asked.startswith("bytes="):
            return self._say(content, HTTPStatus.OK, headers)
        first, last = asked.removeprefix("bytes=").split("-")
        begin = int(first) if first else len(content) - int(last)
        end = min(int(last) + 1 if first and last else len(content), len(content))
        headers["Content-Range"] = f"bytes {begin}-{end - 1}/{len(content)}"
        return self._say(content[begin:end], HTTPStatus.PARTIAL_CONTENT, headers)


@contextmanager
def loopback(folder: Path) -> Iterator[Hub]:
    """An empty one; what its user's library keeps lies in `folder`."""
    found = Hub(folder=folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"hub": found}))
    server.daemon_threads = True
    found.address = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
