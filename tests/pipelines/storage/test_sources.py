"""Which inputs a SOURCE stands for, whatever lies there."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.storage import fetch, sources
from pipelines.storage.listing import SourceError, local
from pipelines.storage.sources import read_sources
from pipelines.storage.walk import is_hidden
from schemas.manifest import InputRow, ManifestError
from schemas.media import Modality
from schemas.reasons import Reason
from storage import files


def read(*named: str | Path, output: str | Path = "", **more) -> list[InputRow]:
    return list(read_sources([str(each) for each in named], str(output), **more))


def names(rows: list[InputRow]) -> list[str]:
    return [row.id for row in rows]


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"media")


FILES = ["a.mp4", "deep/b.mp4", "deep/c.MKV"]
HIDDEN = [
    ".DS_Store",
    "._a.mp4",
    "Thumbs.db",
    ".done",
    "deep/.a.mp4",
    ".git/x.mp4",
    "__MACOSX/a.mp4",
    "desktop.ini",
]


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The folder `in` as a store that fsspec reaches."""
    import fsspec

    store = fsspec.filesystem("memory")
    yield "memory://in/"
    store.rm("/in", recursive=True) if store.exists("/in") else None


def upload(folder: Path, uri: str) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            files.put(uri + path.relative_to(folder).as_posix(), path.read_bytes())


def test_a_folder_a_glob_and_a_prefix_find_the_same(tmp_path: Path, remote: str) -> None:
    folder = tmp_path / "in"
    touch(folder, *FILES, *HIDDEN)
    (folder / "deep" / "m.jsonl").write_text('{"id": "row", "media": "b.mp4"}\n')
    (folder / "results.csv").write_text("name,score\nx,1\n")
    upload(folder, remote)
    expected = ["a.mp4", "deep/b.mp4", "deep/c.MKV", "results.csv", "row"]
    found = {source: read(source) for source in (str(folder), f"{folder}/**", f"{remote}", f"{remote}**")}
    for source, rows in found.items():
        assert sorted(names(rows)) == expected, source
        [stray] = [row for row in rows if row.id == "results.csv"]
        assert stray.refusal[0] is Reason.NOT_MEDIA
        assert "names no media" in stray.refusal[1]


def test_a_hidden_file_that_is_named_is_an_input(tmp_path: Path) -> None:
    touch(tmp_path, ".a.mp4")
    assert names(read(tmp_path / ".a.mp4")) == [".a.mp4"]
    (tmp_path / "m.txt").write_text(".a.mp4\n")
    assert read(tmp_path / "m.txt")[0].uris == (str(tmp_path / ".a.mp4"),)


@pytest.mark.parametrize(
    ("name", "hidden"),
    [
        ("a/.b/c", True),
        ("./a", False),
        ("../a", False),
        ("THUMBS.DB", True),
        ("a.done", False),
        ("._x", True),
    ],
)
def test_what_is_hidden(name: str, hidden: bool) -> None:
    assert is_hidden(name) is hidden


def test_what_the_build_writes_is_no_input(tmp_path: Path, remote: str) -> None:
    touch(tmp_path / "in", "a.mp4", "out/shards/000000.tar", "out/cache/ab/x.npy", "store/ab/y.npy")
    folder, output, store = tmp_path / "in", tmp_path / "in" / "out", tmp_path / "in" / "store"
    (tmp_path / "link").symlink_to(output)
    for source in (folder, f"{folder}/**", f"{folder}/*"):
        for out in (output, tmp_path / "link"):
            assert names(read(source, output=out, store=str(store))) == ["a.mp4"], source
    for source in (output, output / "shards", output / "shards" / "000000.tar", tmp_path / "link"):
        with pytest.raises(SourceError, match="give another --output"):
            read(source, output=output)
    upload(folder, remote)
    assert names(read(remote, output=f"{remote}out", store=f"{remote}store/")) == ["a.mp4"]


def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    touch(tmp_path / "in", "real/a.mp4", "z.mp4")
    touch(tmp_path / "other", "b.mp4", "more/c.mp4")
    inside = tmp_path / "in"
    (inside / "alias").symlink_to(inside / "real")  # is read where it is
    (inside / "real" / "up").symlink_to(inside)
    (inside / "real" / "root").symlink_to("/")
    (inside / "away").symlink_to(tmp_path / "other")
    (inside / "away_too").symlink_to(tmp_path / "other")
    (tmp_path / "other" / "back").symlink_to(inside)
    (inside / "gone.mp4").symlink_to(tmp_path / "nowhere.mp4")
    assert sorted(names(read(inside))) == ["away/b.mp4", "away/more/c.mp4", "gone.mp4", "real/a.mp4", "z.mp4"]
    found = read(f"{tmp_path}/in/**/a.mp4")
    assert [row.media for row in found] == [str(inside / "real" / "a.mp4")]
    assert names(read(f"{inside}/*")) == ["gone.mp4", "z.mp4"]
    assert names(read(inside / "away")) == [
        "b.mp4",
        "more/c.mp4",
        "back/gone.mp4",
        "back/z.mp4",
        "back/real/a.mp4",
    ]


