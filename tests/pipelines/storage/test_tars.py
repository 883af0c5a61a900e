"""Tars as GNU tar writes them, sparse members among them, whole and cut short anywhere."""

from __future__ import annotations

import json
import subprocess
import tarfile
import tempfile
from pathlib import Path

import pytest

from pipelines.storage import fetch
from pipelines.storage.raw_tars import tar_rows
from pipelines.storage.sources import read_sources
from pipelines.storage.tars import TarMember, read_archive
from schemas.manifest import InputRow
from schemas.reasons import Reason

needs_gnu_tar = pytest.mark.skipif(
    "GNU tar" not in subprocess.run(["tar", "--version"], capture_output=True, text=True, check=False).stdout,
    reason="needs GNU tar",
)
FORMATS = {
    "gnu": ["--format=gnu"],
    "oldgnu": ["--format=oldgnu"],
    **{f"pax-{v}": ["--format=posix", f"--sparse-version={v}"] for v in ("0.0", "0.1", "1.0")},
}
LIBRARIES = ("unpack", "index", "int()", "codec")  # whose words are not a user's
LONG = "d" * 110 + "/" + "n" * 120


def with_holes(path: Path, size: int, *parts: tuple[int, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        for offset, content in parts:
            stream.seek(offset)
            stream.write(content)
        stream.truncate(size)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Holes before, after, between, and nothing else; names that PAX has a record of its own for."""
    folder = tmp_path / "in"
    with_holes(folder / "plain.mp4", 777, (0, b"p" * 777))
    with_holes(folder / "begins.mp4", (1 << 18) + 5000, (1 << 18, b"b" * 5000))
    with_holes(folder / "ends.mp4", 1 << 18, (0, b"e" * 5000))
    with_holes(folder / "many.mp4", 60 << 16, *((n << 16, bytes([n]) * 4096) for n in range(60)))
    with_holes(folder / "nothing.mp4", 1 << 18)
    with_holes(folder / "ö €.mp4", 1 << 18, (1 << 16, b"o" * 4096))
    with_holes(folder / f"{LONG}.mp4", 1 << 18, (1 << 16, b"l" * 4096))
    return folder


def packed(folder: Path, path: Path, options: list[str], *names: str) -> Path:
    subprocess.run(["tar", *options, "--sparse", "-C", folder, "-cf", path, *(names or ".")], check=True)
    return path


def contents(rows: list[InputRow]) -> dict[str, bytes]:
    """Of the rows' members, by their names."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for row in rows:
            if row.media and row.media.startswith("tar://"):
                fetch.download(row.media, f"{folder}/member")
                found[TarMember.parse(row.media).name.removeprefix("./")] = Path(
                    folder, "member"
                ).read_bytes()
    return found


@needs_gnu_tar
@pytest.mark.parametrize("form", FORMATS)
def test_sparse_members_are_what_tar_put_in(folder: Path, tmp_path: Path, form: str) -> None:
    tar = packed(folder, tmp_path / "x.tar", FORMATS[form])
    assert sum(extent.sparse for extent in read_archive(str(tar)).members.values()) == 6
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.mp4")}
    rows = list(read_sources([str(tar)], str(tmp_path / "out")))
    assert not [row for row in rows if row.refusal]
    assert contents(rows) == files


@needs_gnu_tar
@pytest.mark.parametrize("form", FORMATS)
def test_a_sparse_sidecar_is_metadata(tmp_path: Path, form: str) -> None:
    """A disk that compresses makes any file one of holes in tar's eyes."""
    text = json.dumps({"note": "n" * 9000}) + " " * 9000
    with_holes(tmp_path / "in" / "k.mp4", 5, (0, b"media"))
    with_holes(tmp_path / "in" / "k.txt", 1 << 18, (0, b"words"))
    with_holes(tmp_path / "in" / "k.json", 1 << 16, (0, text.encode()))
    tar = packed(tmp_path / "in", tmp_path / "x.tar", FORMATS[form])
    assert all(extent.sparse for name, extent in read_archive(str(tar)).members.items() if "mp4" not in name)
    [row] = tar_rows(str(tar), "x.tar")
    assert row.metadata["caption"] == "words" + "\0" * ((1 << 18) - 5)
    assert row.metadata["json"] == text + "\0" * ((1 << 16) - len(text))


@needs_gnu_tar
@pytest.mark.parametrize("form", FORMATS)
def test_of_two_members_of_one_name_the_later_one_stands(tmp_path: Path, form: str) -> None:
    """As `tar -r` leaves them."""
    for content in (b"old", b"new"):
        with_holes(tmp_path / "in" / "a.mp4", 1 << 18, (1 << 16, content * 1000))
        command = [
            "tar",
            *FORMATS[form],
            "--sparse",
            "-C",
            tmp_path / "in",
            "-rf",
            tmp_path / "x.tar",
            "a.mp4",
        ]
        subprocess.run(command, check=True)
    [found] = contents(list(tar_rows(str(tmp_path / "x.tar"), "x.tar"))).values()
    assert found == (tmp_path / "in" / "a.mp4").read_bytes()


@needs_gnu_tar
@pytest.mark.parametrize("form", FORMATS)
def test_cut_anywhere_its_whole_members_are_good_and_the_rest_is_one_row(
    folder: Path, tmp_path: Path, form: str
) -> None:
    names = ["plain.mp4", "ends.mp4", "ö €.mp4", f"{LONG}.mp4", "begins.mp4"]
    files = {name: (folder / name).read_bytes() for name in names}
    content = packed(folder, tmp_path / "x.tar", FORMATS[form], *names).read_bytes()
    end = len(content.rstrip(b"\0"))
    cut = tmp_path / "cut.tar"
    most = 0
    for length in (*range(512, end, 512), *range(700, end, 4099), end, len(content)):
        cut.write_bytes(content[:length])
        read_archive.cache_clear()
        rows = list(tar_rows(str(cut), "cut.tar"))
        faults = [
            row for row in rows if row.refusal or row.media == str(cut)
        ]  # or no tar: the probe says what
        assert len(faults) == (length < len(content)), length
        for reason, why in (row.refusal for row in faults if row.refusal):
            assert reason is Reason.CORRUPT, length
            assert not [word for word in LIBRARIES if word in why], why
        found = contents(rows)
        assert set(found) == set(names[: len(found)]), length
        assert all(files[name] == found[name] for name in found), length
        most = max(most, len(found))
    assert most == len(names)


def test_a_tar_that_ends_between_two_members_is_said(tmp_path: Path) -> None:
    """Nothing else tells that a download stopped there."""
    tar = tmp_path / "x.tar"
    (tmp_path / "a.mp4").write_bytes(b"a" * 512)
    with tarfile.open(tar, "w", format=tarfile.GNU_FORMAT) as archive:
        archive.add(tmp_path / "a.mp4", "a.mp4")
        archive.add(tmp_path / "a.mp4", "b.mp4")
    content = tar.read_bytes()
    for length, whole in ((1024, 1), (2048, 2)):
        tar.write_bytes(content[:length])
        read_archive.cache_clear()
        *rows, fault = tar_rows(str(tar), "x.tar")
        assert len(rows) == whole
        assert fault.refusal == (
            Reason.CORRUPT,
            f"{tar}: its end mark is missing: it may be cut short; the members before that are taken",
        )
    tar.write_bytes(content[: 2048 + 512])  # one block of the mark, or of what fills the last record
    read_archive.cache_clear()
    assert [row.refusal for row in tar_rows(str(tar), "x.tar")] == [None, None]
