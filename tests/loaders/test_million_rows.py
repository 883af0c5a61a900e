"""The short form of benchmarks/loaders/million_rows.py: more rows cost a worker nothing."""

from benchmarks.loaders.million_rows import lines, write_rows


def test_a_long_index_is_mapped_not_pickled(tmp_path):
    found = {}
    for rows in (1000, 20_000):
        folder = tmp_path / str(rows)
        write_rows(folder, rows)
        found[rows] = {line.name: line.value for line in lines(str(folder), epochs=1, workers=2)}
    small, large = found[1000], found[20_000]
    assert abs(large["bytes pickled a worker"] - small["bytes pickled a worker"]) < 100
    assert large["bytes pickled a worker"] < 2000
    assert 15 < large["MiB mapped by all workers"] / small["MiB mapped by all workers"] < 25
    # All is there when the epoch before ended: the workers went on. Starting them takes far longer.
    assert large["seconds to a batch, the epoch before ended"] < large["seconds to the first batch"]
