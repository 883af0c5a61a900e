"""Which inputs a build must look at: those that are new, changed, or asked for again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pipelines.errors import UsageError
from pipelines.products import PROBE_VERSION, Products, products_of_build
from pipelines.storage import fetch
from schemas.corpus import CORPUS_NAME, LEDGER_NAME, Corpus
from schemas.digest import digest
from schemas.manifest import InputRow
from schemas.reasons import MediaError
from schemas.tables import LEDGER, read_rows
from storage import files

Ledger = Mapping[str, Mapping[str, Any]]


class OtherColumnsError(UsageError):
    """A build that would mix encoders in one corpus."""


def read_ledger(output: str) -> Ledger:
    """Ledger rows by input; none before the first build."""
    path = files.join(output, LEDGER_NAME)
    if not files.exists(path):
        return {}
    with files.open_read(path) as stream:
        return {row["input"]: row for row in read_rows(stream, LEDGER)}


def sign(rows: Iterable[InputRow], products: Products, clip_ns: int) -> tuple[InputRow, ...]:
    """The rows with their signatures: what they say, their files' versions, what is made of them."""
    rows = list(rows)
    versions = fetch.versions(uri for row in rows for uri in row.uris)

    def version(uri: str) -> str:
        found = versions[uri]
        return str(found.reason) if isinstance(found, MediaError) else found

    made = digest([products.names(), clip_ns, PROBE_VERSION])
    return tuple(
        replace(
            row,
            signature=digest(
                {
                    "row": [row.id, row.media, {str(m): uri for m, uri in row.named.items()}],
                    "span": [row.start_ns, row.end_ns],
                    "says": [row.conversations, row.metadata],
                    "versions": [version(uri) for uri in row.uris],
                    "made": made,
                }
            ),
        )
        for row in rows
    )


def to_build(rows: Sequence[InputRow], ledger: Ledger, retry: Collection[str]) -> tuple[InputRow, ...]:
    """The rows that the ledger does not settle, and those that share a file with them, whose samples
    may merge."""
    open_rows = [
        row
        for row in rows
        if (known := ledger.get(row.input)) is None
        or known["signature"] != row.signature
        or known["reason"] in retry
    ]
    touched = {uri for row in open_rows for uri in row.uris}
    return tuple(row for row in rows if touched.intersection(row.uris))


def check_columns(output: str, rows: Sequence[InputRow], ledger: Ledger, products: Products) -> None:
    """Raises:
    OtherColumnsError: inputs that this build does not name were made with other columns.
    """
    if others := set(ledger) - {row.input for row in rows}:
        check_same_columns(output, products, others)


def check_same_columns(output: str, products: Products, others: Collection[str]) -> None:
    """Raises:
    OtherColumnsError: what the corpus holds was made with other columns; `others` are inputs of it.
    """
    path = files.join(output, CORPUS_NAME)
    if not files.exists(path):
        return
    corpus = Corpus.model_validate_json(files.read_bytes(path))
    if products_of_build(corpus.columns, corpus.options).names() != products.names():
        raise OtherColumnsError(
            f"{output} holds {len(others)} inputs made with other columns or options: name those inputs too, "
            "so that they get the new ones, or choose another --output"
        )
