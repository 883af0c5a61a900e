"""Trains FAVOR on a corpus, on one machine: `python -m examples.favor.train CORPUS --llm MODEL --output RUN`.

Stopped at any step and started again with the same command, it goes on where its last checkpoint was taken.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import torch
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer

from examples.favor.model import VICUNA_ATTENTION, Favor, Losses, with_lora
from examples.favor.qformer import (
    FAVOR_RESOLUTION,
    VIDEO_SALMONN_RESOLUTIONS,
    CausalMask,
    QFormerConfig,
)
from loaders.corpus import CorpusError, open_corpus
from loaders.loader import CorpusLoader
from loaders.synchronise import AudioVisualBatch, Synchronise

CHECKPOINT_NAME = "checkpoint.pt"


@dataclass
class Step:
    """What one optimizer step gave; `number` counts from 1 over all epochs."""

    number: int
    epoch: int
    losses: Losses


def train(
    model: Favor,
    loader: CorpusLoader,
    optimizer: torch.optim.Optimizer,
    epochs: int,
    device: torch.device | str = "cpu",
    first: int = 0,
) -> Iterator[Step]:
    """Runs the epochs that are left, yielding after every optimizer step."""
    number = first
    model.train()
    while loader.epoch < epochs:
        epoch = loader.epoch
        for batch in loader:
            number += 1
            losses = training_step(model, optimizer, batch.to(device))
            yield Step(number, epoch, losses)


def training_step(model: Favor, optimizer: torch.optim.Optimizer, batch: AudioVisualBatch) -> Losses:
    conversations = [sample.conversation for sample in batch.samples]
    losses: Losses = model(batch, conversations)
    optimizer.zero_grad(set_to_none=True)
    losses.total.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return Losses(*(loss.detach() for loss in losses))


def save_checkpoint(
    path: Path, model: Favor, optimizer: torch.optim.Optimizer, state: dict[str, Any]
) -> None:
    """What is trained (the frozen language model is not), the optimizer, and `state`; whole or not at all."""
    trained = {name: p.detach().cpu() for name, p in model.named_parameters() if p.requires_grad}
    partial = path.with_suffix(".part")
    torch.save({"model": trained, "optimizer": optimizer.state_dict(), **state}, partial)
    os.replace(partial, path)  # noqa: PTH105 - the one call that replaces atomically


def load_checkpoint(path: Path, model: Favor, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Puts a checkpoint into model and optimizer; returns its `state`.

    Raises:
        ValueError: the checkpoint was taken of another model.
    """
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    trained = checkpoint.pop("model")
    wanted = {name for name, p in model.named_parameters() if p.requires_grad}
    if set(trained) != wanted:
        raise ValueError(f"{path} was taken of another model: start with an empty --output")
    model.load_state_dict(trained, strict=False)
    optimizer.load_state_dict(checkpoint.pop("optimizer"))
    return dict(checkpoint)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m examples.favor.train", description=__doc__)
    parser.add_argument("corpus", help="what favor-data build wrote")
    parser.add_argument("--llm", required=True, help="Hugging Face id or folder of a causal language model")
    parser.add_argument("--output", type=Path, required=True, help="folder of the run: checkpoint and log")
    parser.add_argument("--visual", default="clip", help="column of the pictures, or none (%(default)s)")
    parser.add_argument("--audio", default="whisper", help="column of the sound, or none (%(default)s)")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--lora-rank", type=int, default=32, help="0: the whole language model is trained")
    parser.add_argument("--lora-targets", nargs="+", default=VICUNA_ATTENTION, metavar="MODULE")
    parser.add_argument("--width", type=int, default=768, help="of the Q-Former (%(default)s)")
    parser.add_argument("--mask", type=CausalMask, choices=list(CausalMask), default=CausalMask.PAPER)
    parser.add_argument("--multi-resolution", action="store_true", help="video-SALMONN's windows")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--checkpoint-every", type=int, default=200, metavar="STEPS")
    return parser.parse_args(arguments)


def build_model(options: argparse.Namespace, collate: Synchronise) -> Favor:
    torch.manual_seed(options.seed)
    llm = AutoModelForCausalLM.from_pretrained(options.llm)
    if options.lora_rank:
        llm = with_lora(llm, options.lora_rank, options.lora_rank, targets=options.lora_targets)
    resolutions = VIDEO_SALMONN_RESOLUTIONS if options.multi_resolution else FAVOR_RESOLUTION
    config = QFormerConfig(
        feature_width=2 * options.width,
        rows=collate.rows,
        width=options.width,
        resolutions=resolutions,
        mask=options.mask,
    )
    tokenizer = AutoTokenizer.from_pretrained(options.llm)
    return Favor(config, collate.visual_width, collate.audio_width, llm, tokenizer).to(options.device)


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    try:
        corpus = open_corpus(options.corpus, where=pc.field("conversations") > 0)
        columns = {
            name: None if getattr(options, name) == "none" else getattr(options, name)
            for name in ("visual", "audio")
        }
        collate = Synchronise.of(corpus, **columns)
    except CorpusError as error:
        print(f"train: {error}", file=sys.stderr)
        return 2
    loader = CorpusLoader(
        corpus, options.batch_size, collate=collate, seed=options.seed, num_workers=options.workers
    )
    model = build_model(options, collate)
    optimizer = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), options.learning_rate)
    options.output.mkdir(parents=True, exist_ok=True)
    path, first = options.output / CHECKPOINT_NAME, 0
    if path.exists():
        state = load_checkpoint(path, model, optimizer)
        loader.load_state_dict(state["loader"])
        first = state["steps"]
    step, began = None, time.monotonic()
    with (options.output / "log.jsonl").open("a", encoding="utf-8") as log:
        for step in train(model, loader, optimizer, options.epochs, options.device, first):
            losses = {name: round(value.item(), 4) for name, value in step.losses._asdict().items()}
            seconds = round(time.monotonic() - began, 2)
            log.write(
                json.dumps({"step": step.number, "epoch": step.epoch, **losses, "seconds": seconds}) + "\n"
            )
            if step.number % options.checkpoint_every == 0:
                save_checkpoint(path, model, optimizer, {"steps": step.number, "loader": loader.state_dict()})
    if step:
        save_checkpoint(path, model, optimizer, {"steps": step.number, "loader": loader.state_dict()})
    print(f"{step.number if step else first} steps, {loader.epoch} epochs: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
