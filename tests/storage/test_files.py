"""The contract, the same on a disk and on an object store."""

from __future__ import annotations

import tarfile
import time
from io import BytesIO

import pytest

from storage import files
from storage.files import StorageError


def test_what_is_put_is_read_whole_by_range_and_as_a_stream(root) -> None:
    uri = files.join(root, "deep", "a [1] ü.bin")
    content = bytes(range(256)) * 9000
    files.put(uri, content, root)
    assert files.read_bytes(uri) == content
    assert files.read_range(uri, 1000, 70) == content[1000:1070]
    assert files.read_range(uri, len(content) - 5, 70) == content[-5:]
    assert files.read_range(uri, len(content), 70) == files.read_range(uri, 0, 0) == b""
    with files.open_read(uri) as stream:
        stream.seek(-10, 2)
        assert stream.read() == content[-10:]
        stream.seek(300)
        assert stream.read(5) == content[300:305]
        assert stream.tell() == 305
        assert stream.read() == content[305:]
    files.put(uri, b"", root)
    assert files.read_bytes(uri) == files.read_range(uri, 0, 9) == b""


def test_a_tar_is_listed_without_reading_it_all(s3, door) -> None:
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in ("a", "b"):
            member = tarfile.TarInfo(name)
            member.size = 9 << 20
            tar.addfile(member, BytesIO(bytes(member.size)))
    files.put("s3://corpora/x.tar", buffer.getvalue())
    door.requests.clear()
    with files.open_read("s3://corpora/x.tar") as stream, tarfile.open(fileobj=stream, mode="r:") as tar:
        assert tar.getnames() == ["a", "b"]
    assert len(door.requests) < 8


def test_a_listing_has_sizes_and_versions_that_follow_the_content(root) -> None:
    names = ["a.txt", "b/c.txt", "b/d/e.txt", "b/[x]*.txt"]
    for name in names:
        files.put(files.join(root, name), name.encode(), root)
    files.put(root + "-other/f.txt", b"")
    listed = files.listing(root)
    assert list(listed) == sorted(files.join(root, name) for name in names)
    assert [entry.size for entry in listed.values()] == [len(name) for name in sorted(names)]
    assert {uri: files.entry(uri) for uri in listed} == files.entries(listed) == listed
    files.put(files.join(root, "a.txt"), b"A.txt", root)
    changed = files.listing(root)
    assert [uri for uri in listed if changed[uri].version != listed[uri].version] == [f"{root}/a.txt"]
    assert files.listing(files.join(root, "none")) == {}


def test_many_are_asked_for_at_once(root) -> None:
    uris = [files.join(root, f"{n:03d}") for n in range(40)]
    for n, uri in enumerate(uris[:-1]):
        files.put(uri, bytes(n), root)
    found = files.entries([*uris, files.join(root, "x", "y")])
    assert [found[uri].size for uri in uris[:-1]] == list(range(39))
    assert isinstance(found[uris[-1]], FileNotFoundError)
    assert isinstance(found[files.join(root, "x", "y")], FileNotFoundError)
    assert files.read_many(uris) == [*(bytes(n) for n in range(39)), None]
    files.delete_many(uris)
    assert files.listing(root) == {}


def test_versions_of_many_files_of_a_store_are_one_listing(s3, door) -> None:
    uris = [f"s3://corpora/many/{n:04d}" for n in range(1112)]
    for uri in uris:
        s3.put_object(Bucket="corpora", Key=uri.removeprefix("s3://corpora/"), Body=b"x")
    door.requests.clear()
    assert all(entry.size == 1 for entry in files.entries(uris).values())
    assert len(door.requests) == 2  # a thousand a page
    door.requests.clear()
    files.delete_many(uris)
    assert len(door.requests) == 2
    assert not files.listing("s3://corpora/many")


def test_what_is_not_there_says_so(root) -> None:
    uri = files.join(root, "none")
    for read in (files.entry, files.read_bytes, lambda uri: files.read_range(uri, 0, 1)):
        with pytest.raises(FileNotFoundError):
            read(uri)
    with pytest.raises(FileNotFoundError), files.open_read(uri) as stream:
        stream.read()
    assert not files.exists(uri)
    files.delete(uri)


def test_a_folder_is_no_file(root) -> None:
    files.put(files.join(root, "folder", "file"), b"", root)
    assert not files.exists(files.join(root, "folder")) or files.is_local(root)


def test_a_block_that_fails_writes_nothing(root) -> None:
    uri = files.join(root, "file")

    def fail() -> None:
        with files.atomic_writer(uri, root) as stream:
            stream.write(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert files.listing(root) == {}


def test_a_large_file_comes_in_parts_and_appears_at_once(s3, door) -> None:
    content = bytes(range(256)) * (1 << 19)  # 128 MiB
    with files.atomic_writer("s3://corpora/large") as stream:
        stream.write(content)
        assert files.listing("s3://corpora") == {}
    assert files.read_bytes("s3://corpora/large") == content
    assert len([method for method, _ in door.requests if method == "PUT"]) > 1


def test_only_the_first_creates(root) -> None:
    uri = files.join(root, "states", "0001")
    assert files.create_if_absent(uri, b"first", root)
    assert not files.create_if_absent(uri, b"second", root)
    assert files.read_bytes(uri) == b"first"
    assert list(files.listing(root)) == [uri]


def test_scratch_is_there_while_the_block_runs_and_no_sweep_takes_it(root) -> None:
    uri = files.staging_path(root)
    with files.scratch(uri, [b"a", b"b"]):
        files.sweep(root)
        assert files.read_bytes(uri) == b"ab"
    assert files.listing(root) == {}


def test_beside_a_scratch_file_lies_what_its_writer_says(root, monkeypatch) -> None:
    monkeypatch.setattr(files, "TOLD_S", 0.02)
    uri, words = files.staging_path(root), [b"1", b"2"]
    with files.scratch(uri, [b"a"], lambda: words.pop(0) if len(words) > 1 else words[0]):
        deadline = time.monotonic() + 30
        while not files.exists(uri + files.ALIVE) or files.read_bytes(uri + files.ALIVE) != b"2":
            assert time.monotonic() < deadline
        files.sweep(root)
        assert files.read_bytes(uri + files.ALIVE) == b"2"
    assert files.listing(root) == {}


def test_a_bucket_that_is_not_there_cannot_be_written(s3) -> None:
    with pytest.raises(StorageError, match=r"^s3://nowhere/x cannot be written: .*bucket does not exist"):
        files.put("s3://nowhere/x", b"")
    assert not files.exists("s3://nowhere/x")
