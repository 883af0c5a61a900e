"""What is measured, in the process of one checkout: `steps.py ROOT CLIP`; says when a step begins, ends."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from importlib.util import find_spec

from loaders.corpus import open_corpus
from loaders.dataset import CorpusDataset

ROOMS = find_spec("pipelines.commands") is not None  # older checkouts have one file
main = import_module("pipelines.commands.command" if ROOMS else "pipelines.command").main


def say(*words: str) -> None:
    """And waits until it was heard."""
    print("STEP", *words, flush=True)
    sys.stdin.readline()


@contextmanager
def step(name: str) -> Iterator[None]:
    """Times a block."""
    say("begin", name, "{}")
    wall, cpu = time.perf_counter(), time.process_time()
    with redirect_stdout(sys.stderr):
        yield
    say("end", name, json.dumps({"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}))


def run(root: str, clip: str) -> None:
    """A warm-up, and the steps."""
    features = ["--whisper", "none", "--clip", clip, "--clip-tokens", "cls", "--dtype", "float32"]
    with redirect_stdout(sys.stderr):
        assert main(["build", f"{root}/warm/", "--output", f"{root}/warmed", *features]) == 0
        assert main(["verify", f"{root}/warmed"]) == 0
        assert CorpusDataset(open_corpus(f"{root}/warmed"))[0].steps
    build = ["build", f"{root}/in/", "--output", f"{root}/out", *features]
    with step("build"):
        assert main(build) == 0
    with step("again"):
        assert main(build) == 0
    with step("verify"):
        assert main(["verify", f"{root}/out"]) == 0
    with step("load"):
        dataset = CorpusDataset(open_corpus(f"{root}/out"))
        assert all(dataset[row].steps for row in range(len(dataset.corpus)))


if __name__ == "__main__":
    run(*sys.argv[1:])
