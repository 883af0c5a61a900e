"""`favor-data index OUT --for energon|lhotse`: what another loader wants beside the shards."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from pipelines.commands.parser import Parser
from pipelines.errors import UsageError
from pipelines.jobs.rearrange import corpus_state
from pipelines.states.sweep import shards_of
from schemas.state import BASE, LOADERS, State, layer_folder
from storage import files

STATE_NAME = "favor-data.json"  # which state a folder was made of
_SAMPLE_LOADER = """\
# Made by favor-data index; run it again after a build.
from loaders.libraries.energon import loader_of, part_filter

sample_loader = loader_of(state={state})
"""
_DATASET = """\
sample_type:
  __module__: loaders.libraries.energon
  __class__: CorpusSample
sample_loader: sample_loader.py:sample_loader
part_filter: sample_loader.py:part_filter
"""


def run(argv: Sequence[str]) -> int:
    """Exit status 0.

    Raises:
        UsageError: no corpus, or not on a disk.
        StorageError.
    """
    parser = Parser(
        prog="favor-data index",
        description="Write what another loader wants beside the shards: derived files, to be made again "
        "after a build, which verify does not look at.",
    )
    parser.add_argument("corpus", metavar="OUT")
    parser.add_argument("--for", dest="loader", choices=LOADERS, required=True)
    asked: argparse.Namespace = parser.parse_args(argv)
    output = files.absolute(asked.corpus)
    if not files.is_local(output):
        raise UsageError(f"{output}: {asked.loader} reads a corpus on a disk: mount the bucket, or copy it")
    state = corpus_state(output)
    folder = Path(output, asked.loader)
    if _stands(folder, state.state):
        print(f"{folder}: of state {state.state} already")
        return 0
    partial = folder.with_name(f".{asked.loader}.{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        write = _energon if asked.loader == "energon" else _lhotse
        write(output, state, partial)
        (partial / STATE_NAME).write_text(json.dumps({"state": state.state}) + "\n", encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    print(f"{folder}: {state.counts['samples']} samples of state {state.state}")
    return 0


def _stands(folder: Path, state: int) -> bool:
    try:
        said = json.loads((folder / STATE_NAME).read_text(encoding="utf-8"))
        return bool(said["state"] == state)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _energon(output: str, state: State, folder: Path) -> None:
    """By the library's own preparation, over links: its files lie beside the tars that it is given."""
    from megatron.energon.flavors.webdataset.prepare import WebdatasetPreparator

    base = f"{layer_folder(BASE)}/"
    shards = sorted(shard for shard in shards_of(output, state) if shard.startswith(base))
    for shard in shards:
        (folder / Path(shard).name).symlink_to(Path("..", shard))
    with contextlib.redirect_stdout(sys.stderr):
        WebdatasetPreparator.prepare_dataset(
            folder,
            [Path(shard).name for shard in shards],
            split_parts_ratio=[("train", 1.0)],
            shuffle_seed=None,
            workers=1,
        )
    meta = folder / ".nv-meta"
    (meta / "dataset.yaml").write_text(_DATASET, encoding="utf-8")
    (meta / "sample_loader.py").write_text(_SAMPLE_LOADER.format(state=state.state), encoding="utf-8")


def _lhotse(output: str, state: State, folder: Path) -> None:
    from lhotse import CutSet

    from pipelines.commands.share.cuts import Cuts

    with CutSet.open_writer(folder / "cuts.jsonl.gz") as writer:
        for cut in Cuts(output, state):
            writer.write(cut)
