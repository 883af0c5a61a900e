"""The short form of benchmarks/storage/written.py: what a corpus weighs and what a change of it writes."""

from benchmarks.storage.written import BASE, CLIP_SECONDS, measure


def test_features_lie_once_and_a_change_writes_its_own(tmp_path):
    first, second, corrected = measure(tmp_path, 2 * CLIP_SECONDS * BASE.bytes_a_second)
    assert first.shards > 30e6
    for change in (first, second, corrected):
        assert change.weight <= 1.03
        assert not change.base_shards_changed
    assert second.written <= 1.02 * second.own
    assert corrected.written < 100_000
    kinds = {path.partition("/")[0].partition("-")[0] for path in corrected.left}
    people = {"index.parquet", "ledger.parquet", "conversations.parquet", "corpus.json"}
    assert kinds == {"columns", "tables", "states", "builds"} | people
    assert [path for path in corrected.left if path.endswith(".tar")] == [
        path for path in corrected.left if path.startswith("columns/annotations/")
    ]
