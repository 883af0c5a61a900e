import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.transforms import environments

from pipelines.build import prepare
from pipelines.build_corpus import build_corpus
from pipelines.commands import options
from pipelines.jobs.launch import look
from pipelines.metrics.progress import Progress
from pipelines.steps.inputs import ReadInputs

L4 = "type:nvidia-l4;count:1;install-nvidia-driver"
IMAGE = "example/favor-data:1"


@pytest.fixture(scope="session")
def job(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """The portable proto of a build of `files` files, which need not be media: nothing runs."""

    def make(*arguments: str, files: int = 3) -> Any:
        folder: Path = tmp_path_factory.mktemp("job")
        for number in range(files):
            (folder / f"{number}.mp4").touch()
        models = ("--whisper", "random:tiny", "--clip", "random:vit-b-32")
        asked, beams = options.parse([str(folder), "--output", str(folder / "out"), *models, *arguments])
        root = beam.Pipeline(options=beams)
        job = look(asked, prepare(asked, Progress(None)))
        build_corpus(root | "Read sources" >> ReadInputs(job.path), job.build)
        docker = environments.DockerEnvironment.from_container_image(
            IMAGE, artifacts=environments.python_sdk_dependencies(beams)
        )
        return root.to_runner_api(default_environment=docker)

    return make


@pytest.fixture(scope="session")
def on_gpus(job: Callable[..., Any]) -> Any:
    """The same job for Dataflow's GPUs."""
    return job("--accelerator", L4)


def pytest_unconfigure() -> None:
    """Beam ends Prism when Python ends, and says so to a stream that pytest has closed by then."""
    logging.raiseExceptions = False
