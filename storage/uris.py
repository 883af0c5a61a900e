"""Names of files: plain paths, `file://`, and `SCHEME://…` of everything else."""

from __future__ import annotations

import os
import re

_SCHEME = re.compile(r"([a-zA-Z][-a-zA-Z0-9+.]*)://")
_FILE = "file://"


def scheme(uri: str) -> str:
    """In small letters; "" of a plain path."""
    found = _SCHEME.match(uri)
    return found[1].lower() if found else ""


def is_local(uri: str) -> bool:
    """Whether the file lies on this machine's own disk, or one mounted there."""
    return scheme(uri) in ("", "file")


def local_path(uri: str) -> str:
    """A local uri as the system's path."""
    return uri[len(_FILE) :] if scheme(uri) == "file" else uri


def absolute(uri: str) -> str:
    """The one spelling of a folder or file: no `..`, no trailing slash, no `file://`."""
    return os.path.abspath(local_path(uri)) if is_local(uri) else uri.rstrip("/")  # noqa: PTH100 (resolves no links)


def join(base: str, *parts: str) -> str:
    """A name below `base`, with the base's own separator."""
    if is_local(base):
        return os.path.join(base, *parts)  # noqa: PTH118
    return "/".join([base.rstrip("/"), *(part.lstrip("/") for part in parts)])


def split(uri: str) -> tuple[str, str]:
    """(folder, last part of the name)."""
    if is_local(uri):
        return os.path.split(local_path(uri))
    folder, _, name = uri.rpartition("/")
    return folder, name
