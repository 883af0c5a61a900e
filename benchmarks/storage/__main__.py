"""Requests, seconds and CPU seconds a sample: on a disk, and on an S3 server on loopback that counts.

python -m benchmarks.storage [--samples 60] [--before DIR] [--write docs/storage.md]

Every input is one small picture, so that what is measured is storage and not decoding; a build of four warms
the process up first, and only what follows counts. `--before` measures the checkout in DIR by the same steps.
The server answers at once: what a distance of 20 ms would add is the requests that wait for one another.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import torch
from moto.server import ThreadedMotoServer
from PIL import Image
from transformers import CLIPVisionConfig, CLIPVisionModel

from benchmarks.lines import write_into
from benchmarks.progress import say

STEPS = {
    "build": "the first build",
    "again": "the same again: nothing to do",
    "verify": "verify",
    "load": "every sample, one at a time",
}
WARM = 4
HERE = Path(__file__).parents[2]
BEGIN, END = "<!-- measured -->\n", "<!-- end -->\n"


class Counter:
    """A WSGI application before the server's own."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.requests = inner, 0

    def __call__(self, environ: Any, start_response: Any) -> Any:
        self.requests += 1
        return self.inner(environ, start_response)


def write_inputs(folder: Path, samples: int) -> None:
    """Pictures that differ, and a CLIP of true structure and small size."""
    random = np.random.default_rng(0)
    for name, count in (("warm", WARM), ("in", samples)):
        (folder / name).mkdir()
        for n in range(count):
            pixels = random.integers(0, 255, (64, 64, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{n:04d}.png")
    torch.manual_seed(0)
    config = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=32,
        patch_size=8,
    )
    CLIPVisionModel(config).save_pretrained(folder / "clip")


def measure(house: Path, root: str, clip: Path, counter: Counter) -> dict[str, dict[str, float]]:
    """Step -> requests, wall and CPU seconds, of a checkout in a process of its own."""
    worker = Path(__file__).parent / "steps.py"
    process = subprocess.Popen(
        [sys.executable, str(worker), root, str(clip)],
        cwd=house,
        env={**os.environ, "PYTHONPATH": str(house), "PYTHONSAFEPATH": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    found: dict[str, dict[str, float]] = {}
    before = 0
    for line in process.stdout:
        if not line.startswith("STEP "):
            continue
        _, what, name, figures = line.split(" ", 3)
        if what == "begin":
            before = counter.requests
        else:
            found[name] = {**json.loads(figures), "requests": counter.requests - before}
        process.stdin.write("\n")
        process.stdin.flush()
    if process.wait():
        raise SystemExit(f"the steps failed in {house}")
    return found


def rows(samples: int, before: Path | None) -> Iterator[list[str]]:
    """Lines of the table."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    counter = server._server.app = Counter(server._server.app)
    host, port = server.get_host_and_port()
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "k",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
    }
    client = boto3.client("s3")
    for place in ("disk", "S3"):
        results = {}
        for state, house in (("before", before), ("after", HERE)):
            if house is None:
                continue
            say(f"{place}, {state}")
            with tempfile.TemporaryDirectory(prefix="favor-data-") as temporary:
                write_inputs(Path(temporary), samples)
                root = temporary
                if place == "S3":
                    root = f"s3://{state}"
                    client.create_bucket(Bucket=state)
                    for path in Path(temporary).rglob("*.png"):
                        client.upload_file(str(path), state, path.relative_to(temporary).as_posix())
                results[state] = measure(house, root, Path(temporary) / "clip", counter)
        for name, said in STEPS.items():
            cells = [place, said]
            for figure, factor, form in (
                ("requests", 1, "{:.1f}"),
                ("wall", 1e3, "{:.1f}"),
                ("cpu", 1e3, "{:.1f}"),
            ):
                for state in results:
                    value = results[state][name][figure] / samples * factor
                    cells.append("–" if place == "disk" and figure == "requests" else form.format(value))
            yield cells
    server.stop()


def table(samples: int, before: Path | None) -> str:
    """Markdown."""
    states = ["before", "after"] if before else ["after"]
    names = ["requests", "ms", "CPU ms"]
    head = ["", f"a sample of {samples}", *(f"{name}, {state}" for name in names for state in states)]
    lines = [head, ["---"] * 2 + ["--:"] * (len(head) - 2), *rows(samples, before)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> None:
    """Prints the table, and writes it into a page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--samples", type=int, default=60)
    parser.add_argument("--before", type=Path, metavar="DIR")
    parser.add_argument("--write", type=Path, metavar="PAGE")
    arguments = parser.parse_args()
    measured = table(arguments.samples, arguments.before)
    print(measured)
    write_into(arguments.write, BEGIN, END, measured)


if __name__ == "__main__":
    main()
