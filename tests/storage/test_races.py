"""Rival processes: one state is one writer's, and no reader sees half a file."""

from __future__ import annotations

import subprocess
import sys

from storage import files

RIVALS, ROUNDS = 4, 25
CREATE = """
import sys
from storage import files
root, me = sys.argv[1:3]
print("ready", flush=True)
sys.stdin.readline()
for n in range({rounds}):
    content = f"{{me}}-{{n}}".encode() * 1000
    if files.create_if_absent(files.join(root, f"{{n:04d}}"), content, root):
        print(n, flush=True)
"""
PUT = """
import sys
from storage import files
root, me = sys.argv[1:3]
print("ready", flush=True)
sys.stdin.readline()
for n in range({rounds}):
    files.put(files.join(root, "state"), me.encode() * 200_000, root)
    content = files.read_bytes(files.join(root, "state"))
    assert len(content) == 200_000 and len(set(content)) == 1, "torn"
    files.sweep(root)
"""


def race(script: str, root: str) -> list[str]:
    """What each of the rivals printed; they start together."""
    command = [sys.executable, "-c", script.format(rounds=ROUNDS), root]
    rivals = [
        subprocess.Popen([*command, str(me)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for me in range(RIVALS)
    ]
    for rival in rivals:
        assert rival.stdout.readline() == "ready\n"
    for rival in rivals:
        rival.stdin.write("go\n")
        rival.stdin.flush()
    said = [rival.communicate(timeout=120)[0] for rival in rivals]
    assert [rival.returncode for rival in rivals] == [0] * RIVALS
    return said


def test_of_rivals_one_creates(root) -> None:
    won = [[int(line) for line in said.split()] for said in race(CREATE, root)]
    assert sorted(n for states in won for n in states) == list(range(ROUNDS))
    for me, states in enumerate(won):
        for n in states:
            assert files.read_bytes(files.join(root, f"{n:04d}")) == f"{me}-{n}".encode() * 1000
    assert len(files.listing(root)) == ROUNDS


def test_of_rivals_that_put_and_sweep_a_reader_sees_one_whole(root) -> None:
    race(PUT, root)
    assert list(files.listing(root)) == [files.join(root, "state")]