BAD = os.fsdecode(b"bad-\xff")


def test_a_name_that_is_no_utf8_is_a_row(tmp_path: Path) -> None:
    touch(tmp_path, "in/a.mp4", f"in/{BAD}.mp4", f"{BAD}/b.mp4")
    (tmp_path / "in" / f"{BAD}.jsonl").write_text("{}")
    for source in (tmp_path / "in", f"{tmp_path}/in/*", tmp_path / "in" / f"{BAD}.mp4", tmp_path / BAD,
                   tmp_path / "in" / f"{BAD}.jsonl"):  # fmt: skip
        rows = read(source)
        for row in rows:
            row.input.encode()
            row.id.encode()
        refused = [row for row in rows if row.refusal]
        assert refused
        assert all(row.refusal[0] is Reason.UNREADABLE and "not UTF-8" in row.refusal[1] for row in refused)


def test_a_row_that_leads_to_such_a_name_is_one_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, f"{BAD}/a.mp4")
    quoted = "file://" + quote(os.fsencode(tmp_path / BAD / "a.mp4"))
    (tmp_path / "m.jsonl").write_text(json.dumps({"media": quoted}))
    [by_escapes] = read(tmp_path / "m.jsonl")
    [by_its_own] = read(quoted)
    monkeypatch.chdir(tmp_path / BAD)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a.mp4\n")))
    sources._standard_input.cache_clear()
    [by_the_folder] = read("-")
    sources._standard_input.cache_clear()
    for row in (by_escapes, by_its_own, by_the_folder):
        assert row.refusal[0] is Reason.UNREADABLE
        assert r"bad-\udcff/a.mp4: its name is not UTF-8" in row.refusal[1]


