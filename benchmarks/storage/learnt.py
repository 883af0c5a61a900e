"""What a model learns from features as they are stored: the alignment task (examples/favor/alignment.py)."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from transformers import CLIPVisionConfig, CLIPVisionModel

from examples.favor.alignment import Learner, accuracy, build
from examples.favor.clips import write_clips
from featurizers.running.untrained import fill

CLIPS = {"train": 300, "test": 100}
PAIRINGS = 3
BATCH_SIZE = 16
APART = 2  # steps by which the sound is moved against the pictures, to see that nothing else answers


def encoder(folder: Path) -> str:
    """A CLIP that cuts a picture into 16 x 16 as ViT-L/14 does, a quarter as wide: two untrained layers."""
    config = CLIPVisionConfig(
        hidden_size=256,
        intermediate_size=512,
        num_hidden_layers=2,
        num_attention_heads=4,
        image_size=224,
        patch_size=14,
    )
    model = CLIPVisionModel(config)
    fill(model)
    model.save_pretrained(folder)
    return str(folder)


def measure(
    folder: Path, stores: Mapping[str, Sequence[str]], seeds: int, epochs: int
) -> dict[str, list[tuple[float, float]]]:
    """Store -> of every seed, the share of right answers to held-out clips: as they are, and moved apart.

    Args:
        stores: name -> the options of a build. What `folder` holds of an earlier run is not done again.
    """
    manifest = write_clips(folder / "media", CLIPS, PAIRINGS)
    clip = encoder(folder / "clip")
    known = folder / "learnt.json"
    found: dict[str, list[tuple[float, float]]] = json.loads(known.read_text()) if known.exists() else {}
    for seed in range(seeds):
        for name, options in stores.items():
            if len(found.setdefault(name, [])) > seed:
                continue
            corpus = folder / name.replace(":", "-")
            build(manifest, corpus, ["--clip", clip, *options, "--cache", str(folder / "cache"), "--quiet"])
            found[name].append(_taught(corpus, seed, epochs))
            print(name, seed, found[name][-1], file=sys.stderr, flush=True)
            known.write_text(json.dumps(found))
    return found


def _taught(corpus: Path, seed: int, epochs: int) -> tuple[float, float]:
    learner = Learner.of(corpus, BATCH_SIZE, seed)
    for _ in learner.training.steps(learner.loader, epochs):
        pass
    with torch.no_grad():
        return accuracy(learner.model, learner.tests), accuracy(learner.model, learner.tests, APART)
