"""A hub on loopback: the calls of Hugging Face's API that reading takes, of one data set."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import unquote, urlsplit

COMMIT = "a" * 40


class Hub(BaseHTTPRequestHandler):
    """somebody/films (https://huggingface.co/docs/hub/api)."""

    protocol_version = "HTTP/1.1"
    held: dict[str, bytes]

    def answer(self, status: int, content: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def say(self, said: object) -> None:
        self.answer(200, json.dumps(said).encode(), Content_Type="application/json")

    def described(self, path: str) -> dict[str, object]:
        oid = f"{len(self.held[path]):040x}"
        return {"type": "file", "path": path, "size": len(self.held[path]), "oid": oid}

    def below(self, folder: str) -> list[dict[str, object]]:
        head = f"{folder}/" if folder else ""
        found = [path for path in sorted(self.held) if path.startswith(head)]
        folders = {head + path.removeprefix(head).partition("/")[0] for path in found}
        return [
            self.described(path)
            if path in self.held
            else {"type": "directory", "path": path, "oid": "d" * 40}
            for path in sorted(folders)
        ]

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        api = "/api/datasets/somebody/films"
        if not path.startswith((api, "/datasets/somebody/films/")):
            self.answer(404, b"{}", X_Error_Code="RepoNotFound")
        elif tree := re.fullmatch(rf"{api}/tree/(?:main|{COMMIT})/?(.*)", path):
            if "recursive=true" in self.path.lower():
                self.say([self.described(path) for path in sorted(self.held) if path.startswith(tree[1])])
            elif found := self.below(tree[1]):
                self.say(found)
            else:
                self.answer(404, b"{}", X_Error_Code="EntryNotFound")
        elif path.startswith(api):
            self.say({"id": "somebody/films", "sha": COMMIT, "siblings": [], "tags": [], "private": False})
        elif (name := re.sub(r"^/datasets/somebody/films/resolve/[^/]+/", "", path)) in self.held:
            content = self.held[name]
            headers = {"ETag": f'"{len(content)}"', "X_Repo_Commit": COMMIT, "Accept_Ranges": "bytes"}
            if span := re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
                begin, last = int(span[1]), min(int(span[2] or 1 << 40), len(content) - 1)
                headers["Content_Range"] = f"bytes {begin}-{last}/{len(content)}"
                self.answer(206, content[begin : last + 1], **headers)
            else:
                self.answer(200, content, **headers)
        else:
            self.answer(404, b"{}", X_Error_Code="EntryNotFound")

    do_HEAD = do_GET

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        asked = json.loads(body)["paths"] if body.startswith("{") else [unquote(body.partition("paths=")[2])]
        found = [self.described(path) for path in asked if path in self.held]
        folders = [path for path in asked if any(name.startswith(f"{path}/") for name in self.held)]
        self.say(found + [{"type": "directory", "path": path, "oid": "d" * 40} for path in folders])

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def hub() -> Iterator[tuple[str, dict[str, bytes]]]:
    """Its address, and what it holds."""
    handler = type("Handler", (Hub,), {"held": {}})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", handler.held
    finally:
        server.shutdown()
        server.server_close()
