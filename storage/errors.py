"""One meaning for what disks and stores say when something goes wrong, and which of it passes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EACCES, ENOENT
from http import HTTPStatus

_CLIENTS = {  # the top-level modules whose exceptions need not be OSErrors
    "aiobotocore", "aiohttp", "botocore", "fsspec", "gcsfs", "google", "httpx", "httpx2", "huggingface_hub",
    "requests",
}  # fmt: skip
_PASSING = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS}
_PASSING_KINDS = {  # of all clients, where there was no answer
    "ClientConnectionError", "ClientPayloadError", "ConnectionError", "HTTPClientError", "IncompleteRead",
    "ProxyError", "ResponseParserError", "Timeout", "TimeoutError", "TransportError",
}  # fmt: skip


class StorageError(Exception):
    """Reading or writing failed for a reason that lies outside the job: one line that names the file."""


class TooLargeError(StorageError):
    """A file that is larger than it may be."""


def refused(error: BaseException) -> OSError | None:
    """The system's refusal behind an error of the web's client: an address that may not be reached."""
    for cause in (error, error.__cause__):
        if isinstance(cause, OSError) and cause.errno == EACCES:
            return cause
    return None


def no_such_host(error: BaseException) -> bool:
    """Whether the names of hosts are looked up, and this one is not among them."""
    named = (error, getattr(error, "os_error", None), error.__cause__)
    return any(isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_NONAME for cause in named)


def retry_after(error: BaseException) -> float:
    """Seconds for which the server asks (RFC 9110, 10.2.3); 0 where it does not."""
    headers = getattr(error, "headers", None) or {}
    text = str(headers.get("Retry-After", ""))
    return float(text) if text.isdecimal() else 0.0


def is_storages(error: BaseException) -> bool:
    """Whether a disk or a store's client says this, rather than a bug of ours."""
    kinds = type(error).__mro__
    return isinstance(error, (OSError, asyncio.TimeoutError)) or any(
        kind.__module__.partition(".")[0] in _CLIENTS for kind in kinds
    )


def status(error: BaseException) -> int | None:
    """The HTTP status that an answer had, where the error came from an answer."""
    for cause in (error, error.__cause__, error.__context__):
        answer = getattr(cause, "response", None)
        if isinstance(answer, dict):  # botocore
            found: int | None = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
            return found
        for holder, name in (
            (answer, "status_code"),
            (cause, "status"),
            (cause, "code"),
        ):  # httpx, aiohttp, gcsfs
            if str(code := getattr(holder, name, None)).isdigit():
                return int(str(code))
    return None


def passes(error: BaseException) -> bool:
    """Whether the same request may well succeed a little later."""
    if isinstance(error, (FileNotFoundError, FileExistsError, PermissionError)):
        return False
    if refused(error) or no_such_host(error):
        return False
    if (code := status(error)) is not None:
        return code in _PASSING or code >= HTTPStatus.INTERNAL_SERVER_ERROR
    return any(kind.__name__ in _PASSING_KINDS for kind in type(error).__mro__)


@contextmanager
def translated(uri: str) -> Iterator[None]:
    """Raises:
    FileNotFoundError, PermissionError: of this file; the storage itself is well.
    StorageError: everything else that the storage says.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, (FileNotFoundError, PermissionError)) or not is_storages(error):
            raise
        code = status(error)
        if code == HTTPStatus.NOT_FOUND:
            raise FileNotFoundError(ENOENT, "no such object", uri) from error
        if code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN) or str(error).startswith(
            "Forbidden:"
        ):  # gcsfs
            raise PermissionError(EACCES, "access denied", uri) from error
        if no_such_host(error):
            raise FileNotFoundError(ENOENT, "no such host", uri) from error
        if no := refused(error):
            raise PermissionError(EACCES, no.strerror, uri) from error
        raise StorageError(f"{uri}: {reason(error)}") from error


@contextmanager
def writing(uri: str) -> Iterator[None]:
    """Raises:
    StorageError: disk full, read-only, no permission, server gone.
    """
    try:
        yield
    except Exception as error:
        if not is_storages(error):
            raise
        raise StorageError(f"{uri} cannot be written: {reason(error)}") from error


def reason(error: BaseException) -> str:
    """One line."""
    return getattr(error, "strerror", None) or str(error).strip().partition("\n")[0] or type(error).__name__
