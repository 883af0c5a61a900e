"""What a shell completes, asked of a real shell."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from pipelines.commands.command import main

ASK = r"""
source "$1"; shift
complete=$(complete -p favor-data | sed 's/.*-F \([^ ]*\).*/\1/')
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
$complete favor-data "${@: -1}" "${@: -2:1}"
printf '%s\n' "${COMPREPLY[@]}"
"""


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


def test_bash_completes_commands_options_choices_and_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "favor-data"
    path.write_text(script("bash", capsys))
    (tmp_path / "videos").mkdir()

    def completed(*words: str) -> list[str]:
        asked = ["bash", "-c", ASK, "bash", path, "favor-data", *words]
        told = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        return told.split()

    assert completed("ver") == ["verify"]
    assert completed("build", "--clip-s") == ["--clip-seconds"]
    assert completed("build", "--fit", "s") == ["squash"]
    assert completed("build", "--num_w") == []  # Beam's are folded away
    assert completed("cache", "st") == ["stats"]
    assert completed("verify", "vid") == ["videos"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_have_every_command(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = script(shell, capsys)
    for word in ("build", "completion", "clip-seconds", "squash", "stats"):
        assert word in given
    if shutil.which(shell):
        subprocess.run([shell, "-n", "/dev/stdin"], input=given, text=True, check=True)


def test_another_shell_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "tcsh"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
