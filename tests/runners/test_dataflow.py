"""The job as DataflowRunner itself would submit it. Contacts nobody."""

from pathlib import Path
from typing import Any

import pytest
from apache_beam.portability.api import beam_runner_api_pb2

from runners.graph import fused, steps

pytest.importorskip(
    "apache_beam.runners.dataflow.internal.apiclient",
    reason="needs apache-beam[gcp]: pip install -e '.[gcp]'",
    exc_type=ImportError,
)

ROOT = Path(__file__).parents[2]
IMAGE = "europe-docker.pkg.dev/example/favor-data:1"


@pytest.fixture(scope="module")
def submitted(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from runners.dry_run import proto_of

    folder = tmp_path_factory.mktemp("dataflow")
    (folder / "0.mp4").touch()
    accelerator = ["--accelerator", "type:nvidia-l4;count:1;install-nvidia-driver"]
    models = ["--whisper", "random:tiny", "--clip", "random:vit-b-32"]
    staged = ["--setup_file", str(ROOT / "setup.py"), "--sdk_container_image", IMAGE]
    return proto_of([str(folder), "--output", str(folder / "out"), *models, *accelerator, *staged])


def test_workers_run_our_container_with_our_package(submitted: Any) -> None:
    for environment in submitted.components.environments.values():
        payload = beam_runner_api_pb2.DockerPayload.FromString(environment.payload)
        assert payload.container_image == IMAGE
        names = {
            beam_runner_api_pb2.ArtifactStagingToRolePayload.FromString(a.role_payload).staged_name
            for a in environment.dependencies
        }
        assert "workflow.tar.gz" in names
        assert "pickled_main_session" not in names


def test_gpus_for_the_encoding_stage_only_and_it_stays_one_stage(submitted: Any) -> None:
    on_gpu = {step.name for step in steps(submitted) if "accelerator" in step.hints}
    assert on_gpu == {s.name for s in steps(submitted) if s.name.startswith(("Decode/", "Featurize "))}
    assert any(on_gpu <= stage for stage in fused(submitted))
