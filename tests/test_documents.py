"""What the papers around the code say is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.installed.declared import ARGUMENTS
from tests.test_arrows import HOUSE

ROOT = Path(__file__).parents[1]
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PICTURE, TREE = re.findall(r"^```\n(.*?)^```", ARCHITECTURE, re.MULTILINE | re.DOTALL)


def test_the_picture_has_a_box_for_every_step() -> None:
    steps = {path.stem for path in (ROOT / "pipelines" / "steps").glob("*.py")} - {"__init__"}
    assert steps <= set(re.findall(r"[│║] (\w+)", PICTURE))


def test_the_tree_has_a_line_for_every_room_and_no_other() -> None:
    folders: list[Path] = []
    for line in TREE.splitlines():
        indent, name = re.findall(r"^( *)(\w+)/ +\S", line)[0]
        folders[len(indent) // 4 :] = [Path(name)]
        assert (ROOT / Path(*folders)).is_dir() or name == "favor_data", line
    named = set(re.findall(r"^ *(\w+)/", TREE, re.MULTILINE))
    rooms = {path.parent for room in HOUSE for path in (ROOT / room).rglob("__init__.py")}
    assert {room.name for room in rooms} <= named, "a room without a line in docs/architecture.md"


@pytest.mark.parametrize("path", sorted((ROOT / "docs").glob("*.md")), ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), target


def test_one_version_everywhere() -> None:
    version = ARGUMENTS["version"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == version
    assert citation["license"] == ARGUMENTS["license"] == "Apache-2.0"
    assert f"\n## {version} (" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_hosted_workflow_calls_what_ci_calls() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    [job] = workflow["jobs"].values()
    assert "bash .ci/run" in [step.get("run") for step in job["steps"]]
