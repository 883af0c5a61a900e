import tarfile
from io import BytesIO

import numpy as np
import pytest
import webdataset as wds
from hypothesis import given
from hypothesis import strategies as st

from schemas.grid import Span
from schemas.media import Modality
from schemas.sample import sample_key
from schemas.shard import ShardWriter, npy_array, npy_bytes, npy_shape, read_extent

members = st.dictionaries(
    st.sampled_from(["json", "txt", "whisper.npy", "frame_000.jpg"]), st.binary(max_size=2000), min_size=1
)


@given(st.dictionaries(st.from_regex(r"[a-z0-9_][a-z0-9_-]{0,30}", fullmatch=True), members, max_size=4))
def test_tarfile_reads_what_was_written_and_a_range_read_finds_a_sample(
    samples: dict[str, dict[str, bytes]],
) -> None:
    buffer = BytesIO()
    writer = ShardWriter(buffer)
    extents = {key: writer.add(key, content.items()) for key, content in samples.items()}
    writer.finish()
    data = buffer.getvalue()
    assert len(data) % tarfile.RECORDSIZE == 0
    with tarfile.open(fileobj=BytesIO(data)) as tar:
        listed = {member.name: tar.extractfile(member).read() for member in tar}
        assert all(m.mtime == 0 and m.uid == 0 and m.gid == 0 and not m.uname for m in tar.getmembers())
    assert listed == {f"{key}.{suffix}": part for key, m in samples.items() for suffix, part in m.items()}
    for key, extent in extents.items():
        assert read_extent(data[extent.offset : extent.offset + extent.size]) == samples[key]


def test_webdataset_reads_it(tmp_path) -> None:
    array = np.arange(6, dtype=np.float16).reshape(2, 3)
    with (tmp_path / "s.tar").open("wb") as stream:
        writer = ShardWriter(stream)
        writer.add("a-0", [("json", b'{"x": 1}'), ("whisper.npy", npy_bytes(array))])
        writer.finish()
    [sample] = list(wds.WebDataset(str(tmp_path / "s.tar"), shardshuffle=False).decode())
    assert sample["__key__"] == "a-0"
    assert sample["json"] == {"x": 1}
    assert (sample["whisper.npy"] == array).all()


@pytest.mark.parametrize("key", ["", "a.b", "a/b", "../x", "-x", "a\\b", "a\0"])
def test_a_key_cannot_leave_the_folder(key: str) -> None:
    with pytest.raises(ValueError, match="key"):
        ShardWriter(BytesIO()).add(key, [("json", b"{}")])


@pytest.mark.parametrize("suffix", ["", "/etc/passwd", "a/../b", ".hidden"])
def test_a_suffix_cannot_leave_the_folder(suffix: str) -> None:
    with pytest.raises(ValueError, match="suffix"):
        ShardWriter(BytesIO()).add("k", [(suffix, b"")])


def test_no_pickle_is_written_or_read() -> None:
    with pytest.raises(ValueError, match="Object arrays"):
        npy_bytes(np.array([{}], dtype=object))
    buffer = BytesIO()
    np.save(buffer, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle"):
        npy_array(buffer.getvalue())


@given(st.text(min_size=1, max_size=200), st.integers(0, 10**15))
def test_keys_are_safe_for_any_id(name: str, start: int) -> None:
    key = sample_key(name, Span(start, start + 1), {Modality.VIDEO: "0" * 64})
    assert key.isascii()
    assert len(key) < 90
    assert not set(key) & set("./\\ \0'\"")
    assert not key.startswith("-")


def test_keys_differ_where_ids_look_alike() -> None:
    span, media = Span(0, 1), {Modality.VIDEO: "0" * 64}
    names = ["a b", "a.b", "a/b", "ä b", "a  b", "A b"]
    assert len({sample_key(name, span, media) for name in names}) == len(names)


def test_shape_without_the_array() -> None:
    content = npy_bytes(np.zeros((60, 25, 384), np.float16))
    assert npy_shape(content) == ((60, 25, 384), "float16")
    with pytest.raises(ValueError, match="magic"):
        npy_shape(b"not an array")
