"""FSDP2 with torch.distributed.checkpoint: torchrun --nproc-per-node 2 -m examples.loops.fsdp CORPUS RUN.

The model's and the optimizer's shards are saved by every rank, and may be loaded by another number of them.
The loader's state is the same on all, so it lies beside them as JSON.
"""

from __future__ import annotations

import json
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from examples.loops.task import batches, begin, options


def main() -> None:
    given = options("fsdp")
    dist.init_process_group("gloo")
    loader, model = begin(given)
    fully_shard(model, mesh=init_device_mesh("cpu", (dist.get_world_size(),)))
    optimizer = torch.optim.AdamW(model.parameters())
    folder, position = given.run / "checkpoint", given.run / "loader.json"
    if position.exists():
        states: dict[str, Any] = dict(
            zip(("model", "optimizer"), get_state_dict(model, optimizer), strict=True)
        )
        load(states, checkpoint_id=folder)
        set_state_dict(
            model, optimizer, model_state_dict=states["model"], optim_state_dict=states["optimizer"]
        )
        loader.load_state_dict(json.loads(position.read_text(encoding="utf-8")))
    for batch in batches(given, loader, dist.get_rank()):
        optimizer.zero_grad()
        model(batch).backward()
        optimizer.step()
    states = dict(zip(("model", "optimizer"), get_state_dict(model, optimizer), strict=True))
    save(states, checkpoint_id=folder)
    if dist.get_rank() == 0:
        position.write_text(json.dumps(loader.state_dict()), encoding="utf-8")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
