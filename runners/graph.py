"""What a job's portable proto says: environments and their hints, steps, fused stages, pickled code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from apache_beam.internal import pickler
from apache_beam.portability import common_urns, python_urns
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.portability.fn_api_runner import translations

Proto = Any  # beam_runner_api_pb2.Pipeline, whose module has no types


@dataclass(frozen=True)
class Step:
    """One primitive transform: its full name, URN, resource hints (name -> value), inputs and outputs."""

    name: str
    urn: str
    hints: dict[str, str]
    payload: bytes
    inputs: tuple[str, ...]


def steps(proto: Proto) -> list[Step]:
    """The transforms that hold no others, in the graph's order."""
    environments = proto.components.environments
    return [
        Step(
            transform.unique_name,
            transform.spec.urn,
            {
                urn.split(":")[2]: value.decode()
                for urn, value in environments[transform.environment_id].resource_hints.items()
            }
            if transform.environment_id
            else {},
            transform.spec.payload,
            tuple(transform.inputs.values()),
        )
        for transform in proto.components.transforms.values()
        if not transform.subtransforms and transform.spec.urn
    ]


def shuffles(proto: Proto) -> list[Step]:
    """The GroupByKeys, those of Reshuffles and of joins among them."""
    return [step for step in steps(proto) if step.urn == common_urns.primitives.GROUP_BY_KEY.urn]


def pickled(proto: Proto) -> Iterator[tuple[str, object]]:
    """(step, DoFn and arguments) of everything that travels as a pickle."""
    for step in steps(proto):
        if step.urn == common_urns.primitives.PAR_DO.urn:
            payload = beam_runner_api_pb2.ParDoPayload.FromString(step.payload)
            if payload.do_fn.urn == python_urns.PICKLED_DOFN_INFO:
                yield step.name, pickler.loads(payload.do_fn.payload)


def fused(proto: Proto) -> list[set[str]]:
    """Names of the steps that Beam's own fusion puts into one stage each."""
    _, stages = translations.create_and_optimize_stages(
        beam_runner_api_pb2.Pipeline.FromString(proto.SerializeToString()),
        phases=[
            translations.expand_sdf,
            translations.expand_gbk,
            translations.sink_flattens,
            translations.greedily_fuse,
        ],
        known_runner_urns=frozenset(),
    )
    return [{transform.unique_name for transform in stage.transforms} for stage in stages]


def describe(proto: Proto) -> str:
    """A few lines for a person."""
    lines = [f"{len(steps(proto))} steps, {len(shuffles(proto))} shuffles, {proto.ByteSize()} bytes of job"]
    for environment in proto.components.environments.values():
        payload = beam_runner_api_pb2.DockerPayload.FromString(environment.payload)
        staged = [
            beam_runner_api_pb2.ArtifactStagingToRolePayload.FromString(artifact.role_payload).staged_name
            for artifact in environment.dependencies
        ]
        lines.append(f"container {payload.container_image}, staged: {', '.join(staged) or 'nothing'}")
    lines += [f"{step.name}: {step.hints}" for step in steps(proto) if step.hints]
    return "\n".join(lines)
