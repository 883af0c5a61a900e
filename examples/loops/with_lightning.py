"""Lightning 2.6: torchrun --nproc-per-node 2 -m examples.loops.with_lightning CORPUS RUN.

Lightning asks the loader for its state with every checkpoint and gives it back. It counts an epoch's steps
once, before the first; `reload_dataloaders_every_n_epochs=1` makes it count anew, which a budget's batches
need, and an epoch that another number of ranks has begun.
"""

from __future__ import annotations

import argparse
import os

import lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from examples.loops.task import Model, begin, note, options
from loaders.loader import CorpusLoader
from loaders.synchronise import AudioVisualBatch


class Module(lightning.LightningModule):
    """The model, and the loader as Lightning's hook gives it: always the same one."""

    def __init__(self, model: Model, loader: CorpusLoader, given: argparse.Namespace) -> None:
        super().__init__()
        self.model, self.loader, self.given = model, loader, given
        self.taken = 0

    def train_dataloader(self) -> CorpusLoader:
        return self.loader

    def training_step(self, batch: AudioVisualBatch, number: int) -> torch.Tensor:
        note(self.given, self.global_rank, batch)
        loss: torch.Tensor = self.model(batch)
        return loss

    def on_train_batch_start(self, batch: AudioVisualBatch, number: int) -> None:
        if self.taken == self.given.steps:
            raise KeyboardInterrupt  # the last step's checkpoint is there
        self.taken += 1

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters())


def main() -> None:
    given = options("with_lightning")
    loader, model = begin(given)
    trainer = lightning.Trainer(
        max_epochs=given.epochs,
        accelerator="cpu",
        devices=int(os.environ.get("LOCAL_WORLD_SIZE", "1")),
        strategy="ddp" if "LOCAL_WORLD_SIZE" in os.environ else "auto",
        callbacks=[ModelCheckpoint(given.run, save_last=True, every_n_train_steps=1, save_top_k=0)],
        reload_dataloaders_every_n_epochs=1,
        use_distributed_sampler=False,  # the loader deals the samples itself
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Module(model, loader, given), ckpt_path="last")


if __name__ == "__main__":
    main()
