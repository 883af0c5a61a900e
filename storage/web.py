"""The web as strangers name it: a build reads addresses out of manifests, and none of them may be a way into
the network that the machine stands in.

While it is guarded, a process connects to addresses that the whole internet may reach, and to those that the
user named. What is checked is the address of each connection, so neither a name that leads inside nor a
redirect gets past.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from errno import EACCES
from functools import lru_cache
from http import HTTPStatus
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from fsspec import Callback
from fsspec.asyn import sync

from storage.errors import StorageError, TooLargeError

PRIVATE_HOSTS = "FAVOR_DATA_PRIVATE_HOSTS"  # HOST[:PORT], with commas between: more that a user names
AT_ONCE_A_HOST = 8  # requests of one process
WITH_A_HOST = {"ftp", "hdfs", "sftp", "smb", "ssh", "webdav", "webhdfs"}  # beside http: schemes that name one
_PORTS = {"http": 80, "https": 443}
_TRANSLATED = IPv6Network("64:ff9b::/96")  # an IPv4 address in its last half (RFC 6052)
_PATIENCE_S, _LEAST_BYTES_A_S = 60.0, 10_000
_BLOCK = 1 << 20

_guards: list[frozenset[str]] = []  # those that are on, of all builds in this process


@contextmanager
def guarded(named: frozenset[str]) -> Iterator[None]:
    """While the block runs the process reaches no address of the inner network, but `named` (see `hosts`)."""
    _guards.append(named)
    try:
        yield
    finally:
        _guards.remove(named)


def hosts(uris: Iterable[str]) -> Iterator[str]:
    """HOST:PORT of those that have one (HOST where the scheme has no port); and those of PRIVATE_HOSTS."""
    for uri in uris:
        parts = urlsplit(uri)
        if parts.hostname and parts.scheme in {*_PORTS, *WITH_A_HOST}:
            port = parts.port or _PORTS.get(parts.scheme)
            host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
            yield f"{host}:{port}" if port else host
    yield from filter(None, os.environ.get(PRIVATE_HOSTS, "").replace(" ", "").split(","))


def state() -> frozenset[str] | None:
    """What is named; None: not guarded. A client made under one state is not for another."""
    return frozenset().union(*_guards) if _guards else None


def check_host(host: str | None, port: int | None) -> None:
    """Raises:
    PermissionError: guarded, and the host's name leads to an address that strangers may not name.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM) if host and _guards else []
    except OSError:
        return  # whoever connects will hear of it
    for *_, address in found:
        _check(str(address[0]), port)


def _check(address: str, port: int | None) -> None:
    ip = _address(address)
    if (named := state()) is None or (ip.is_global and not ip.is_multicast):
        return
    proxies = {urlsplit(proxy).netloc.rpartition("@")[2] for proxy in getproxies().values()}
    trusted = _addresses(named | proxies)
    if not trusted & {(str(ip), port), (str(ip), None)}:
        raise PermissionError(
            EACCES, f"{ip} is an address of the inner network, and no manifest may name it ({PRIVATE_HOSTS})"
        )


def _address(text: str) -> IPv4Address | IPv6Address:
    """Without its zone; the IPv4 address that an IPv6 address stands for."""
    ip = ip_address(text.partition("%")[0])
    if isinstance(ip, IPv4Address):
        return ip
    inner = IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _TRANSLATED else None
    return ip.ipv4_mapped or ip.sixtofour or inner or (ip.teredo[1] if ip.teredo else ip)


@lru_cache(maxsize=4)
def _addresses(named: frozenset[str]) -> set[tuple[str, int | None]]:
    found: set[tuple[str, int | None]] = set()
    for name in named:
        parts = urlsplit(f"//{name}")
        try:
            resolved = socket.getaddrinfo(parts.hostname, None, type=socket.SOCK_STREAM)
        except OSError:
            continue
        found |= {(str(_address(str(where[0]))), parts.port) for *_, where in resolved}
    return found


async def session(**arguments: Any) -> Any:
    """What fsspec's http makes its requests with."""
    import aiohttp

    connector = aiohttp.TCPConnector(limit_per_host=AT_ONCE_A_HOST, socket_factory=_socket)
    return aiohttp.ClientSession(connector=connector, trace_configs=[_behind_a_proxy()], **arguments)


def _socket(where: tuple[int, int, int, str, tuple[Any, ...]]) -> socket.socket:
    family, kind, protocol, _, address = where
    _check(str(address[0]), address[1])
    return socket.socket(family, kind, protocol)


def _behind_a_proxy() -> Any:
    """There it is the proxy that connects: names are looked up here, before it is asked."""
    import aiohttp

    async def starts(_: Any, __: Any, request: Any) -> None:
        if getproxies():
            check_host(request.url.host, request.url.port)

    async def redirected(_: Any, __: Any, request: Any) -> None:
        if getproxies() and (to := request.response.headers.get("Location")):
            url = request.url.join(type(request.url)(to))
            check_host(url.host, url.port)

    traces = aiohttp.TraceConfig()
    traces.on_request_start.append(starts)
    traces.on_request_redirect.append(redirected)
    return traces


class Watched(Callback):
    """A download that may not grow, or last, without end."""

    def __init__(self, uri: str, most: int) -> None:
        super().__init__()
        self._uri, self._most, self._began = uri, most, time.monotonic()

    def set_size(self, size: int | None) -> None:
        super().set_size(size)
        self._check(size or 0)

    def relative_update(self, inc: int = 1) -> None:
        super().relative_update(inc)
        self._check(self.value)
        lasted = time.monotonic() - self._began
        if lasted > _PATIENCE_S and self.value < lasted * _LEAST_BYTES_A_S:
            raise StorageError(f"{self._uri}: {self.value} bytes in {lasted:.0f} s: too slow")

    def _check(self, size: int) -> None:
        if size > self._most:
            raise TooLargeError(f"{self._uri}: {size} bytes or more, where {self._most} are the most")


def read_range(store: Any, url: str, offset: int, size: int) -> bytes:
    """Of a server that may not know of ranges: what it sends beside them is not held."""
    return bytes(sync(store.loop, _range, store, url, offset, size))


async def _range(store: Any, url: str, offset: int, size: int) -> bytes:
    session = await store.set_session()
    headers = {"Range": f"bytes={offset}-{offset + size - 1}", "Accept-Encoding": "identity"}
    async with session.get(store.encode_url(url), headers=headers) as answer:
        store._raise_not_found_for_status(answer, url)
        left = 0 if answer.status == HTTPStatus.PARTIAL_CONTENT else offset
        while left and (part := await answer.content.read(min(left, _BLOCK))):
            left -= len(part)
        content = bytearray()
        while len(content) < size and (part := await answer.content.read(size - len(content))):
            content += part
        return bytes(content)
