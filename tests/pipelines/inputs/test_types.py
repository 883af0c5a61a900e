"""Every step says what its elements are, and they are."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.pipeline import AppliedPTransform, PipelineVisitor
from apache_beam.typehints import typehints

from pipelines.build import prepare
from pipelines.build_corpus import build_corpus
from pipelines.commands import options
from pipelines.commands.command import main
from pipelines.jobs.launch import look
from pipelines.metrics.progress import Progress
from pipelines.steps.inputs import ReadInputs


class Outputs(PipelineVisitor):
    """Label and element type of every output, those inside Beam's own composites left out."""

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}

    def enter_composite_transform(self, transform_node: AppliedPTransform) -> None:
        self.visit_transform(transform_node)

    def visit_transform(self, transform_node: AppliedPTransform) -> None:
        label = transform_node.full_label
        if not isinstance(transform_node.transform, beam.CoGroupByKey) and "CoGroupByKeyImpl" not in label:
            for tag, output in transform_node.outputs.items():
                self.found[f"{label} {tag or ''}"] = output.element_type


def test_no_step_hands_on_elements_without_a_type(tmp_path: Path, features: list[str]) -> None:
    (tmp_path / "a.mp4").touch()
    asked, beams = options.parse([str(tmp_path), "--output", str(tmp_path / "out"), *features])
    root = beam.Pipeline(options=beams)
    job = look(asked, prepare(asked, Progress(None)))
    build_corpus(root | "Read sources" >> ReadInputs(job.path), job.build)
    outputs = Outputs()
    root.visit(outputs)
    assert len(outputs.found) > 60
    untyped = [name for name, kind in outputs.found.items() if kind in (None, Any, typehints.Any)]
    assert not untyped


def test_the_graph_runs_with_every_element_checked(
    media: Path, tmp_path: Path, features: list[str], read_samples: Callable[[Path], Any]
) -> None:
    sources = [str(media / name) for name in ("talk.mp4", "still.png")]
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"noise" * 99)
    for name, more in (("plain", []), ("checked", ["--runtime_type_check"])):
        command = ["build", *sources, str(broken), "--output", str(tmp_path / name), *features, *more]
        assert main(command) == 0
    assert read_samples(tmp_path / "checked") == read_samples(tmp_path / "plain")


def test_every_step_has_a_pipeline_of_its_own_in_the_tests() -> None:
    """A file a step, and every PTransform of it run there, with `assert_that`."""
    root = Path(__file__).parents[3]
    for step in sorted((root / "pipelines" / "steps").glob("[a-z]*.py")):
        made = re.findall(r"^class ([A-Z]\w*)\(beam\.(?:PTransform|DoFn)\)", step.read_text(), re.MULTILINE)
        test = (root / "tests" / "pipelines" / "steps" / f"test_{step.name}").read_text()
        assert made, step
        assert "in_process()" in test, step
        assert "assert_that(" in test, step
        assert not [name for name in made if name not in test], step
