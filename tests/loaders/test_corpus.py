"""Opening a corpus: filters, snapshots, remote roots, and what is said when it is not one."""

import pyarrow.compute as pc
import pytest

from loaders.corpus import open_corpus
from loaders.opening import CorpusError


def test_filters_on_index_columns(uneven):
    long = open_corpus(uneven, where=pc.field("steps") >= 3)
    asked = open_corpus(uneven, where=[("conversations", ">", 0), ("steps", "=", 1)])
    assert set(long.table["id"].to_pylist()) == {f"clip {n:04d}" for n in range(23) if n % 3 == 2}
    assert set(asked.table["id"].to_pylist()) == {f"clip {n:04d}" for n in range(23) if n % 4 and n % 3 == 0}


def test_snapshot_by_name(uneven):
    assert len(open_corpus(uneven, snapshot="1")) == 10
    assert len(open_corpus(uneven)) == 23


def test_digest_tells_other_samples_apart(uneven):
    assert open_corpus(uneven).digest == open_corpus(f"file://{uneven}").digest
    assert open_corpus(uneven).digest != open_corpus(uneven, snapshot="1").digest


def test_unknown_snapshot_names_those_there_are(uneven):
    with pytest.raises(CorpusError, match=r"no snapshot '7' in .*; it has 1$"):
        open_corpus(uneven, snapshot="7")


def test_changed_snapshot_is_refused(make_corpus, row, tmp_path):
    root = make_corpus(tmp_path / "corpus", [[row(0), row(1)]], snapshots={"1": 1})
    (root / "snapshots/1/index.parquet").write_bytes((root / "index.parquet").read_bytes())
    with pytest.raises(CorpusError, match="not the index that snapshot 1 froze"):
        open_corpus(root, snapshot="1")


def test_no_corpus_there(tmp_path):
    with pytest.raises(CorpusError, match=r"holds no index\.parquet"):
        open_corpus(tmp_path)


def test_index_that_is_no_parquet(tmp_path):
    (tmp_path / "index.parquet").write_bytes(b"PAR?")
    with pytest.raises(CorpusError, match=r"index\.parquet"):
        open_corpus(tmp_path)


def test_filter_that_nothing_passes(uneven):
    with pytest.raises(CorpusError, match="no sample of"):
        open_corpus(uneven, where=pc.field("steps") > 99)
