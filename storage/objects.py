"""The contract on everything that fsspec reaches: object stores, the web, hubs."""

from __future__ import annotations

import logging
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from http import HTTPStatus
from typing import IO, Any, TypeVar

from storage import web
from storage.clients import client
from storage.entry import ALIVE, STALE_S, Entry
from storage.errors import (
    StorageError,
    is_storages,
    no_such_host,
    passes,
    reason,
    refused,
    retry_after,
    status,
    translated,
)
from storage.uris import scheme, split

PATIENCE_S = 60.0  # from the first failure on; then it is an error
AT_ONCE = 16  # requests
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.2, 10.0
_SAID_S = 0.8  # waits from here on are said, once a request
_AFTER = 10  # part of the patience that is left to whoever comes next
_LOG = logging.getLogger(__name__)
_given_up = float("-inf")  # when patience last ran out, and no request has gone well since
_EXCLUSIVE = {"s3", "s3a", "gs", "gcs", "memory"}  # where `create` is a condition that the store itself holds
_ONE_REQUEST = {
    "s3": {"max_concurrency": 1},
    "s3a": {"max_concurrency": 1},
}  # else it asks for the size first
_LIST_FROM = 16  # files of one folder: from here on one listing is cheaper than asking for each
_ABSENT = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
_DELETED_AT_ONCE = 1000  # S3's limit
_VERSIONS = ("ETag", "etag", "generation", "blob_id", "Last-Modified", "LastModified", "mtime", "created")
T = TypeVar("T")
U = TypeVar("U")


def patiently(request: Callable[[], T], patience_s: float | None = None) -> T:
    """Tries again with growing pauses while the storage fails in a way that passes, and says so.

    Who comes after one that waited in vain does not wait as long: a job that ends has much to put away.
    """
    global _given_up
    patience_s = PATIENCE_S if patience_s is None else patience_s
    wait, asked, deadline = _FIRST_WAIT_S, 0.0, None
    while True:
        try:
            answer = request()
        except Exception as error:
            if not is_storages(error) or not passes(error):
                raise
            asked = retry_after(error)
            if deadline is None:
                again = time.monotonic() - _given_up < PATIENCE_S
                deadline = time.monotonic() + (patience_s / _AFTER if again else patience_s)
            if time.monotonic() + max(wait, asked) > deadline:
                _given_up = time.monotonic()
                raise
            if _SAID_S <= wait < 2 * _SAID_S:
                left = deadline - time.monotonic()
                _LOG.warning("no answer (%s): trying for another %.0f s", reason(error), left)
        else:
            _given_up = float("-inf")
            return answer
        time.sleep(max(asked, wait * random.uniform(0.5, 1)))
        wait = min(2 * wait, _LONGEST_WAIT_S)


def check_bucket(uri: str, patience_s: float) -> None:
    """Raises FileNotFoundError: the store has no such bucket, or its hub no such repository."""
    store, path = client(uri)
    kind = scheme(uri)
    bucket, _, name = path.partition("/")
    if kind in ("s3", "s3a"):
        look = partial(store.call_s3, "list_objects_v2", Bucket=bucket, Prefix=name, MaxKeys=1)
    elif kind in ("gs", "gcs"):
        look = partial(store.call, "GET", "b/{}/o", bucket, prefix=name, maxResults=1)
    elif kind == "hf":
        look = partial(store.resolve_path, path)
    else:
        return
    patiently(look, patience_s)


def each(function: Callable[[T], U], items: Sequence[T]) -> list[U]:
    """Several requests at once, the answers in order."""
    if len(items) < 2:
        return [function(item) for item in items]
    with ThreadPoolExecutor(min(AT_ONCE, len(items))) as threads:
        return list(threads.map(function, items))


def entry(uri: str) -> Entry:
    """Raises FileNotFoundError too where there are only names below."""
    store, path = client(uri)
    info = patiently(lambda: _info(store, path))
    if info["type"] != "file":
        raise FileNotFoundError(path)
    return _entry(info)


