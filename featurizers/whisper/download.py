"""openai-whisper's own checkpoints by name: their digests, and fetching them."""

from __future__ import annotations

import ast
import functools
import importlib.util
import os
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from featurizers.errors import ModelUnavailable
from featurizers.featurizer import Fetch
from featurizers.running import checkpoints

_TIMEOUT_S, _HASTY_S = 20, 5


def sha256(name: str) -> str:
    """Of the named checkpoint's file, as its URL has it."""
    return _urls()[name].split("/")[-2]


def fetched(name: str) -> Path:
    """The named checkpoint in openai-whisper's own cache, its SHA-256 checked.

    Raises:
        ModelUnavailable: it is not there and cannot be downloaded.
    """
    url, path = _urls()[name], _place(name)
    root = path.parent
    if path.is_file() and checkpoints.file_digest(path) == sha256(name):
        return path
    import whisper

    try:
        with _socket_timeout(_TIMEOUT_S):
            return Path(whisper._download(url, str(root), False))
    except (urllib.error.URLError, OSError, RuntimeError) as error:
        raise ModelUnavailable(
            f"Whisper {name!r} cannot be downloaded ({error}): put it into {root}, or give a .pt file, "
            "a faster-whisper directory or random:SIZE"
        ) from error


def to_fetch(name: str) -> Fetch | None:
    """What `fetched` would download: None if it is there."""
    path = _place(name)
    if path.is_file():
        return None
    request = urllib.request.Request(_urls()[name], method="HEAD")  # noqa: S310 - openai-whisper's own address
    try:
        with urllib.request.urlopen(request, timeout=_HASTY_S) as answer:  # noqa: S310
            return Fetch(int(answer.headers["Content-Length"]), path.parent)
    except (OSError, TypeError, ValueError):
        return Fetch(None, path.parent)


def _place(name: str) -> Path:
    root = Path(os.getenv("XDG_CACHE_HOME", Path.home() / ".cache")) / "whisper"
    return root / _urls()[name].rpartition("/")[2]


@functools.cache
def _urls() -> dict[str, str]:
    """`whisper._MODELS`, read from its source: importing whisper imports torch and numba, which takes 2 s."""
    spec = importlib.util.find_spec("whisper")
    if spec is not None and spec.origin is not None and Path(spec.origin).is_file():
        for node in ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_MODELS":
                return dict(ast.literal_eval(node.value))
    import whisper

    return dict(whisper._MODELS)


@contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)  # whisper's loader sets none, and would hang
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
