"""Every worker takes a GPU of its own, as long as there are enough."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from featurizers.featurizer import Arithmetic
from featurizers.registry import resolve
from featurizers.running import accelerators, model_handler
from featurizers.running.arithmetic import choose

CLAIM = """
import sys
from pathlib import Path
from featurizers.running.accelerators import claim
print(claim(["GPU-a", "GPU-b", "GPU-c"], Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""


def _worker(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CLAIM, str(folder)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _taken(worker: subprocess.Popen[str]) -> int:
    assert worker.stdout
    return int(worker.stdout.readline())


def test_workers_at_once_take_different_gpus_and_give_them_back(tmp_path: Path) -> None:
    workers = [_worker(tmp_path) for _ in range(3)]
    assert sorted(_taken(worker) for worker in workers) == [0, 1, 2]
    fourth = _worker(tmp_path)
    assert _taken(fourth) in (0, 1, 2)  # shares one
    fourth.communicate()
    for worker in workers:
        worker.kill()
        worker.communicate()
    after = _worker(tmp_path)
    assert _taken(after) == 0
    after.communicate()


def test_a_worker_loads_its_encoders_on_its_own_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerators, "own", lambda: 3)
    given = resolve("clip", "clip:random:vit-b-32", gpu_workers=True)
    assert given.arithmetic == Arithmetic("cuda", "float16")
    assert model_handler._on_own_gpu(given).arithmetic == Arithmetic("cuda:3", "float16")
    for device in ("cpu", "cuda:1"):
        named = dataclasses.replace(given, arithmetic=Arithmetic(device, "float32"))
        assert model_handler._on_own_gpu(named) is named


@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_gpus_that_only_the_workers_have(device: str) -> None:
    assert choose(device, gpu_workers=True) == Arithmetic("cuda", "float16")
    assert choose(device, "bfloat16", gpu_workers=True) == Arithmetic("cuda", "bfloat16")
    assert choose("cpu", "float32", gpu_workers=True) == Arithmetic("cpu", "float32")
