"""What Beam stages for remote workers: made, installed and imported as a worker would."""

import importlib.metadata
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.transforms import environments

from tests.installed.declared import ROOMS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as `--setup_file ./setup.py` has Beam make and stage it."""
    temporary = str(tmp_path_factory.mktemp("staging"))
    artifacts = environments.python_sdk_dependencies(
        PipelineOptions([f"--setup_file={ROOT / 'setup.py'}"]), temporary
    )
    staged = {
        beam_runner_api_pb2.ArtifactStagingToRolePayload.FromString(
            artifact.role_payload
        ).staged_name: beam_runner_api_pb2.ArtifactFilePayload.FromString(artifact.type_payload).path
        for artifact in artifacts
    }
    return Path(staged["workflow.tar.gz"])


def test_the_package_holds_every_file_of_the_rooms(sdist: Path) -> None:
    with tarfile.open(sdist) as tar:
        names = [name.split("/", 1)[1] for name in tar.getnames() if "/" in name]
    assert not [name for name in names if name.startswith(("runners/", "demo/", "benchmarks/"))]
    for room in ROOMS:
        here = {str(path.relative_to(ROOT)) for path in (ROOT / room).rglob("*.py")}
        assert here == {name for name in names if name.startswith(f"{room}/") and name.endswith(".py")}


def test_it_installs_elsewhere_and_imports_from_there(sdist: Path, tmp_path: Path) -> None:
    pytest.importorskip("setuptools", minversion="77", reason="what pyproject.toml builds with")
    site = tmp_path / "site"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-index",
        "--no-deps",
        "--no-build-isolation",
    ]
    subprocess.run([*pip, "--target", str(site), str(sdist)], check=True, cwd=tmp_path)
    code = f"""
import importlib, pathlib, pkgutil, sys
sys.path.insert(0, {str(site)!r})
for room in {ROOMS!r}:
    package = importlib.import_module(room)
    assert pathlib.Path(package.__file__).is_relative_to({str(site)!r}), package.__file__
    for module in pkgutil.walk_packages(package.__path__, room + "."):
        if not module.name.endswith("__main__"):  # a command: it would run
            importlib.import_module(module.name)
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
    [installed] = importlib.metadata.distributions(name="favor-data", path=[str(site)])
    [command] = [entry for entry in installed.entry_points if entry.group == "console_scripts"]
    assert (command.name, command.value) == ("favor-data", "pipelines.commands.command:entry")
