"""Which inputs a build must look at: those that are new, changed, or asked for again."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pipelines.build import Build
from pipelines.errors import StorageError, UsageError
from pipelines.products import CUTS_VERSION, PROBE_VERSION, Products
from pipelines.states.parts import Parts
from pipelines.storage import fetch
from pipelines.storage.reading import stamp_of
from schemas.cuts import CutAt, Cutting
from schemas.digest import digest
from schemas.manifest import InputRow
from schemas.reasons import MediaError, Reason
from schemas.state import State

REMOVED = "removed"
_TENTH = 0.1
Ledger = Mapping[str, Mapping[str, Any]]


class OtherColumnsError(UsageError):
    """A build that would mix encoders in one corpus."""


def read_ledger(output: str, state: State | None) -> Ledger:
    """Ledger rows by input; none before the first build."""
    return {row["input"]: row for row in ledger_rows(output, state)}


def ledger_rows(output: str, state: State | None) -> Iterator[Mapping[str, Any]]:
    """The same, one after another."""
    parts = Parts(output)
    for part in state.ledger if state else ():
        yield from parts.ledger(part)


def sign(
    rows: Iterable[InputRow],
    products: Products,
    cutting: Cutting,
    *,
    where: str | None = None,
    uris: str = "full",
) -> tuple[InputRow, ...]:
    """The rows with their signatures: what they say, their files' versions, what is made of them."""
    rows = list(rows)
    versions = fetch.versions(uri for row in rows for uri in row.uris)
    made = made_of(products, cutting, where, uris)
    return tuple(signed(row, versions, made) for row in rows)


def made_of(products: Products, cutting: Cutting, where: str | None, uris: str) -> str:
    """What a build makes of its inputs, as a digest."""
    others = [*([where] if where else []), *([uris] if uris != "full" else [])]
    others += ["first clip"] if cutting.first else []
    if cutting.at is not CutAt.CLIPS:
        others.append(f"{cutting.at} {cutting.shortest_ns} {CUTS_VERSION}")
    return digest([products.names(), cutting.longest_ns, PROBE_VERSION, *others])


def signed(row: InputRow, versions: Mapping[str, str | MediaError], made: str) -> InputRow:
    """A row with its signature.

    Args:
        versions: as `fetch.versions` has them.
    """

    def version(uri: str) -> str:
        found = versions[uri]
        return str(found.reason) if isinstance(found, MediaError) else found

    def listed(uri: str) -> str:
        try:
            return version(uri) if isinstance(versions[uri], MediaError) else stamp_of(uri) or version(uri)
        except MediaError as error:  # not there any more: it was, and whose fault that is will be seen
            return version(uri) if error.reason is Reason.NOT_FOUND else str(error.reason)

    return replace(
        row,
        versions=tuple(listed(uri) for uri in row.uris),
        signature=digest(
            {
                "row": [row.id, row.media, {str(m): uri for m, uri in row.named.items()}],
                "span": [row.start_ns, row.end_ns],
                "says": [row.conversations, row.metadata],
                "versions": [version(uri) for uri in row.uris],
                "made": made,
                **({"silent": True} if row.silent else {}),
                **({"refusal": row.refusal} if row.refusal else {}),
            }
        ),
    )


def removed_of(rows: Iterable[InputRow], state: State | None) -> Iterator[InputRow]:
    """The rows that were taken out of the corpus.

    They are known by id and media: a manifest that lost a line names other rows by the numbers that follow.
    """
    if state is not None and state.tombstones:
        tombs = set(state.tombstones)
        yield from (row for row in rows if tombstone(state.salt, row.id, row.uris) in tombs)


def salt_of(state: State) -> str:
    """Of its tombstones: the first time one of its own, the same for the same corpus."""
    return state.salt or digest([part.table for part in state.ledger])[:32]


def tombstone(salt: str, row_id: str, uris: Sequence[str]) -> str:
    """By which an input that was taken out for good is known again."""
    return digest([salt, row_id, list(uris)])


def leaving(given: Collection[str], ledger: Ledger, sure: bool) -> tuple[dict[str, Any], ...]:
    """The ledger rows that `--mirror` takes out: no SOURCE names their inputs any more.

    Raises:
        UsageError: nothing is named at all, or over a tenth would leave and nobody said that this is meant.
    """
    there = {name: row for name, row in ledger.items() if row["status"] != REMOVED}
    if there and not given:
        raise UsageError("--mirror: the SOURCEs hold nothing, and the corpus would be emptied: look at them")
    gone = tuple(dict(row) for name, row in there.items() if name not in given)
    if len(gone) > _TENTH * len(there) and not sure:
        raise UsageError(
            f"--mirror would take out {len(gone)} of {len(there)} inputs: give --yes too if that is meant "
            "(--dry-run names them)"
        )
    return gone


def _reasons(row: Mapping[str, Any]) -> set[str]:
    """Why it, or a part of it, gave no sample."""
    return {row["reason"], *(span["reason"] for span in row["outcomes"])} - {None}


def check_there(rows: Iterable[InputRow], ledger: Ledger) -> None:
    """Raises:
    StorageError: what an input was made of is not there any more, nor is anything else of its folder.
    """
    for row in rows if ledger else ():
        if (known := ledger.get(row.input)) and known["status"] == "done":
            for uri, version in zip(row.uris, row.versions, strict=True):
                if version == Reason.NOT_FOUND and fetch.vanished(uri):
                    raise StorageError(
                        f"{uri} is gone with its folder, and the corpus holds it: is its disk mounted? "
                        "(favor-data remove takes inputs out)"
                    )


def to_build(
    rows: Iterable[InputRow], ledger: Ledger, retry: frozenset[str], lost: Collection[str] = ()
) -> Iterator[InputRow]:
    """The rows that the ledger does not settle, and those that share a file with them, whose samples
    may merge. Goes over the rows twice; holds the files' names of what is open.

    Args:
        lost: keys of samples whose shards are missing.
    """
    lost = set(lost)
    touched: set[str] = set()
    refused: set[str] = set()
    for row in rows:
        known = ledger.get(row.input)
        if (
            known is None
            or known["signature"] != row.signature
            or not retry.isdisjoint(_reasons(known))
            or not lost.isdisjoint(known["keys"])
        ):
            touched.update(row.uris)
            if row.refusal:
                refused.add(row.input)
    for row in rows:
        if touched.intersection(row.uris) or row.input in refused:
            yield row


def check_columns(build: Build, named: Container[str], ledger: Ledger) -> None:
    """Raises:
    OtherColumnsError: inputs that this build does not name were made with other columns.
    """
    if build.held.names() == build.products.names():
        return
    gone = build.leaving
    others = sum(
        name not in named and name not in gone and row["status"] != REMOVED for name, row in ledger.items()
    )
    if others:
        raise other_columns(build.output, f"{others} inputs")


def other_columns(output: str, others: str) -> OtherColumnsError:
    """The error that says so."""
    return OtherColumnsError(
        f"{output} holds {others} made with other columns or options: name those inputs too, "
        "so that they get the new ones, or choose another --output"
    )
