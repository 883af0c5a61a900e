"""Ready samples -> shards and index rows. Membership and order follow from keys and sizes alone.

standing rows, ready samples --by base shard--> those that move or are new --pack--> numbers
                                    |                                          |
                                    +-- layers written anew beside it -----> write --> index rows
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

import apache_beam as beam

from pipelines.facts.index import annotated, facts, told
from pipelines.members import Made, Members, place_of, read_place
from pipelines.metrics.counters import BYTES, SAMPLES, SHARDS, count
from pipelines.metrics.profile import timed
from pipelines.products import WORDS
from pipelines.states.claims import claim, claim_number
from pipelines.states.handover import Handed, hand_over, took_back
from pipelines.states.parts import TALKS_OF
from pipelines.steps.assemble import Ready
from pipelines.steps.pack import packed
from pipelines.storage.cache import VanishedError
from schemas.features import SCALE
from schemas.rows import Row
from schemas.sample import SAMPLE_VERSION
from schemas.selection.signals import SIGNALS
from schemas.shard import Extent, ShardWriter, tar_bytes
from schemas.state import BASE, layer_shard
from storage import files

PUT, STAY = "put", "stay"
NEW, BESIDE = "new", "beside"
_UNSAID: dict[str, Row] = {  # product -> what the index says without it
    WORDS: {"words": None, "language": None, "whisper_speech_share": None},
    SIGNALS: {"signals": None},
}
NO_EXTENT = {"shard": "", "offset": 0, "size": 0, "sha256": ""}
Piece = tuple[str, str, int, str]  # group, key, bytes, content
Changed = tuple[Row, Row | None]  # an index row put, and the one that it takes the place of


@dataclass(frozen=True, slots=True)
class Item:
    """A sample that gets a new index row: ready layers of it, its row as it was, or both."""

    ready: Ready | None
    row: Row | None

    @property
    def key(self) -> str:
        return self.ready.fresh.sample.key if self.ready else str((self.row or {})["key"])


@dataclass(frozen=True)
class Written:
    """One layer of a sample where it now lies."""

    layer: str
    extent: Row  # shard, offset, size, sha256, content
    features: list[Row] | None = None  # None: as they were
    facts: Row | None = None  # of what was made: the base, the words


Pairs = tuple[str, Item]
ToWrite = tuple[str, tuple[list[str], list[Item]]]  # stem of a base shard; sorted layers, and all samples


@beam.typehints.with_input_types(ready=Ready, standing=Row, leaving=Row)
class WriteShards(beam.PTransform):
    """{"ready": Ready, "standing": index row, "leaving": index row} -> {PUT: index rows put, with those that
    they replace; STAY: index rows that stay as they are}.

    A base shard that loses a sample is written anew under a new number, its column shards with it, so that an
    index always describes files as they are. A layer that changes beside its base is written for that base
    shard alone. Every other shard is left as it is.
    """

    def __init__(self, output: str, shard_bytes: int, members: Members, first: int) -> None:
        """`first`: the first shard number that was never used."""
        super().__init__()
        self._output = output
        self._pack = _Pack(output, shard_bytes, first)
        self._layers = sorted(members.layers)
        self._write = _WriteShard(output, members)
        self._members = members

    def expand(self, inputs: Mapping[str, beam.PCollection]) -> dict[str, beam.PCollection]:
        of_row = beam.Map(lambda row: (row["shard"], row)).with_output_types(tuple[str, Row])
        beside = beam.FlatMap(_beside).with_output_types(tuple[str, Ready])
        by_shard = (
            {
                "standing": inputs["standing"] | "Shard of row" >> of_row,
                "beside": inputs["ready"] | "Shard of ready" >> beside,
                "leaving": inputs["leaving"] | "Shard of leaver" >> of_row,
            }
            | "By shard" >> beam.CoGroupByKey()
            | "Stay or move"
            >> beam.FlatMap(_stay_or_move)
            .with_output_types(Pairs | ToWrite | Row, new=Pairs, beside=ToWrite, stay=Row)
            .with_outputs(NEW, BESIDE, STAY)
        )
        fresh = beam.FlatMap(_without_base).with_output_types(Pairs)
        new = (inputs["ready"] | "New" >> fresh, by_shard[NEW]) | "To number" >> beam.Flatten()
        numbers = (
            new
            | "Sizes" >> beam.Map(_slice, self._members).with_output_types(tuple[None, Piece])
            | "All sizes" >> beam.GroupByKey()
            | "Pack" >> beam.ParDo(self._pack).with_output_types(tuple[str, str])
        )
        layers = self._layers
        numbered = (
            {"items": new, "numbers": numbers}
            | "Numbers meet items" >> beam.CoGroupByKey()
            | "Numbered" >> beam.Map(_numbered).with_output_types(Pairs)
            | "Shards" >> beam.GroupByKey()
            | "Every layer"
            >> beam.MapTuple(lambda stem, items: (stem, (layers, list(items)))).with_output_types(ToWrite)
        )
        put = (numbered, by_shard[BESIDE]) | "To write" >> beam.Flatten() | "Write" >> beam.ParDo(self._write)
        return {PUT: put, STAY: by_shard[STAY]}


def _beside(ready: Ready) -> Iterator[tuple[str, Ready]]:
    """Those whose base stands."""
    if ready.fresh.row and BASE not in ready.fresh.layers:
        yield ready.fresh.row["shard"], ready


def _without_base(ready: Ready) -> Iterator[Pairs]:
    if BASE in ready.fresh.layers:
        yield ready.fresh.sample.key, Item(ready, ready.fresh.row)


def _stay_or_move(element: tuple[str, Mapping[str, Iterable[Any]]]) -> Iterator[beam.pvalue.TaggedOutput]:
    shard, joined = element
    readies = list(joined["beside"])
    items = [Item(None, row) for row in joined["standing"]]
    items += [Item(ready, ready.fresh.row) for ready in readies]
    if list(joined["leaving"]):
        yield from (beam.pvalue.TaggedOutput(NEW, (item.key, item)) for item in items)
        return
    layers = sorted({layer for ready in readies for layer in ready.fresh.layers})
    told = [item for item in items if layers or item.ready]
    yield from (beam.pvalue.TaggedOutput(STAY, item.row) for item in items if not (layers or item.ready))
    if told:
        stem = shard.removesuffix(".tar").rpartition("/")[2]
        yield beam.pvalue.TaggedOutput(BESIDE, (stem, (layers, told)))


def _slice(pair: Pairs, members: Members) -> tuple[None, Piece]:
    key, item = pair
    if item.ready:
        return None, (item.ready.group, key, item.ready.size, members.content(item.ready.fresh.sample, BASE))
    assert item.row is not None
    return None, (item.row["members"], key, item.row["size"], item.row["content"])


@beam.typehints.with_input_types(tuple[None, Iterable[Piece]])
class _Pack(beam.DoFn):
    """(key, stem), as pack.py says."""

    def __init__(self, output: str, shard_bytes: int, first: int) -> None:
        self._output = output
        self._shard_bytes = shard_bytes
        self._first = first

    def process(self, element: tuple[None, Iterable[Piece]]) -> Iterator[tuple[str, str]]:
        slices = list(element[1])
        contents = {key: content for _, key, _, content in slices}
        shards = packed([piece[:3] for piece in slices], self._shard_bytes, self._first)
        for number, keys in shards.items():
            stem = claim_number(self._output, number, [(key, contents[key]) for key in keys])
            yield from ((key, stem) for key in keys)


def _numbered(element: tuple[str, Mapping[str, Iterable[Any]]]) -> Pairs:
    key, joined = element
    items, [stem] = list(joined["items"]), set(joined["numbers"])
    assert len(items) == 1, f"{len(items)} samples have the key {key}"
    return stem, items[0]


@beam.typehints.with_input_types(ToWrite)
@beam.typehints.with_output_types(Changed)
class _WriteShard(beam.DoFn):
    """The named layers of one base shard's samples, and their index rows."""

    def __init__(self, output: str, members: Members) -> None:
        self._output = output
        self._members = members

    def process(self, element: ToWrite) -> Iterator[Changed]:
        stem, (layers, items) = element
        items = sorted(items, key=lambda item: item.key)
        written: dict[str, list[Written]] = {item.key: [] for item in items}
        assert len(written) == len(items), f"two samples of {stem} have one key"
        with timed("shards"):
            for layer in layers:
                for item, one in zip(items, self._layer(layer, stem, items), strict=True):
                    written[item.key].append(one)
                    count(BYTES, one.extent["size"])
        count(SAMPLES, sum(BASE in item.ready.fresh.layers for item in items if item.ready))
        yield from (_index_row(item, written[item.key], self._members) for item in items)

    def _layer(self, layer: str, stem: str, items: list[Item]) -> list[Written]:
        try:
            return self._shard(layer, stem, items)
        except VanishedError:
            if not took_back(self._output, layer_shard(layer, self._stem(layer, stem, items))):
                raise
            return self._shard(layer, stem, items)  # this bundle had run before

    def _shard(self, layer: str, stem: str, items: list[Item]) -> list[Written]:
        """Samples that have nothing of the layer are left out."""
        written: list[Written] = []
        handed: list[Handed] = []
        with ExitStack() as stack:
            name, writer = "", None
            for item in items:
                content, made = self._content(layer, item), self._made(layer, item)
                if made is None:
                    written.append(Written(layer, {**NO_EXTENT, "content": content}, []))
                    continue
                if writer is None:
                    name = layer_shard(layer, self._stem(layer, stem, items))
                    path = files.join(self._output, *name.split("/"))
                    writer = ShardWriter(stack.enter_context(files.atomic_writer(path, self._output)))
                extent = _add(writer, item.key, made)
                if isinstance(made, Made):
                    handed.append(Handed(extent, made.entries))
                said = {"shard": name, **asdict(extent), "content": content}
                written.append(_written(layer, said, item, made))
            if writer is not None:
                writer.finish()
                count(SHARDS)
        hand_over(self._output, name, handed)
        return written

    def _content(self, layer: str, item: Item) -> str:
        if item.ready and layer in item.ready.fresh.layers:
            return self._members.content(item.ready.fresh.sample, layer)
        return str(_held(item, layer)["content"])

    def _made(self, layer: str, item: Item) -> Made | bytes | None:
        """Members to write, or a sample's bytes as another shard holds them."""
        if item.ready and layer in item.ready.fresh.layers:
            made = self._members.make(item.ready.fresh, layer)
            return made if made.contents else None
        held = _held(item, layer)
        return read_place(self._output, place_of(held)) if held["size"] else None

    def _stem(self, layer: str, stem: str, items: list[Item]) -> str:
        """A base shard's was claimed when it was numbered."""
        if layer == BASE:
            return stem
        contents = [(item.key, self._content(layer, item)) for item in items]
        taken = any(_held(item, layer)["shard"].rpartition("/")[2].startswith(stem) for item in items)
        return claim(self._output, layer, stem, contents, taken)


