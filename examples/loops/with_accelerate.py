"""Accelerate 1.x: accelerate launch --num-processes 2 --cpu -m examples.loops.with_accelerate CORPUS RUN.

`prepare` takes model and optimizer. The loader deals to the ranks itself: it is registered for checkpoints,
and batches are moved by hand. (`prepare` leaves a loader that is not torch's as it is.)
"""

from __future__ import annotations

import torch
from accelerate import Accelerator

from examples.loops.task import batches, begin, options


def main() -> None:
    given = options("with_accelerate")
    accelerator = Accelerator(cpu=True)
    loader, module = begin(given)
    model, optimizer = accelerator.prepare(module, torch.optim.AdamW(module.parameters()))
    accelerator.register_for_checkpointing(loader)
    folder = given.run / "checkpoint"
    if folder.exists():
        accelerator.load_state(folder)
    for batch in batches(given, loader, accelerator.process_index):
        optimizer.zero_grad()
        accelerator.backward(model(batch.to(accelerator.device)))
        optimizer.step()
    accelerator.save_state(folder)
    model, optimizer = accelerator.free_memory(model, optimizer)  # before the group: see ddp.py
    accelerator.end_training()


if __name__ == "__main__":
    main()
