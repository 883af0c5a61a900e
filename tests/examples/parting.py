"""How ranks must part: a DistributedDataParallel that outlives its group may wait for Gloo for ever."""

import gc

import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel


def leave(group=None, destroy=dist.destroy_process_group):
    """Stands in for `destroy_process_group`, says how many models are left, and wants none."""
    left = sum(isinstance(each, DistributedDataParallel) for each in gc.get_objects())
    print("models left:", left, flush=True)
    assert not left
    destroy(group)