def _held(item: Item, layer: str) -> Row:
    """Where a layer of the sample lay."""
    row = item.row or {"columns": [], **NO_EXTENT, "content": ""}
    if layer == BASE:
        return row
    held = (column for column in row["columns"] if column["column"] == layer)
    return next(held, {**NO_EXTENT, "content": ""})


def _add(writer: ShardWriter, key: str, made: Made | bytes) -> Extent:
    if isinstance(made, bytes):
        return writer.add_extent(made)
    return writer.add(key, made.contents.items())


def _written(layer: str, extent: Row, item: Item, made: Made | bytes) -> Written:
    if isinstance(made, bytes):
        return Written(layer, extent)
    offsets, end = {}, 0
    for name, content in made.contents.items():
        offsets[name] = (end, tar_bytes(len(content)))
        end += tar_bytes(len(content))
    features = []
    for column, feature in made.features.items():
        offset, size = offsets[f"{column}.npy"]
        size += offsets.get(f"{column}.{SCALE}", (0, 0))[1]  # it follows: members lie by name
        features.append({"column": column, **asdict(feature), "offset": offset, "size": size})
    known = _facts(item, made) | {"head": offsets["json"][1]} if made.masks else {}
    assert item.ready is not None
    return Written(layer, extent, features, known | told(made.contents, item.ready.fresh.sample.span))


