"""`favor-data index`: Energon and lhotse themselves give every sample once, after every change."""

from __future__ import annotations

import json
import shutil
from itertools import islice
from pathlib import Path
from typing import Any

import lhotse
import numpy as np
import pytest
from megatron.energon import WorkerConfig, get_loader, get_savable_loader, get_train_dataset

import loaders.libraries.lhotse  # noqa: F401 (registers the reader)
from loaders.corpus import open_corpus
from loaders.dataset import CorpusDataset
from pipelines.commands.command import main

pytestmark = pytest.mark.filterwarnings("ignore:'pin_memory' argument is set:UserWarning")


def samples_of(root: Path, rank: int = 0, ranks: int = 1, save: bool = False) -> Any:
    """Energon's loader of one epoch."""
    config = WorkerConfig(rank=rank, world_size=ranks, num_workers=0)
    dataset = get_train_dataset(
        str(root / "energon"),
        batch_size=None,
        worker_config=config,
        shuffle_buffer_size=None,
        max_samples_per_sequence=None,
        repeat=False,
    )
    return (get_savable_loader if save else get_loader)(dataset)


def read(state: Any) -> dict[str, Any]:
    """Id -> sample, as our own loader reads it: it is compared with tar's members in test_plain."""
    return {sample.id: sample for sample in CorpusDataset(open_corpus(state.root))}


def same(features: Any, sample: Any) -> bool:
    return features.keys() == sample.features.keys() and all(
        np.array_equal(np.asarray(value).reshape(-1), sample.features[name].numpy().reshape(-1))
        for name, value in features.items()
    )


def test_energon(state, capfd):
    assert main(["index", str(state.root), "--for", "energon"]) == 0
    ours, found = read(state), list(samples_of(state.root))
    assert sorted(sample.id for sample in found) == sorted(state.answers)
    for sample in found:
        assert sample.features.keys() == state.columns[sample.id]
        assert same(sample.features, ours[sample.id])
        answers = [talk[1]["value"] for talk in sample.conversations]
        assert answers == ([state.answers[sample.id]] if state.answers[sample.id] else [])


def test_energon_deals_out_over_ranks_and_goes_on_where_it_stood(changed):
    state = changed["corrected answer"]
    assert main(["index", str(state.root), "--for", "energon"]) == 0
    found = [sample.id for rank in range(2) for sample in samples_of(state.root, rank, 2)]
    assert sorted(found) == sorted(state.answers)
    whole = [sample.id for sample in samples_of(state.root, save=True)]
    loader = samples_of(state.root, save=True)
    begun = [sample.id for sample in islice(loader, 3)]
    stood = loader.save_state_rank()
    again = samples_of(state.root, save=True)
    again.restore_state_rank(stood)
    assert begun + [sample.id for sample in again] == whole


def test_lhotse(state):
    assert main(["index", str(state.root), "--for", "lhotse"]) == 0
    cuts, ours = list(lhotse.CutSet.from_file(state.root / "lhotse" / "cuts.jsonl.gz")), read(state)
    assert sorted(cut.custom["id"] for cut in cuts) == sorted(state.answers)
    for cut in cuts:
        sample = ours[cut.custom["id"]]
        features = {name: getattr(cut, f"load_{name}")() for name in ("clip", "wide") if name in cut.custom}
        assert features.keys() == state.columns[sample.id] - {"whisper"}
        if cut.has_features:
            features["whisper"] = cut.features.load()
            assert features["whisper"].shape == (sample.steps * 25, 384)
        assert same(features, sample)
        assert cut.load_features() is None or len(cut.load_features()) == round(cut.duration * 50)
        answers = [talk[1]["value"] for talk in cut.custom["conversations"]]
        assert answers == ([state.answers[sample.id]] if state.answers[sample.id] else [])
        assert cut.custom["metadata"] == sample.metadata


def test_they_are_no_fault_and_made_again_when_stale(changed, tmp_path, capsys):
    root = changed["growth"].root
    for loader in ("energon", "lhotse"):
        main(["index", str(root), "--for", loader])
        assert main(["index", str(root), "--for", loader]) == 0
        said = root / loader / "favor-data.json"
        state = json.loads(said.read_text())["state"]
        assert f"{root}/{loader}: of state {state} already" in capsys.readouterr().out
        said.write_text('{"state": 0}')
        assert main(["index", str(root), "--for", loader]) == 0
        assert json.loads(said.read_text())["state"] == state
    assert main(["verify", str(root)]) == 0


def test_an_index_of_another_state_is_refused_in_one_line(changed, tmp_path):
    root = shutil.copytree(changed["first build"].root, tmp_path / "corpus")
    assert main(["index", str(root), "--for", "energon"]) == 0
    written = root / "energon" / ".nv-meta" / "sample_loader.py"
    written.write_text(written.read_text().replace("state=1", "state=9"))
    with pytest.raises(Exception, match=r"its index for Energon of state 9: run favor-data index"):
        list(samples_of(root))


def test_not_a_disk(capsys):
    assert main(["index", "s3://bucket/corpus", "--for", "lhotse"]) == 2
    assert "reads a corpus on a disk" in capsys.readouterr().err
