"""`python -m runners.dry_run SOURCE… --output OUT …`: the Dataflow job, sent nowhere.

Takes what `favor-data build` takes. Writes the job's portable proto to stdout as JSON with --json, else a
summary of it. Needs apache-beam[gcp]; contacts nobody while SOURCE and OUT are local.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import apache_beam as beam
from apache_beam.options.pipeline_options import SetupOptions

from pipelines.build import prepare
from pipelines.build_corpus import build_corpus
from pipelines.commands import options
from pipelines.errors import UsageError
from pipelines.jobs.launch import look
from pipelines.metrics.progress import Progress
from pipelines.steps.inputs import ReadInputs
from runners.graph import Proto, describe

NOWHERE = (
    "--runner=DataflowRunner",
    "--dry_run=True",
    "--no_auth",
    "--project=dry-run",
    "--region=europe-west4",
    "--temp_location=gs://dry-run/temp",
)


def proto_of(arguments: Sequence[str]) -> Proto:
    """The portable proto of the job that these arguments of `favor-data build` would submit.

    Raises:
        UsageError: unusable arguments.
        ImportError: apache-beam[gcp] is not installed.
    """
    asked, beams = options.parse([*NOWHERE, *arguments])
    beams.view_as(SetupOptions).save_main_session = False
    pipeline = beam.Pipeline(options=beams)
    job = look(asked, prepare(asked, Progress(None)))
    build_corpus(pipeline | "Read sources" >> ReadInputs(job.path), job.build)
    return pipeline.run().job.proto_pipeline


def main() -> int:
    """Exit status: 2 for unusable arguments."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--json"]
    try:
        proto = proto_of(arguments)
    except (UsageError, ImportError) as error:
        print(f"runners: {error}", file=sys.stderr)
        return 2
    if "--json" in sys.argv:
        from google.protobuf.json_format import MessageToJson  # type: ignore[import-untyped]

        print(MessageToJson(proto))
    else:
        print(describe(proto))
    return 0


if __name__ == "__main__":
    sys.exit(main())
