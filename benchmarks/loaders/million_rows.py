"""An index of a million rows on an object store: python -m benchmarks.loaders.million_rows [--rows N].

The server is moto's, on loopback: its answers cost more than an object store's, and come from nearby.
The rows name a thousand samples again and again, so that the bytes are few and the index is long.
"""

from __future__ import annotations

import argparse
import logging
import os
import pickle
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.lines import Line, write
from benchmarks.loading import Shape, write_corpus
from benchmarks.progress import say, told
from loaders.corpus import open_corpus
from loaders.dataset import Readings
from loaders.loader import CorpusLoader
from loaders.workers.steps import Steps
from schemas.corpus import INDEX_NAME

SAMPLES = Shape("2 s of small features", 1000, 4, 1, 32, 32, 250)
BATCH, WORKERS, OPEN_FILES = 64, 8, 1024


def write_rows(folder: Path, rows: int) -> None:
    """A corpus whose index names its samples again and again."""
    write_corpus(folder, SAMPLES)
    table = pq.read_table(folder / INDEX_NAME)
    many = pa.concat_tables([table] * -(-rows // len(table))).slice(0, rows)
    pq.write_table(many, folder / INDEX_NAME, compression="zstd")


def lines(root: str, epochs: int = 3, workers: int = WORKERS) -> Iterator[Line]:
    """Seconds, bytes and files of training from `root`."""
    began = time.perf_counter()
    corpus = open_corpus(root)
    yield Line("seconds to open", time.perf_counter() - began, f"{len(corpus):,} rows")
    steps = Steps(Readings([corpus]), list, "raise")
    yield Line("bytes pickled a worker", len(pickle.dumps(steps)), "and a file that all of them map")
    mapped = Path(corpus._mapped).stat().st_size
    yield Line("MiB mapped by all workers", mapped / 2**20, "key, shard, offset, size, SHA-256")
    loader = CorpusLoader(corpus, BATCH, num_workers=workers)
    yield Line("seconds to the first batch", _seconds_to_a_batch(loader), f"starts {workers} workers")
    left = [_seconds_to_a_batch(loader) for _ in range(epochs)]
    yield Line("seconds to a batch, the epoch before left", statistics.median(left), f"median of {epochs}")
    say("to the end of an epoch")
    pace = _go_to_the_end(loader, 4 * workers, step_s=0.0)
    yield Line("seconds a batch", pace, "all workers, reading without a pause")
    ended = []
    for _ in told("epoch that ends", range(epochs)):
        _go_to_the_end(loader, 2 * workers, step_s=2 * pace)
        ended.append(_seconds_to_a_batch(loader))
    yield Line("seconds to a batch, the epoch before ended", statistics.median(ended), f"median of {epochs}")
    yield Line("open files allowed", resource.getrlimit(resource.RLIMIT_NOFILE)[0], f"{workers} x {BATCH}")
    yield Line(
        "GB of memory, this process", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, "peak"
    )


def _seconds_to_a_batch(loader: CorpusLoader) -> float:
    began = time.perf_counter()
    next(iter(loader))
    return time.perf_counter() - began


def _go_to_the_end(loader: CorpusLoader, steps: int, step_s: float) -> float:
    """Takes an epoch's last steps, as after a long resume, an optimizer's step of `step_s` after each.

    Returns:
        Seconds a step, of the second half.
    """
    next(iter(loader))  # an epoch that has not begun has no phase to be moved on
    state = loader.state_dict()
    state["phases"] = [{**phase, "steps": len(loader) - steps} for phase in state["phases"]]
    loader.load_state_dict(state)
    began = 0.0
    for number, _ in enumerate(loader):
        if number == steps // 2:
            began = time.perf_counter()
        time.sleep(step_s)  # the workers are ahead
    return (time.perf_counter() - began) / (steps - steps // 2)


def on_server(folder: Path) -> str:
    """Puts a corpus on a server of our own; the environment leads there."""
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line a request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    os.environ |= {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_DEFAULT_REGION": "us-east-1"}
    os.environ |= {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}
    client = boto3.client("s3")
    client.create_bucket(Bucket="corpora")
    for path in folder.rglob("*"):
        if path.is_file():
            client.upload_file(str(path), "corpora", str(path.relative_to(folder)))
    return "s3://corpora"


def main() -> None:
    """Prints every line as it is found."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loaders.million_rows", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, hard))
    with tempfile.TemporaryDirectory() as folder:
        say(f"an index of {options.rows:,} rows")
        write_rows(Path(folder), options.rows)
        found = []
        for line in lines(on_server(Path(folder))):
            print(line, flush=True)
            found.append(line)
    write(options.json, found)


if __name__ == "__main__":
    main()
