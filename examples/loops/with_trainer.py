"""Hugging Face's Trainer: torchrun --nproc-per-node 2 -m examples.loops.with_trainer CORPUS RUN.

The Trainer's own way of going on reads and drops what was trained before. Here the loader's position lies in
the checkpoint instead (`ignore_data_skip`), which costs nothing. The Trainer knows its epochs by counting
steps: with another number of ranks set `num_train_epochs` anew.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint

from examples.loops.task import begin, note, options
from loaders.loader import CorpusLoader
from loaders.synchronise import AudioVisualBatch


class Batches:
    """A loader as the Trainer wants it: a batch is a dict. Which epoch it is, the loader knows."""

    def __init__(self, loader: CorpusLoader) -> None:
        self.loader = loader

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for batch in self.loader:
            yield {"batch": batch}


class Position(TrainerCallback):
    """Keeps the loader's state in every checkpoint's folder."""

    def __init__(self, loader: CorpusLoader) -> None:
        self.loader = loader

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if state.is_world_process_zero:
            self._path(args, state).write_text(json.dumps(self.loader.state_dict()), encoding="utf-8")

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if state.global_step:  # the Trainer has gone to the checkpoint of that step
            self.loader.load_state_dict(json.loads(self._path(args, state).read_text(encoding="utf-8")))

    def _path(self, args: TrainingArguments, state: TrainerState) -> Path:
        return Path(args.output_dir, f"checkpoint-{state.global_step}", "loader.json")


class LoaderTrainer(Trainer):
    """A Trainer whose batches come from a CorpusLoader."""

    def __init__(self, loader: CorpusLoader, given: argparse.Namespace, **more: Any) -> None:
        super().__init__(callbacks=[Position(loader)], **more)
        self.batches, self.given = Batches(loader), given

    def get_train_dataloader(self) -> Batches:
        return self.batches

    def compute_loss(self, model: torch.nn.Module, inputs: dict[str, Any], **_: Any) -> torch.Tensor:
        batch: AudioVisualBatch = inputs["batch"].to(self.args.device)
        note(self.given, self.args.process_index, batch)
        loss: torch.Tensor = model(batch)
        return loss


def main() -> None:
    given = options("with_trainer")
    arguments = TrainingArguments(
        given.run,
        num_train_epochs=given.epochs,
        max_steps=given.steps or -1,
        save_strategy="steps",
        save_steps=given.steps or 500,
        ignore_data_skip=True,
        use_cpu=True,
        report_to="none",
        disable_tqdm=True,
        log_level="warning",
    )
    loader, model = begin(given)
    trainer = LoaderTrainer(loader, given, model=model, args=arguments)
    trainer.train(resume_from_checkpoint=get_last_checkpoint(given.run))


if __name__ == "__main__":
    main()