def tar(path: Path, *members: tuple[str | tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        for name, content in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def test_a_member_whose_name_is_no_utf8_is_a_row(tmp_path: Path) -> None:
    tar(tmp_path / "x.tar", ("a.mp4", b"1"), (f"{BAD}.mp4", b"2"))
    good, bad = read(tmp_path / "x.tar")
    assert good.id == "x/a.mp4"
    assert bad.refusal[0] is Reason.UNREADABLE
    bad.input.encode()


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    for name in ("p.tar", "p.mp4", "p.jsonl", "p.tar.gz"):
        os.mkfifo(tmp_path / name)
    [row] = read(tmp_path / "p.tar")
    assert row.media == str(tmp_path / "p.tar")
    with pytest.raises(ManifestError, match="no regular file"):
        read(tmp_path / "p.jsonl")
    for source in (tmp_path, f"{tmp_path}/*", f"{tmp_path}/**"):
        assert len(read(source)) == 4


def test_a_tar_without_media_is_a_row(tmp_path: Path) -> None:
    tar(tmp_path / "none.tar")
    tar(tmp_path / "side.tar", ("a.json", b"{}"), ("._a.mp4", b"x"))
    for name in ("none", "side"):
        [row] = read(tmp_path / f"{name}.tar")
        assert row.refusal[0] is Reason.EMPTY_FILE


def test_sidecars_in_any_case_and_sound_beside_its_video(tmp_path: Path) -> None:
    tar(
        tmp_path / "x.tar",
        ("k.mp4", b"v"), ("k.m4a", b"a"), ("k.JSON", b'{"n": NaN, "m": %s}' % (b"7" * 5000)),
        ("k.TXT", b"words"),
        ("q.mp4", b"v"), ("q.mkv", b"v"), ("q.wav", b"a"), ("K.flac", b"a"), ("p.jpg", b"i"), ("p.mp3", b"a"),
    )  # fmt: skip
    rows = {row.id: row for row in read(tmp_path / "x.tar")}
    assert set(rows) == {"x/k.mp4", "x/q.mp4", "x/q.mkv", "x/q.wav", "x/K.flac", "x/p.jpg", "x/p.mp3"}
    path = tmp_path / "x.tar"
    assert rows["x/k.mp4"].named == {
        Modality.VIDEO: f"tar://k.mp4::{path}",
        Modality.AUDIO: f"tar://k.m4a::{path}",
    }
    assert rows["x/k.mp4"].metadata == {"n": None, "m": "7" * 5000, "caption": "words"}


ODD = [b"[" * 255 + b"]" * 255, b"[" * 99_999, b'{"a": "\\ud800"}', b"\xff", b"1e999"]


@pytest.mark.parametrize("deep", ODD)
def test_an_odd_sidecar_is_metadata_all_the_same(tmp_path: Path, deep: bytes) -> None:
    tar(tmp_path / "x.tar", ("k.mp4", b"v"), ("k.json", deep))
    [row] = read(tmp_path / "x.tar")
    json.dumps(row.metadata, allow_nan=False).encode()


def test_a_compressed_tar_of_a_store_is_refused_in_a_line(tmp_path: Path, remote: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x.tar.gz").write_bytes(b"any")
    upload(tmp_path / "in", remote)
    with pytest.raises(
        SourceError, match=r"x\.tar\.gz: a compressed tar is read from a disk only: download it"
    ):
        read(f"{remote}x.tar.gz")
    [row] = read(remote)
    assert row.refusal[0] is Reason.UNREADABLE


@pytest.mark.parametrize("suffix", [".tar.gz", ".TGZ", ".tar.bz2", ".txz"])
def test_a_compressed_tar_is_unpacked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    plain = tar(tmp_path / "x.tar", ("a.mp4", b"1" * 5000), ("b.mp4", b"2"), ("b.txt", b"words"))
    pack = {"z2": bz2.compress, "xz": lzma.compress}.get(suffix[-2:], gzip.compress)
    path = tmp_path / f"x{suffix}"
    path.write_bytes(pack(plain.read_bytes()))
    stamps = set()
    for _ in range(2):
        rows = read(path)
        assert [row.media for row in rows] == [f"tar://{name}::{path}" for name in ("a.mp4", "b.mp4")]
        assert rows[1].metadata == {"caption": "words"}
        for row in rows:
            fetch.download(row.uris[0], str(tmp_path / "member"))
        copies = [each for each in (tmp_path / "tmp").rglob("*") if each.is_file() and each.stat().st_size]
        stamps |= {(each.stat().st_ino, each.stat().st_mtime_ns) for each in copies}
    assert len(stamps) == 1


def test_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for content, expected in (
        (b'\xef\xbb\xbf\n{"media": "a.mp4"}\n{"media": "/b.mp4"}\n', ["-:2", "-:3"]),
        (b"a.mp4\n\n  /b.mp4\n", ["-:1", "-:3"]),
    ):
        sources._standard_input.cache_clear()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        for _ in range(2):  # a build that is overtaken looks again
            rows = read("-")
            assert [row.input for row in rows] == expected
            assert [row.media for row in rows] == [str(tmp_path / "a.mp4"), "/b.mp4"]
    sources._standard_input.cache_clear()


def test_lists_and_tables_of_tabs(tmp_path: Path) -> None:
    (tmp_path / "l.txt").write_text("a b.mp4\nhttps://host/c.mp4?x=1\n~/d.mp4\nfile:///e%20f.mp4\n")
    home = str(Path("~/d.mp4").expanduser())
    uris = [row.media for row in read(tmp_path / "l.txt")]
    assert uris == [str(tmp_path / "a b.mp4"), "https://host/c.mp4?x=1", home, "/e f.mp4"]
    (tmp_path / "t.tsv").write_text('media\tstart\tnote\na.mp4\t00:00:01.5\tone, "two"\n'.replace('"', ""))
    [row] = read(tmp_path / "t.tsv")
    assert (row.start_ns, row.metadata) == (1_500_000_000, {"note": "one, two"})


def test_files_and_homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a b.mp4", "c%20d.mp4")
    monkeypatch.setenv("HOME", str(tmp_path))
    for source in (f"file://{tmp_path}/a%20b.mp4", f"file://localhost{tmp_path}/a b.mp4", "~/a b.mp4"):
        assert [row.media for row in read(source)] == [str(tmp_path / "a b.mp4")]
    assert local(f"file://{tmp_path}/c%20d.mp4") == f"{tmp_path}/c%20d.mp4"  # it is called so
    assert local("s3://b/~") == "s3://b/~"


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_a_metadata_file_speaks_of_the_files_beside_it(tmp_path: Path, form: str) -> None:
    """As `load_dataset("videofolder", data_dir=…)` reads it."""
    touch(tmp_path, "train/a.mp4", "train/b.mp4", "train/deep/c.mp4")
    rows = [{"file_name": "a.mp4", "caption": "one"}, {"file_name": "deep/c.mp4", "caption": "two"}]
    path = tmp_path / "train" / f"metadata.{form}"
    if form == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif form == "csv":
        path.write_text("file_name,caption\na.mp4,one\ndeep/c.mp4,two\n")
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    found = {row.id: row for row in read(tmp_path)}
    assert set(found) == {"train/b.mp4", "a.mp4", "deep/c.mp4"}
    assert found["a.mp4"].media == str(tmp_path / "train" / "a.mp4")
    assert found["deep/c.mp4"].metadata == {"caption": "two"}


def test_file_names_by_modality(tmp_path: Path) -> None:
    row = {"video_file_name": "a.mp4", "audio_file_name": "b.wav", "file_name": "kept"}
    (tmp_path / "m.jsonl").write_text(json.dumps(row))
    [found] = read(tmp_path / "m.jsonl")
    assert found.named == {Modality.VIDEO: str(tmp_path / "a.mp4"), Modality.AUDIO: str(tmp_path / "b.wav")}
    assert found.metadata == {"file_name": "kept"}


def test_no_sound_for_a_row(tmp_path: Path) -> None:
    lines = ['{"video": "a.mp4", "audio": null}', '{"video": "a.mp4"}', '{"media": "a.mp4", "audio": null}']
    (tmp_path / "m.jsonl").write_text("\n".join(lines))
    assert [row.silent for row in read(tmp_path / "m.jsonl")] == [True, False, True]
    pq.write_table(pa.table({"video": ["a", "b"], "audio": [None, "c"]}), tmp_path / "m.parquet")
    assert [row.silent for row in read(tmp_path / "m.parquet")] == [
        False,
        False,
    ]  # a table's gap says nothing


def test_the_first_twenty_rows_that_are_wrong(tmp_path: Path) -> None:
    lines = [json.dumps({"media": "x", "start": "soon" if line % 2 else 1}) for line in range(100)]
    (tmp_path / "m.jsonl").write_text("\n".join(lines))
    with pytest.raises(ManifestError) as caught:
        read(tmp_path / "m.jsonl")
    head, *said = str(caught.value).splitlines()
    assert "--skip-bad-rows" in head
    assert len(said) == 20
    assert said[19].strip().startswith(f"{tmp_path}/m.jsonl:40: field 'start': must be a number of seconds")
    rows = read(tmp_path / "m.jsonl", skip_bad_rows=True)
    refused = [row for row in rows if row.refusal]
    assert len(rows) == 100
    assert len(refused) == 50
    assert refused[0].input == f"{tmp_path}/m.jsonl:2"
    assert refused[0].refusal[0] is Reason.BAD_ROW


def test_one_wrong_row_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text('{"media": "x"}\n{"media": 1}\n')
    (tmp_path / "n.jsonl").write_text('{"media": "x"}\n')
    with pytest.raises(ManifestError) as caught:
        read(tmp_path / "m.jsonl", tmp_path / "n.jsonl")
    assert len(str(caught.value).splitlines()) == 1
    assert "m.jsonl:2: field 'media': must be the name of a file" in str(caught.value)


def test_a_column_that_looks_like_a_known_one_is_said(tmp_path: Path) -> None:
    rows = [
        {"media": "x", "strat": 1, "conversation": [], "text": "?"},
        {"media": "y", "Strat": 2, "strat": 3},
    ]
    (tmp_path / "m.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    said: list[str] = []
    read(tmp_path / "m.jsonl", say=said.append)
    assert sorted(line.partition(": ")[2] for line in said) == [
        "column 'Strat' is kept as metadata; the one that is read is 'start'",
        "column 'conversation' is kept as metadata; the one that is read is 'conversations'",
        "column 'strat' is kept as metadata; the one that is read is 'start'",
    ]


def test_a_web_address_with_a_query(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = "https://host/sets/m.jsonl?sig=a/b.c"
    monkeypatch.setattr(files, "exists", lambda uri: True)
    [row] = read("https://host/sets/a.mp4?sig=a/b")
    assert (row.id, row.media) == ("a.mp4", "https://host/sets/a.mp4?sig=a/b")
    (tmp_path / "m").write_text('{"media": "c.mp4"}')
    opened = files.open_read
    monkeypatch.setattr(files, "open_read", lambda uri: opened(str(tmp_path / "m")))
    [row] = read(manifest)
    assert row.media == "https://host/sets/c.mp4"
