"""Killed at steps drawn at random and started again: the log and the weights of a run that nobody stopped."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
STEPS = 24
PATIENCE = 600  # seconds a process


TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
LEAVES = """
import sys
import torch.distributed as dist
from examples.favor import train
from tests.examples.parting import leave
dist.destroy_process_group = leave
sys.exit(train.main())
"""


def command(arguments, output, ranks):
    python = [*TORCHRUN, str(ranks), "-m"] if ranks > 1 else [sys.executable, "-m"]
    options = ["--epochs", str(STEPS * 2 // 6), "--accumulate", "1", "--held-out-answers", "0"]
    # dropout is on: its numbers must come back as well
    options += ["--batch-size", str(2 // ranks), "--checkpoint-every", "5", "--output", str(output)]
    return [*python, "examples.favor.train", *arguments, *options]


@pytest.fixture
def start():
    """Starts a training; what still runs at the test's end, it and its ranks, is killed."""
    started = []

    def begin(arguments, output, ranks):
        process = subprocess.Popen(
            command(arguments, output, ranks),
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            for pid in (*children(process.pid), process.pid):
                os.kill(pid, signal.SIGKILL)
            process.wait()


def lines(output):
    path = output / "log.jsonl"
    return path.read_text().splitlines() if path.exists() else []


def whole(output):
    """The log without its times."""
    return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines(output)]


def weights(output):
    return torch.load(output / "checkpoint.pt", weights_only=True)["model"]


def children(process):
    return [int(pid) for pid in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def kill_at(process, output, step, number, ranks):
    """Sends the signal once the step is in the log; SIGKILL takes one rank, as the kernel would."""
    deadline = time.monotonic() + PATIENCE
    while not any(json.loads(line)["step"] >= step for line in lines(output) if line.endswith("}")):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.002)
    victim = process.pid
    if number == signal.SIGKILL and ranks > 1:
        victim = children(process.pid)[-1]
    os.kill(victim, number)
    _, said = process.communicate(timeout=PATIENCE)
    return said


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("ranks", [1, 2])
def test_killed_and_resumed_is_never_stopped(start, arguments, tmp_path, ranks):
    unstopped, killed = tmp_path / "unstopped", tmp_path / "killed"
    first = start(arguments, unstopped, ranks)
    _, said = first.communicate(timeout=PATIENCE)
    assert first.returncode == 0, said
    assert [line["step"] for line in whole(unstopped)] == list(range(1, STEPS + 1))

    draw = random.Random(ranks)
    for number, step in ((signal.SIGTERM, draw.randint(2, 9)), (signal.SIGKILL, draw.randint(11, 17))):
        process = start(arguments, killed, ranks)
        said = kill_at(process, killed, step, number, ranks)
        assert process.returncode != 0
        if number == signal.SIGTERM:
            assert "the same command goes on" in said
            if ranks == 1:
                assert process.returncode == 128 + signal.SIGTERM
            at = torch.load(killed / "checkpoint.pt", weights_only=True)["state"]["steps"]
            assert at == whole(killed)[-1]["step"] >= step  # nothing was lost
    last = start(arguments, killed, ranks)
    _, said = last.communicate(timeout=PATIENCE)
    assert last.returncode == 0, said
    assert whole(killed) == whole(unstopped)
    expected, found = weights(unstopped), weights(killed)
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_ctrl_c_is_a_line_and_a_checkpoint(start, arguments, tmp_path):
    process = start(arguments, tmp_path / "run", 1)
    said = kill_at(process, tmp_path / "run", 3, signal.SIGINT, 1)
    assert process.returncode == 130
    assert "Traceback" not in said
    steps = [line["step"] for line in whole(tmp_path / "run")]
    assert steps == list(range(1, len(steps) + 1))
    saved = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["state"]["steps"]
    assert saved == steps[-1]


def test_no_model_outlives_the_group_of_ranks(arguments, tmp_path):
    script = tmp_path / "leaves.py"
    script.write_text(LEAVES)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*TORCHRUN, "2", str(script), *arguments, "--epochs", "1"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("models left: 0") == 2
