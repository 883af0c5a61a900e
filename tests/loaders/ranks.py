"""Ranks of one gloo group, as forks of the test: a fork starts at once, a new interpreter takes seconds."""

import multiprocessing
import tempfile
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist

_PATIENCE_S = 120


def on_ranks(function, *arguments, world=2):
    """What `function(rank, *arguments)` returns on every rank."""
    context = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory() as folder:
        pipes = [context.Pipe(duplex=False) for _ in range(world)]
        processes = [
            context.Process(target=_run, args=(pipes[rank][1], folder, rank, world, function, arguments))
            for rank in range(world)
        ]
        for process in processes:
            process.start()
        try:
            for receiver, _ in pipes:
                assert receiver.poll(_PATIENCE_S), "a rank hangs"
            found = [receiver.recv() for receiver, _ in pipes]
        finally:
            for process in processes:
                process.join(5)
                process.kill()
    for value in found:
        if isinstance(value, Exception):
            raise value
    return found


def _run(pipe, folder, rank, world, function, arguments):
    torch.set_num_threads(1)
    patience = timedelta(seconds=_PATIENCE_S)
    store = f"file://{Path(folder, 'store')}"
    dist.init_process_group("gloo", init_method=store, rank=rank, world_size=world, timeout=patience)
    try:
        pipe.send(function(rank, *arguments))
    except Exception as error:  # noqa: BLE001 - the test raises it
        pipe.send(error)
    dist.destroy_process_group()
