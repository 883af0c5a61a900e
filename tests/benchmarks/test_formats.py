"""The short form of benchmarks/loaders/formats.py: each library reads as many samples from both formats."""

from dataclasses import replace

from benchmarks.loaders.formats import LIBRARIES, table
from benchmarks.loading import SMALL


def test_every_library_reads_both():
    text = table([replace(SMALL, name="tiny", samples=12, samples_per_shard=6)], 1)
    rows = [line.strip("| ").split(" | ") for line in text.splitlines()[3:]]
    assert [row[1] for row in rows] == list(LIBRARIES)
    for row in rows:
        assert min(map(float, row[2:])) > 0, row
