"""DistributedDataParallel: torchrun --nproc-per-node 2 -m examples.loops.ddp CORPUS RUN.

Another number of processes may go on with a checkpoint: what is left of its epoch is dealt anew.
"""

from __future__ import annotations

import argparse

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from examples.loops.task import batches, begin, options


def main() -> None:
    given = options("ddp")
    dist.init_process_group("gloo")
    train(given)  # its model is gone before the group, whose threads the model would wait for for ever
    dist.destroy_process_group()


def train(given: argparse.Namespace) -> None:
    loader, module = begin(given)  # rank and number of ranks are those of the process group
    model = DistributedDataParallel(module)
    optimizer = torch.optim.AdamW(model.parameters())
    path = given.run / "checkpoint.pt"
    if path.exists():
        state = torch.load(path, weights_only=True)
        module.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        loader.load_state_dict(state["loader"])
    for batch in batches(given, loader, dist.get_rank()):
        optimizer.zero_grad()
        model(batch).backward()
        optimizer.step()
    if dist.get_rank() == 0:  # the loader's state is the same on every rank
        state = {"model": module.state_dict(), "optimizer": optimizer.state_dict()}
        torch.save({**state, "loader": loader.state_dict()}, path)


if __name__ == "__main__":
    main()
