"""Random access: what a sample decodes to, and that damage is noticed."""

import io
import pickle
import shutil
import tarfile

import fsspec
import numpy as np
import pytest
import torch

from loaders.corpus import open_corpus
from loaders.dataset import CorpusDataset
from loaders.extent import ExtentError, array, members
from schemas.shard import ShardWriter, npy_bytes


def test_every_row_is_its_own_sample(uneven):
    dataset = CorpusDataset(open_corpus(uneven), verify=True)
    for index in range(len(dataset)):
        sample = dataset[index]
        number = sample.metadata["number"]
        assert sample.id == dataset.corpus.table["id"][index].as_py() == f"clip {number:04d}"
        assert sample.steps == 1 + number % 3
        assert sample.features["whisper"].shape == (sample.steps, 25, 4)
        assert sample.features["clip"].dtype == torch.float16
        assert (sample.features["clip"] == number).all()
        assert sample.audio_mask.tolist() == [True] * sample.steps
        assert len(sample.conversations) == number % 4


def test_negative_and_impossible_rows(uneven):
    dataset = CorpusDataset(open_corpus(uneven))
    assert dataset[-1].metadata["number"] == 22
    with pytest.raises(IndexError):
        dataset[23]


def test_features_belong_to_the_sample_alone(uneven):
    dataset = CorpusDataset(open_corpus(uneven))
    dataset[3].features["clip"].fill_(7)
    assert (dataset[3].features["clip"] == 3).all()


def test_columns(uneven):
    dataset = CorpusDataset(open_corpus(uneven), columns=["whisper"])
    assert set(dataset[0].features) == {"whisper"}


def test_kept_files_come_as_bytes(make_corpus, row, tmp_path):
    files = (("frame_000.jpg", b"\xff\xd8 picture"), ("txt", "gesprochen: ß".encode()))
    root = make_corpus(tmp_path / "corpus", [[row(0, files=files)]])
    assert CorpusDataset(open_corpus(root))[0].files == dict(files)


def test_a_corpus_behind_fsspec_reads_the_same(uneven):
    memory = fsspec.filesystem("memory")
    memory.put(str(uneven), "/remote", recursive=True)
    try:
        near, far = (CorpusDataset(open_corpus(root)) for root in (uneven, "memory://remote"))
        for index in (0, 22, 7):
            assert torch.equal(near[index].features["clip"], far[index].features["clip"])
        assert torch.equal(
            pickle.loads(pickle.dumps(far))[5].features["whisper"], near[5].features["whisper"]
        )
    finally:
        memory.rm("/remote", recursive=True)


def test_a_rebuilt_shard_is_noticed(uneven, tmp_path):
    root = tmp_path / "corpus"
    shutil.copytree(uneven, root)
    (root / "shards/000001.tar").write_bytes((root / "shards/000003.tar").read_bytes())
    with pytest.raises(ExtentError, match=r"sample .* of .*000001.tar"):
        CorpusDataset(open_corpus(root))[2]


def test_a_cut_shard_is_noticed(uneven, tmp_path):
    root = tmp_path / "corpus"
    shutil.copytree(uneven, root)
    shard = root / "shards/000003.tar"
    shard.write_bytes(shard.read_bytes()[:2000])
    with pytest.raises(ExtentError, match=r"000003.tar ends before byte \d+"):
        CorpusDataset(open_corpus(root))[22]


def test_verify_finds_a_flipped_bit(uneven, tmp_path):
    root = tmp_path / "corpus"
    shutil.copytree(uneven, root)
    dataset = CorpusDataset(open_corpus(root), verify=True)
    shard, offset, size = dataset.corpus.place(4)
    content = bytearray((root / shard).read_bytes())
    content[offset + size - 600] ^= 1
    (root / shard).write_bytes(content)
    with pytest.raises(ExtentError, match="SHA-256"):
        dataset[4]


def extent(*files):
    stream = io.BytesIO()
    ShardWriter(stream).add("key", files)
    return np.frombuffer(stream.getvalue(), np.uint8)


def test_members_agree_with_tarfile():
    data = extent(("json", b"{}"), ("a.npy", bytes(range(256)) * 5), ("empty", b""), ("block", bytes(512)))
    ours = {name: content.tobytes() for name, content in members(data).items()}
    with tarfile.open(fileobj=io.BytesIO(data.tobytes())) as tar:
        theirs = {member.name: tar.extractfile(member).read() for member in tar}
    assert ours == theirs


@pytest.mark.parametrize("damage", [slice(0, 1), slice(124, 136), slice(148, 156), slice(257, 262)])
@pytest.mark.parametrize("value", b"78\0")
def test_a_damaged_header_is_noticed(damage, value):
    data = extent(("json", b"{}")).copy()
    data[damage] = value
    with pytest.raises(ExtentError):
        members(data)


def test_one_flipped_bit_anywhere_in_a_header_is_noticed():
    whole = extent(("json", b"{}"))
    for position in range(512):
        data = whole.copy()
        data[position] ^= 1
        with pytest.raises(ExtentError):
            members(data)


def test_damaged_json_is_noticed_and_placed(uneven, tmp_path):
    root = tmp_path / "corpus"
    shutil.copytree(uneven, root)
    dataset = CorpusDataset(open_corpus(root))
    shard, offset, _ = dataset.corpus.place(4)
    content = bytearray((root / shard).read_bytes())
    start = content.index(b"{", offset)
    content[start] = ord("x")
    (root / shard).write_bytes(content)
    with pytest.raises(ExtentError, match=rf"at byte {offset} of .*json is damaged"):
        dataset[4]


@pytest.mark.parametrize(
    "value",
    [
        np.arange(24, dtype=np.float16).reshape(2, 3, 4),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.array(3, np.int64),
        np.empty((0, 25, 4), np.float16),
    ],
)
def test_array_agrees_with_numpy(value):
    buffer = io.BytesIO()
    np.save(buffer, value)
    found = array(memoryview(buffer.getvalue()))
    assert found.dtype == value.dtype
    np.testing.assert_array_equal(found, value)


def test_a_pickle_is_refused():
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ExtentError, match="unpickled"):
        array(memoryview(buffer.getvalue()))


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_version_of_npy(version):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.arange(6, dtype=np.float16), version=version)
    assert array(memoryview(buffer.getvalue())).tolist() == list(range(6))


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"\x93NUMPY\x01\0\x76\0{'descr'", b"PK\x03\x04" * 9])
def test_not_a_npy_file(content):
    with pytest.raises(ExtentError):
        array(memoryview(content))


def test_a_short_array_is_refused():
    content = npy_bytes(np.zeros(100, np.float16))[:-1]
    with pytest.raises(ExtentError, match="cut short"):
        array(memoryview(content))
