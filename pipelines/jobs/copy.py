"""Some samples of a corpus as a corpus of their own: their bytes are copied, nothing is encoded."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from pipelines.members import place_of, read_place
from pipelines.products import products_of_build
from pipelines.settle import Around, settle
from pipelines.states.claims import claim, claim_number
from pipelines.states.commit import Changes, commit
from pipelines.states.parts import TALKS_OF, Parts
from pipelines.steps.pack import packed
from pipelines.steps.shards import NO_EXTENT
from pipelines.storage.cache import Cache
from schemas.corpus import CACHE_NAME
from schemas.reasons import Reason, Stage
from schemas.rows import Row
from schemas.shard import ShardWriter
from schemas.state import BASE, State, layer_shard
from storage import files


def copy(output: str, state: State, keys: Collection[str], rule: str, new: str) -> State:
    """The corpus `new`, of the samples with these keys; it has no SOURCEs of its own.

    In its ledger what `rule` leaves out is `filtered`.

    Raises:
        StorageError: a shard does not hold what the index says, or a storage fails.
    """
    parts = Parts(output)
    rows = {row["key"]: row for part in state.index for row in parts.index(part) if row["key"] in keys}
    slices = [(row["members"], row["key"], row["size"]) for row in rows.values()]
    shards = packed(slices, state.options["shard_bytes"], 0)
    put = [row for number, held in shards.items() for row in _copied(output, new, number, held, rows)]
    ledger = [_account(row, keys, rule) for part in state.ledger for row in parts.ledger(part)]
    changes = Changes(
        parent=0,
        options=state.options,
        columns=state.columns,
        layers=state.layers,
        next_shard=len(shards),
        put=sorted(put, key=lambda row: row["key"]),
        ledger=ledger,
        salt=state.salt,
        tombstones=frozenset(state.tombstones),
    )
    commit(new, changes)
    products = products_of_build(state.columns, state.options)
    made = settle(Around(new, Cache(files.join(new, CACHE_NAME)), products, None), {})
    files.sweep(new)
    assert made is not None
    return made


def _copied(output: str, new: str, number: int, keys: list[str], rows: dict[str, Row]) -> Iterator[Row]:
    """The index rows of one base shard's samples, once all their layers are written."""
    held = sorted((rows[key] for key in keys), key=lambda row: row["key"])
    stem = claim_number(new, number, [(row["key"], row["content"]) for row in held])
    layers = sorted({layer["column"] for row in held for layer in row["columns"]})
    base = _written(output, new, layer_shard(BASE, stem), {row["key"]: row for row in held})
    columns: dict[str, list[Row]] = {row["key"]: [] for row in held}
    for layer in layers:
        lying = {row["key"]: one for row in held for one in row["columns"] if one["column"] == layer}
        name = claim(new, layer, stem, [(key, one["content"]) for key, one in lying.items()])
        for key, extent in _written(output, new, layer_shard(layer, name), lying).items():
            columns[key].append(lying[key] | extent)
    for row in held:
        yield {**row, **base[row["key"]], "columns": columns[row["key"]], TALKS_OF: row[TALKS_OF]}


def _written(output: str, new: str, name: str, lying: dict[str, Row]) -> dict[str, Row]:
    """Key -> where its bytes now lie; a shard that would be empty is not written."""
    found: dict[str, Row] = {key: NO_EXTENT for key in lying}
    if not any(extent["size"] for extent in lying.values()):
        return found
    with files.atomic_writer(files.join(new, *name.split("/")), new) as stream:
        writer = ShardWriter(stream)
        for key, extent in lying.items():
            if extent["size"]:
                placed = writer.add_extent(read_place(output, place_of(extent)))
                found[key] = {"shard": name, "offset": placed.offset, "size": placed.size}
        writer.finish()
    return found


def _account(row: Row, keys: Collection[str], rule: str) -> Row:
    """What became of an input, in the new corpus."""
    held = [key for key in row["keys"] if key in keys]
    if row["status"] != "done" or held == row["keys"]:
        return row
    out = {"key": None, "stage": str(Stage.WHERE), "reason": str(Reason.FILTERED), "detail": rule}
    outcomes = [span if span["key"] in (None, *held) else span | out for span in row["outcomes"]]
    lost = sum(span["key"] is None for span in outcomes)
    said = f"{lost} of {len(outcomes)} spans gave no sample: {Reason.FILTERED}" if held else rule
    status = "done" if held else "filtered"
    return {**row, "status": status, "detail": said, "keys": held, "outcomes": outcomes}
