"""A view against the corpus that it reads: every row's bytes are there, and are what the index says."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa

from decoders.cores import cores
from schemas.corpus import INDEX_NAME
from schemas.rows import INDEX, Row, read_rows
from schemas.selection.view import View
from schemas.state import KEPT
from storage import files
from storage.errors import StorageError


def view_faults(folder: str, view: View) -> Iterator[str]:
    """A line a fault."""
    try:
        rows = read_rows(files.read_bytes(files.join(folder, INDEX_NAME)), INDEX)
    except (FileNotFoundError, ValueError, pa.ArrowInvalid) as error:
        yield f"{INDEX_NAME}: {str(error).splitlines()[0]}: select again"
        return
    state = files.join(view.corpus, KEPT, f"{view.state}.json")
    if not files.exists(state):
        yield f"{view.corpus} keeps the state {view.state} no more: select again"
    with ThreadPoolExecutor(cores()) as threads:
        for faults in threads.map(lambda row: list(_row_faults(view.corpus, row)), rows):
            yield from faults


def _row_faults(corpus: str, row: Row) -> Iterator[str]:
    for extent in (row, *row["columns"]):
        if not extent["size"]:
            continue
        places = (extent["shard"], f"{KEPT}/{extent['shard']}")
        paths = [files.join(corpus, *place.split("/")) for place in places]
        path = next((one for one in paths if files.exists(one)), None)
        if path is None:
            yield f"{row['key']}: {corpus}/{extent['shard']} has gone: select again"
            continue
        try:
            data = files.read_range(path, extent["offset"], extent["size"])
        except (OSError, StorageError) as error:
            yield f"{row['key']}: {str(error).splitlines()[0]}"
            continue
        if hashlib.sha256(data).hexdigest() != extent["sha256"]:
            yield f"{row['key']}: {corpus}/{extent['shard']} holds other bytes at {extent['offset']}"
