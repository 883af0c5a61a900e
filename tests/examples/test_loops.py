"""The loops of docs/training.md: other orders every epoch, the same in all of them, and gone on with exactly.

They run in forks of this process, which imports the frameworks once, under the variables that torchrun sets.
"""

import importlib
import json
import multiprocessing
import os
import socket
import sys
from collections import Counter
from itertools import chain

import pytest
import torch
import torch.distributed as dist

from tests.examples.parting import leave
from tests.loaders.conftest import Row, write_corpus

ALONE = ["plain", "with_lightning", "with_accelerate", "with_trainer"]
TOGETHER = ["ddp", "fsdp", "with_lightning", "with_accelerate", "with_trainer"]
EPOCH = {f"clip {number:04d}" for number in range(23)}
STEPS = 6  # an epoch's, in batches of 4


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    rows = [[Row(n, steps=1 + n % 3) for n in range(start, end)] for start, end in ((0, 9), (9, 23))]
    return write_corpus(tmp_path_factory.mktemp("loops") / "corpus", rows)


@pytest.fixture(scope="module", autouse=True)
def frameworks():
    pytest.importorskip("lightning", reason="Lightning, of the dev extra")
    torch.set_num_threads(1)
    for name in {*ALONE, *TOGETHER}:
        importlib.import_module(f"examples.loops.{name}")


def run(name, corpus, folder, world=1, **options):
    """What every rank has seen since the folder was made: [rank][step] -> ids."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    given = [word for option, value in options.items() for word in (f"--{option}", str(value))]
    arguments = [name, str(corpus), str(folder), "--epochs", "2", *given]
    context = multiprocessing.get_context("fork")
    ranks = [
        context.Process(target=_main, args=(name, arguments, rank, world, port)) for rank in range(world)
    ]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join(100)
        if rank.exitcode is None:
            rank.kill()
    assert [rank.exitcode for rank in ranks] == [0] * world
    seen = [folder / f"seen-{rank}.jsonl" for rank in range(2)]
    return [[json.loads(line) for line in file.read_text().splitlines()] for file in seen if file.exists()]


def _main(name, arguments, rank, world, port):
    if name in ("ddp", "fsdp") or world > 1:
        os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "GROUP_RANK": "0", "OMP_NUM_THREADS": "1"}
        os.environ |= {"WORLD_SIZE": str(world), "LOCAL_WORLD_SIZE": str(world), "TORCHELASTIC_RUN_ID": "1"}
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    sys.argv = arguments
    dist.destroy_process_group = leave
    try:
        importlib.import_module(f"examples.loops.{name}").main()
    except SystemExit as error:  # Lightning's, after the KeyboardInterrupt of --steps
        assert name == "with_lightning", error  # noqa: PT017


@pytest.fixture(scope="module")
def unstopped(corpus, tmp_path_factory):
    (seen,) = run("plain", corpus, tmp_path_factory.mktemp("plain"))
    first, second = seen[:STEPS], seen[STEPS:]
    assert Counter(chain(*first)) == Counter(chain(*second)) == Counter(EPOCH)
    assert first != second
    return seen


@pytest.mark.parametrize("name", ALONE[1:])
def test_every_framework_sees_what_a_plain_loop_sees(name, corpus, unstopped, tmp_path):
    assert run(name, corpus, tmp_path) == [unstopped]


@pytest.mark.parametrize("name", ALONE)
@pytest.mark.parametrize("steps", [4, STEPS])
def test_stopped_in_mid_epoch_or_at_its_end_it_goes_on_as_if_unstopped(
    name, steps, corpus, unstopped, tmp_path
):
    assert run(name, corpus, tmp_path, steps=steps) == [unstopped[:steps]]
    assert run(name, corpus, tmp_path) == [unstopped]


@pytest.mark.parametrize("name", TOGETHER)
def test_stopped_with_two_ranks_it_goes_on_with_one(name, corpus, unstopped, tmp_path):
    first, second = run(name, corpus, tmp_path, world=2, steps=2)
    assert [len(first), len(second)] == [2, 2]
    assert [*first, *second] == [unstopped[place] for place in (0, 2, 1, 3)]
    after = run(name, corpus, tmp_path)[0][2:]
    left = [ids for step in after[:-STEPS] for ids in step]
    assert Counter([*chain(*first, *second), *left]) == Counter(EPOCH)
    assert after[-STEPS:] == unstopped[STEPS:]
