"""What each fuzzer feeds to the reading of SOURCEs. A target returns; anything that is raised is a find."""

from __future__ import annotations

import os
import struct
import tarfile
from collections.abc import Iterable
from contextlib import suppress
from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter

from benchmarks.fuzz.held import Held
from pipelines.storage.parquet_check import check_parquet
from pipelines.storage.raw_tars import tar_rows
from pipelines.storage.sources import input_row
from pipelines.storage.tars import TarMember, read_archive, read_sparse
from schemas.digest import canonical_json
from schemas.manifest import InputRow, ManifestError, RowError, manifest_rows

FORMS = ("jsonl", "json", "csv", "tsv", "txt")
_ROW = TypeAdapter(InputRow)


def manifest(data: bytes) -> None:
    """A manifest of any form: a row is one that later steps can carry, or an error that can be written."""
    if not data:
        return
    form = FORMS[data[0] % len(FORMS)]
    with suppress(ManifestError):
        for line, row in manifest_rows(f"m.{form}", BytesIO(data[1:])):
            if isinstance(row, RowError):
                str(row).encode()
            else:
                _carry([input_row(f"m.{form}:{line}", "/", row)])


def _carry(rows: Iterable[InputRow]) -> None:
    for row in rows:
        assert _ROW.validate_json(_ROW.dump_json(row)) == row
        canonical_json([row.input, row.id, row.metadata, row.conversations])


def parquet(data: bytes) -> None:
    """A Parquet file some of whose bytes are others: whoever is told that it can be read lives on."""
    content = bytearray(SEED)
    for start in range(0, len(data) - 2, 3):
        place, value = struct.unpack_from(">HB", data, start)
        content[place % len(content)] = value
    with Held(bytes(content)) as path, suppress(ManifestError):
        check_parquet(path.replace("self", str(os.getpid())))
        for line, row in manifest_rows("m.parquet", BytesIO(content)):
            if not isinstance(row, RowError):
                _carry([input_row(f"m.parquet:{line}", "/", row)])


def tar(data: bytes) -> None:
    """A tar: its members lie inside it, and each is named so that it is found again."""
    with Held(data) as path:
        with suppress(tarfile.TarError):
            for name, extent in read_archive.__wrapped__(path).members.items():
                assert extent.sparse or 0 <= extent.offset <= extent.offset + extent.size <= len(data)
                assert TarMember.parse(TarMember(name, path).uri) == (name, path) or "::" in name
                if extent.sparse:
                    with suppress(tarfile.TarError):
                        assert sum(map(len, read_sparse(path, extent))) <= extent.size
        read_archive.cache_clear()
        _carry(tar_rows(path, "a.tar"))


def sidecar(data: bytes) -> None:
    """A medium's KEY.json and KEY.txt, any bytes."""
    archive = BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as writer:
        for name, content in (("k.mp4", b"v"), ("k.json", data), ("k.txt", data)):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            writer.addfile(member, BytesIO(content))
    read_archive.cache_clear()
    with Held(archive.getvalue()) as path:
        [row] = tar_rows(path, "a.tar")
        _carry([row])


def _seed() -> bytes:
    """With media inside, texts, numbers and lists."""
    rows = [{"image": {"bytes": b"x", "path": "p"}, "id": "a", "start": 0.5, "n": [1, 2]}] * 3
    buffer = BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


SEED = _seed()
INTAKE = {"manifest": manifest, "parquet": parquet, "tar": tar, "sidecar": sidecar}
