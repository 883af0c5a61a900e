"""Which samples of a corpus are trained on and which are held out; never one medium in both."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from loaders.corpus import Corpus, open_corpus
from loaders.dataset import CorpusDataset

Mask = npt.NDArray[np.bool_]


class SelectionError(ValueError):
    """A part that cannot be had: one line that says why."""


def open_selected(root: str, where: str | None, conversations: bool = True) -> Corpus:
    """The samples that `where` is true of; with `conversations` only those that have one.

    Raises:
        CorpusError: no corpus there.
        SelectionError: an expression that is none, or that nothing passes.
    """
    corpus = open_corpus(root, where=pc.field("conversations") > 0 if conversations else None)
    if where is None:
        return corpus
    chosen = where_true(corpus, where)
    if not chosen.any():
        raise SelectionError(f"no sample of {corpus.root} passes {where}")
    return of_rows(corpus, chosen)


def where_true(corpus: Corpus, where: str) -> Mask:
    """bool [samples]: `where` is SQL over the index's columns, as DuckDB has it.

    `metadata`, where the index has no such column, is read from the samples: the row's own as JSON, as in
    `metadata->>'split' = 'test'`. That reads the whole corpus once.

    Raises:
        SelectionError: not SQL, or no such column.
    """
    table = corpus.table
    if "metadata" in where and "metadata" not in table.column_names:
        table = table.append_column("metadata", _metadata(corpus))
    table = table.append_column("row_number_", pa.array(range(len(corpus)), pa.int64()))
    with duckdb.connect(config={"enable_external_access": "false"}) as connection:
        connection.register("corpus", table)
        try:
            rows = connection.sql(f"SELECT row_number_ FROM corpus WHERE ({where}\n)").fetchnumpy()  # noqa: S608
        except duckdb.Error as error:
            raise SelectionError(f"{where}: {str(error).splitlines()[0]}") from error
    chosen = np.zeros(len(corpus), np.bool_)
    chosen[np.asarray(rows["row_number_"], np.int64)] = True
    return chosen


def held_out_where(corpus: Corpus, where: str) -> tuple[Corpus, Corpus]:
    """The samples to train on and those that `where` holds out.

    Raises:
        SelectionError: a part is empty, or a medium lies in both.
    """
    held = where_true(corpus, where)
    if held.all() or not held.any():
        raise SelectionError(f"{where} holds out {held.sum()} of {len(corpus)} samples: want some, not all")
    groups = _groups(corpus)
    in_both = np.intersect1d(groups[held], groups[~held])
    if len(in_both):
        both = groups == in_both[0]
        keys = [corpus.key(int(np.flatnonzero(both & part)[0])) for part in (held, ~held)]
        raise SelectionError(
            f"{where} parts samples of one medium, so that what is held out would be trained on: {keys[0]} "
            f"is held out, {keys[1]} is not; {len(in_both)} media are in both parts"
        )
    return of_rows(corpus, ~held), of_rows(corpus, held)


def held_out_share(corpus: Corpus, share: float) -> tuple[Corpus, Corpus]:
    """The samples to train on and about `share` of them held out, the same ones whatever their order: samples
    that share a picture's or a sound's bytes go together.

    Raises:
        SelectionError: the samples hang together too much.
    """
    groups = _groups(corpus)
    numbers, counts = np.unique(groups, return_counts=True)
    names = {number: corpus.key(int(np.flatnonzero(groups == number)[0])) for number in numbers.tolist()}
    order = np.argsort([hashlib.sha256(names[number].encode()).hexdigest() for number in numbers.tolist()])
    before = np.concatenate([[0], np.cumsum(counts[order])[:-1]])
    held = np.isin(groups, numbers[order][before < share * len(corpus)])
    if held.all() or held.sum() > 2 * share * len(corpus) + 1:
        raise SelectionError(
            f"a share of {share} cannot be held out: {counts.max()} of {len(corpus)} samples hang together "
            "by common media; hold out by the rows' metadata, or leave some out with --where"
        )
    return of_rows(corpus, ~held), of_rows(corpus, held)


def of_rows(corpus: Corpus, rows: Mask) -> Corpus:
    return replace(corpus, table=corpus.table.filter(pa.array(rows)))


def _groups(corpus: Corpus) -> npt.NDArray[np.int64]:
    """int64 [samples]: the same number for samples that share a medium, directly or through others."""
    parent = list(range(len(corpus)))

    def root(number: int) -> int:
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    first: dict[str, int] = {}
    for row, digests in enumerate(corpus.table["digests"].to_pylist()):
        for digest in filter(None, digests.values()):
            parent[root(row)] = root(first.setdefault(digest, row))
    return np.array([root(number) for number in range(len(corpus))], np.int64)


def _metadata(corpus: Corpus) -> pa.Array:
    dataset = CorpusDataset(corpus, columns=())
    return pa.array([json.dumps(dataset[row].metadata) for row in range(len(corpus))], pa.string())
