"""What only a disk can do: locks, links, a writer that dies."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time

import pytest

from storage import disk, files
from storage.entry import STALE_S
from storage.files import StorageError


def test_a_sweep_leaves_a_live_writer_alone_whatever_process_it_thinks_it_is(tmp_path) -> None:
    """A writer in another container has a number that may not run here: the kernel's lock tells."""
    script = (
        "import sys; from storage import files\n"
        f"with files.atomic_writer({str(tmp_path / 'file')!r}, {str(tmp_path)!r}) as stream:\n"
        "    stream.write(b'half'); stream.flush(); print('ready', flush=True); sys.stdin.read()\n"
        "    stream.write(b' and half')\n"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout.readline() == "ready\n"
    files.sweep(str(tmp_path))
    assert len(list((tmp_path / files.STAGING).iterdir())) == 1
    writer.communicate()
    assert (tmp_path / "file").read_bytes() == b"half and half"
    files.sweep(str(tmp_path))
    assert not (tmp_path / files.STAGING).exists()


def test_what_a_killed_writer_left_goes_at_once(tmp_path) -> None:
    script = (
        "import os; from storage import files\n"
        f"with files.atomic_writer({str(tmp_path / 'file')!r}, {str(tmp_path)!r}) as stream:\n"
        "    stream.write(b'half'); stream.flush(); os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -9
    assert len(list((tmp_path / files.STAGING).iterdir())) == 1
    files.sweep(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_another_machines_file_goes_after_a_day(tmp_path) -> None:
    (tmp_path / files.STAGING).mkdir()
    young, old = tmp_path / files.STAGING / "other-1", tmp_path / files.STAGING / "other-2"
    for path in (young, old):
        path.write_bytes(b"")
    os.utime(old, (time.time() - STALE_S - 9,) * 2)
    files.sweep(str(tmp_path))
    assert list((tmp_path / files.STAGING).iterdir()) == [young]


def test_a_file_system_without_links_still_has_one_winner(tmp_path, monkeypatch) -> None:
    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(disk.os, "link", no_links)
    assert files.create_if_absent(str(tmp_path / "state"), b"first")
    assert not files.create_if_absent(str(tmp_path / "state"), b"second")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir() if path.is_file()] == [
        ("state", b"first")
    ]


def test_a_file_without_permission_is_one_line(tmp_path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may do all")
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match="cannot be written: Permission denied"):
        files.put(str(tmp_path / "x"), b"")


def test_a_full_disk_is_one_line(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(disk, "_open_locked", lambda path: open("/dev/full", "wb"))  # noqa: SIM115, PTH123
    with pytest.raises(StorageError, match="x cannot be written: No space left on device"):
        files.put(str(tmp_path / "x"), b"content")


def test_file_uris_are_plain_paths(tmp_path) -> None:
    files.put(f"file://{tmp_path}/a/b", b"content")
    assert files.read_bytes(str(tmp_path / "a" / "b")) == b"content"
    assert files.absolute(f"file://{tmp_path}/a/../a/") == str(tmp_path / "a")
    assert not files.exists(f"file://{tmp_path}/none")