def _info(store: Any, path: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = store.info(path)
    except FileNotFoundError as error:  # so fsspec calls all that goes wrong on the web
        cause = error.__cause__
        if cause and (
            passes(cause) or refused(cause) or no_such_host(cause) or status(cause) not in (None, *_ABSENT)
        ):
            raise cause from None
        raise
    return found


def _entry(info: dict[str, Any]) -> Entry:
    size = info.get("size")
    version = next((str(info[name]).strip('"') for name in _VERSIONS if info.get(name)), "")
    return Entry(-1 if size is None else size, f"{'' if size is None else size}-{version}")


def entries(uris: Iterable[str]) -> dict[str, Entry | OSError | StorageError]:
    """Many at once: a folder of which many are asked for is listed."""
    by_folder = defaultdict(list)
    for uri in uris:
        by_folder[split(uri)[0]].append(uri)
    found: dict[str, Entry | OSError | StorageError] = {}
    single = []
    for folder, wanted in by_folder.items():
        if len(wanted) < _LIST_FROM or scheme(folder) in ("http", "https"):
            single += wanted
        else:
            listed = dict(_files(folder, recursive=False))
            found |= {uri: listed.get(uri, FileNotFoundError(uri)) for uri in wanted}
    return found | dict(zip(single, each(_entry_or_error, single), strict=True))


def _entry_or_error(uri: str) -> Entry | OSError | StorageError:
    try:
        with translated(uri):
            return entry(uri)
    except (FileNotFoundError, PermissionError) as error:
        return error
    except StorageError as error:
        if scheme(uri) not in ("http", "https"):
            raise
        return error  # one host of the web is no storage: the others may be well


def listing(folder: str) -> Iterator[tuple[str, Entry]]:
    """Every object below."""
    return _files(folder, recursive=True)


def _files(folder: str, recursive: bool) -> Iterator[tuple[str, Entry]]:
    store, path = client(folder + "/")
    try:
        if recursive:
            infos = patiently(lambda: store.find(path, detail=True)).values()
        else:
            infos = patiently(lambda: store.ls(path, detail=True))
    except FileNotFoundError:
        return
    head = folder.rstrip("/")
    for info in infos:
        below = info["name"].removeprefix(path.rstrip("/")).lstrip("/")
        if info["type"] == "file" and below:  # a marker of the folder itself has no name below
            yield f"{head}/{below}", _entry(info)


def read_bytes(uri: str) -> bytes:
    """The whole, in one request."""
    store, path = client(uri)
    return bytes(patiently(lambda: store.cat_file(path, **_ONE_REQUEST.get(scheme(uri), {}))))


def read_tail(uri: str, size: int) -> bytes:
    """Shorter where the object is."""
    store, path = client(uri)
    return bytes(patiently(lambda: store.cat_file(path, start=-size)))


def read_range(uri: str, offset: int, size: int) -> bytes:
    """Shorter where the object ends."""
    if not size:
        return b""
    store, path = client(uri)
    try:
        if scheme(uri) in ("http", "https"):
            return patiently(lambda: web.read_range(store, path, offset, size))
        content = bytes(patiently(lambda: store.cat_file(path, start=offset, end=offset + size)))
    except Exception as error:
        if is_storages(error) and status(error) == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return b""  # begins at the end or after it
        raise
    return content


def download(uri: str, path: str, most: int) -> None:
    """The whole, into a local file."""
    store, name = client(uri)
    patiently(lambda: store.get_file(name, path, callback=web.Watched(uri, most)))


def put(uri: str, content: bytes) -> None:
    """At once: a store shows an object when all of it has come."""
    store, path = client(uri)
    patiently(lambda: store.pipe_file(path, content))


@contextmanager
def atomic_writer(uri: str) -> Iterator[IO[bytes]]:
    """Gathers the bytes in a local file, so that an upload can be tried again."""
    store, path = client(uri)
    with tempfile.NamedTemporaryFile(prefix="favor-data-") as stream:
        yield stream
        stream.flush()
        patiently(lambda: store.put_file(stream.name, path))


def create_if_absent(uri: str, content: bytes) -> bool:
    """A conditional put: `If-None-Match: *` on S3, generation 0 on GCS."""
    if scheme(uri) not in _EXCLUSIVE:
        raise StorageError(f"{uri}: {scheme(uri)}:// cannot create a file only where there is none")
    store, path = client(uri)
    try:
        patiently(lambda: store.pipe_file(path, content, mode="create"))
    except Exception as error:
        if not isinstance(error, FileExistsError) and status(error) != HTTPStatus.PRECONDITION_FAILED:
            raise
        with suppress(FileNotFoundError):  # a client tries again by itself where an answer was lost
            return read_bytes(uri) == content
        return False
    return True


def delete(uri: str) -> None:
    """What is not there is no error."""
    store, path = client(uri)
    with suppress(FileNotFoundError):
        patiently(lambda: store.rm_file(path))


def delete_many(uris: Sequence[str]) -> None:
    """On S3 a thousand a request."""
    kinds = {(scheme(uri), uri.split("/")[2]) for uri in uris}
    if len(kinds) == 1 and scheme(uris[0]) in ("s3", "s3a"):
        batches = [uris[i : i + _DELETED_AT_ONCE] for i in range(0, len(uris), _DELETED_AT_ONCE)]
        each(_delete_batch, batches)
    else:
        each(delete, uris)


def _delete_batch(uris: Sequence[str]) -> None:
    store, _ = client(uris[0])
    names = [store.split_path(uri)[:2] for uri in uris]
    request = {"Objects": [{"Key": key} for _, key in names], "Quiet": True}
    answer = patiently(lambda: store.call_s3("delete_objects", Bucket=names[0][0], Delete=request))
    for error in answer.get("Errors", []):
        if error.get("Code") != "NoSuchKey":
            raise OSError(f"{error.get('Key')}: {error.get('Message') or error.get('Code')}")


def touch(uri: str, said: bytes = b"") -> None:
    """A heartbeat beside an object: the time of an object itself changes with its content only."""
    put(uri + ALIVE, said)


def sweep(staging: str) -> None:
    """What no writer touched for a day."""
    written = {}
    for uri, _ in listing(staging):
        store, path = client(uri)
        written[uri] = patiently(partial(store.modified, path)).timestamp()
    for uri, at in written.items():
        if time.time() - max(at, written.get(uri + ALIVE, 0)) > STALE_S:
            delete(uri)