def _unsaid(products: Iterable[str]) -> Row:
    return {name: None for product in products for name in _UNSAID.get(product, ())}


def _facts(item: Item, made: Made) -> Row:
    assert item.ready is not None
    assert made.masks is not None
    more = {"members": item.ready.group, "record": SAMPLE_VERSION}
    return facts(item.ready.fresh.sample, made.masks) | more


def _index_row(item: Item, written: list[Written], members: Members) -> Changed:
    row: Row = dict(item.row or {"columns": [], "features": [], **_unsaid(_UNSAID)})
    row |= _unsaid(name for name in _UNSAID if not any(name in made for made in members.layers.values()))
    columns = {held["column"]: held for held in row["columns"] if held["column"] in members.layers}
    made = {name for names in members.layers.values() for name in names}
    features = {feature["column"]: feature for feature in row["features"] if feature["column"] in made}
    for one in written:
        if one.layer == BASE:
            row |= one.extent
        else:
            columns[one.layer] = {"column": one.layer, **one.extent}
        if one.features is not None:
            row |= _unsaid(members.layers[one.layer])
            row |= one.facts or {}
            features = {n: f for n, f in features.items() if n not in members.layers[one.layer]}
            features |= {feature["column"]: feature for feature in one.features}
    row |= {
        "columns": [columns[n] for n in sorted(columns)],
        "features": [features[n] for n in sorted(features)],
    }
    if item.ready:
        row |= {TALKS_OF: item.ready.fresh.sample.talks(), **annotated(item.ready.fresh.sample)}
    return row, item.row
