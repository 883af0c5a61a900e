"""One client a process and kind of storage: making one costs more than a hundred requests."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

import fsspec

from storage import web
from storage.errors import StorageError
from storage.uris import scheme

CONNECT_S = 5
ANSWER_S = 30
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs", "http": "http", "https": "http"}
_clients: dict[tuple[Any, ...], Any] = {}


def client(uri: str) -> tuple[Any, str]:
    """The fsspec file system of a uri, and the uri as that knows it.

    It takes its credentials where the storage's own tools do (docs/storage.md) and, of fsspec, from
    `FSSPEC_…` variables; it is made anew when those or the process change.

    Raises:
        ValueError: no such scheme.
        StorageError: a package is missing.
        PermissionError: guarded (storage/web.py), and its host is of the inner network.
    """
    kind = scheme(uri)
    if kind in ("gs", "gcs"):  # its newer half asks by gRPC of what kind a bucket is, and thrice for an entry
        os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    try:
        made = fsspec.get_filesystem_class(kind)
    except ImportError as error:
        extra = f"pip install 'favor-data[{_EXTRAS[kind]}]'" if kind in _EXTRAS else str(error)
        raise StorageError(f"{uri}: nothing is installed that reads {kind}://: {extra}") from error
    arguments = {**_arguments(kind), **made._get_kwargs_from_urls(uri)}
    said = tuple(item for item in os.environ.items() if item[0].startswith(("AWS_", "GOOGLE_", "FSSPEC_")))
    if kind in web.WITH_A_HOST:
        web.check_host(urlsplit(uri).hostname, urlsplit(uri).port)
    key = (os.getpid(), kind, str(arguments), said, web.state())
    if key not in _clients:
        new = made(**arguments)
        if kind in ("s3", "s3a"):
            new.retries = 1  # botocore tries again too, and so do we
        _clients.setdefault(key, new)
    return _clients[key], made._strip_protocol(uri)


def _arguments(kind: str) -> dict[str, Any]:
    """Fresh listings, and no wait without an end."""
    always = {"skip_instance_cache": True, "use_listings_cache": False}
    if kind in ("s3", "s3a"):
        config: dict[str, Any] = {"connect_timeout": CONNECT_S, "read_timeout": ANSWER_S}
        if "AWS_MAX_ATTEMPTS" not in os.environ:
            config["retries"] = {"total_max_attempts": 2, "mode": "standard"}
        return {**always, "config_kwargs": config}
    if kind in ("gs", "gcs"):
        return {**always, "requests_timeout": ANSWER_S}
    if kind in ("http", "https"):
        from aiohttp import ClientTimeout

        timeout = ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=ANSWER_S)
        settings = {"timeout": timeout, "trust_env": True}  # proxies, netrc
        return {**always, "client_kwargs": settings, "get_client": web.session}
    return always
