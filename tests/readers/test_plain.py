"""Whoever knows nothing of us reads every current sample once, with its own features, after every change."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import datasets
import duckdb
import numpy as np
import pandas as pd
import pytest
import webdataset as wds

datasets.disable_progress_bars()
Arrays = dict[tuple[str, str], Any]  # (id, column) -> array


def by_tar(shards: list[str]) -> dict[str, dict[str, bytes]]:
    """Key -> suffix -> content; no key in two shards."""
    found: dict[str, dict[str, bytes]] = {}
    for shard in shards:
        own: dict[str, dict[str, bytes]] = {}
        with tarfile.open(shard) as tar:
            for member in tar:
                key, _, suffix = member.name.partition(".")
                stream = tar.extractfile(member)
                assert stream is not None
                assert suffix not in own.setdefault(key, {})
                own[key][suffix] = stream.read()
        assert not own.keys() & found.keys()
        found |= own
    return found


def arrays(members: dict[str, dict[str, bytes]], ids: dict[str, str]) -> Arrays:
    return {
        (ids[key], suffix.removesuffix(".npy")): np.load(io.BytesIO(content))
        for key, own in members.items()
        for suffix, content in own.items()
        if suffix.endswith(".npy")
    }


@pytest.fixture(scope="module")
def truth(changed) -> dict[str, Arrays]:
    """Before and after the column `wide` was replaced: each sample's arrays, as first written."""
    first = everything(changed["growth"])[1]
    return {
        "old": first | everything(changed["another column"])[1],
        "new": first | everything(changed["replaced column"])[1],
    }


def everything(state) -> tuple[dict[str, str], Arrays, dict[str, Any]]:
    """Key -> id, arrays, key -> annotations, by tar alone."""
    base = by_tar(state.shards)
    ids = {key: json.loads(members["json"])["id"] for key, members in base.items()}
    found = arrays(base, ids)
    for layer in state.apart - {"annotations"}:
        found |= arrays(by_tar(state.beside(f"columns/{layer}")), ids)
    told = by_tar(state.beside("columns/annotations"))
    return ids, found, {key: json.loads(members["annotations.json"]) for key, members in told.items()}


def test_tar(state, truth, changed):
    ids, found, told = everything(state)
    assert sorted(ids.values()) == sorted(state.answers)
    assert found.keys() == {(name, column) for name, columns in state.columns.items() for column in columns}
    older = state.root.name in ("another column", "corrected answer")
    for place, array in found.items():
        assert np.array_equal(array, truth["old" if older else "new"][place]), place
    answers = {ids[key]: json.loads(one["conversations"]) for key, one in told.items()}
    assert {name: talks[0][1]["value"] if talks else None for name, talks in answers.items()} == state.answers


def same(found: Arrays, wanted: Arrays) -> bool:
    return found.keys() == wanted.keys() and all(
        np.array_equal(array, wanted[place]) for place, array in found.items()
    )


def test_webdataset(state):
    """The base, and what lies beside it, by the keys."""
    ids, wanted, _ = everything(state)
    samples = list(wds.WebDataset(state.shards, shardshuffle=False).decode())
    assert sorted(sample["json"]["id"] for sample in samples) == sorted(state.answers)
    for layer in state.apart:
        samples += wds.WebDataset(state.beside(f"columns/{layer}"), shardshuffle=False).decode()
    found = {
        (ids[sample["__key__"]], name.removesuffix(".npy")): array
        for sample in samples
        for name, array in sample.items()
        if name.endswith(".npy")
    }
    assert same(found, wanted)


@pytest.mark.parametrize("streaming", [True, False])
def test_hugging_face_datasets(state, streaming, tmp_path):
    ids, wanted, _ = everything(state)
    layers = [f"columns/{layer}" for layer in sorted(state.apart - {"annotations"})]
    found: Arrays = {}
    for layer in ("shards", *layers, "columns/annotations"):
        rows = list(
            datasets.load_dataset(
                "webdataset",
                data_files=state.beside(layer),
                split="train",
                streaming=streaming,
                cache_dir=str(tmp_path),
            )
        )
        keys = [row["__key__"] for row in rows]
        assert sorted(keys) == sorted(by_tar(state.beside(layer)))
        found |= {
            (ids[row["__key__"]], name.removesuffix(".npy")): np.asarray(array, np.float16)
            for row in rows
            for name, array in row.items()
            if name.endswith(".npy") and array is not None
        }
    assert same(found, wanted)
    assert sorted(keys) == sorted(ids)
    answers = {row["__key__"]: json.loads(row["annotations.json"]["conversations"]) for row in rows}
    assert {
        ids[key]: talks[0][1]["value"] if talks else None for key, talks in answers.items()
    } == state.answers


def test_tables_in_pandas_and_duckdb(state):
    for name in ("index", "conversations", "ledger"):
        table = pd.read_parquet(f"{state.root}/{name}.parquet")
        assert duckdb.sql(f"SELECT count(*) FROM '{state.root}/{name}.parquet'").fetchall() == [(len(table),)]
    index = pd.read_parquet(f"{state.root}/index.parquet")
    assert sorted(index["id"]) == sorted(state.answers)
    test = duckdb.sql(
        f"SELECT id FROM '{state.root}/index.parquet' WHERE split = 'test' ORDER BY id"
    ).fetchall()
    assert [name for (name,) in test] == sorted(index[index["split"] == "test"]["id"]) == ["b1", "d0"]
    talks = pd.read_parquet(f"{state.root}/conversations.parquet")
    answers = {row.id: row.turns[1]["value"] for row in talks.itertuples() if len(row.turns)}
    assert answers == {name: answer for name, answer in state.answers.items() if answer}
    ledger = pd.read_parquet(f"{state.root}/ledger.parquet")
    assert set(ledger[ledger["status"] == "done"]["id"]) == set(state.answers)


def test_the_tables_name_the_bytes(state):
    """Every extent that index.parquet names is a tar of that sample alone."""
    for row in pd.read_parquet(f"{state.root}/index.parquet").itertuples():
        for place in [{"shard": row.shard, "offset": row.offset, "size": row.size}, *row.columns]:
            if place["size"]:
                data = Path(state.root, place["shard"]).read_bytes()[place["offset"] :][: place["size"]]
                with tarfile.open(fileobj=io.BytesIO(data)) as tar:
                    assert {name.partition(".")[0] for name in tar.getnames()} == {row.key}
