"""What the user named on the command line -> one InputRow an input."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from fnmatch import fnmatch
from functools import cache
from typing import IO

from pipelines.errors import StorageError
from pipelines.storage import unpack
from pipelines.storage.listing import STANDARD_INPUT, MissingSourceError, SourceError, find, local
from pipelines.storage.manifests import MANIFESTS, Manifests, input_row, is_metadata, suffix_of
from pipelines.storage.raw_tars import tar_rows
from pipelines.storage.walk import Found
from schemas.forms.plain import is_whole
from schemas.manifest import InputRow
from schemas.reasons import Reason
from storage import files

__all__ = ["SourceError", "input_row", "read_sources"]


def read_sources(
    sources: Sequence[str],
    output: str,
    *,
    store: str = "",
    known: Collection[str] = (),
    skip_bad_rows: bool = False,
    say: Callable[[str], object] = lambda line: None,
) -> Iterator[InputRow]:
    """Every input of every SOURCE, in order.

    Args:
        output, store: the corpus and its cache: what lies in them is no input.
        known: names of inputs that the corpus holds.
        skip_bad_rows: a manifest's row that is wrong is an input that is refused, not an error.
        say: is told of what may be a mistake.

    Raises:
        SourceError, ManifestError: the latter after all sources are read, if only rows are wrong.
        StorageError: a storage fails, or what the corpus holds is not there any more.
    """
    manifests = Manifests(skip_bad_rows, say)
    for source in sources:
        if source == STANDARD_INPUT:
            yield from manifests.read_stream(STANDARD_INPUT, _standard_input(), files.absolute("."))
        else:
            try:
                yield from _source(local(source), (output, store), manifests)
            except MissingSourceError as error:
                if _is_known(local(source), known):
                    raise StorageError(
                        f"{error}, and the corpus holds of it: is its storage there?"
                    ) from error
                raise
    manifests.raise_for_rows()


def _is_known(source: str, known: Collection[str]) -> bool:
    """Whether inputs of a SOURCE are among these: itself, what lies below it, in it, or fits it."""
    whole = files.absolute(source) if files.is_local(source) else source
    begins = (whole.rstrip("/") + "/", whole + ":")
    return any(
        name == whole or name.startswith(begins) or name.endswith("::" + whole) or fnmatch(name, whole)
        for name in known
    )


def _source(source: str, own: Sequence[str], manifests: Manifests) -> Iterator[InputRow]:
    found = list(find(source, own))
    claimed = {uri for each in found if is_metadata(each) for uri in manifests.claims(each)}
    for each in found:
        if each.path not in claimed:
            yield from _inputs(each, manifests)


def _inputs(found: Found, manifests: Manifests) -> Iterator[InputRow]:
    """A .json or .txt is a list of rows only where it is named itself: elsewhere it may be a sidecar."""
    suffix = suffix_of(found.path)
    if found.fault or not is_whole(found.path):
        yield _refused(found)
    elif suffix in MANIFESTS or (found.named and suffix in (".json", ".txt")):
        yield from manifests.read(found)
    elif suffix == ".tar" or unpack.is_compressed(found.path):
        yield from _tar(found)
    else:
        yield InputRow(input=found.path, id=found.name, media=found.path)


def _refused(found: Found) -> InputRow:
    """A name that is not UTF-8 cannot be written to a table: it is escaped."""
    path, name = (text.encode("utf-8", "backslashreplace").decode() for text in (found.path, found.name))
    fault = found.fault or "its name is not UTF-8: rename it"
    return InputRow(input=path, id=name, refusal=(Reason.UNREADABLE, f"{path}: {fault}"))


def _tar(found: Found) -> Iterator[InputRow]:
    if found.named and unpack.is_compressed(found.path) and not files.is_local(found.path):
        raise SourceError(
            f"{found.path}: a compressed tar is read from a disk only: download it, or unpack it"
        )
    yield from tar_rows(found.path, found.name)


@cache
def _standard_input() -> IO[bytes]:
    """What is piped in, kept until the process ends: it may be read again."""
    stream = tempfile.TemporaryFile(prefix="favor-data-")  # noqa: SIM115 (closed with the process)
    shutil.copyfileobj(sys.stdin.buffer, stream)
    return stream
