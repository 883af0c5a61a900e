"""The whole job on one screen: sources -> plan -> decode -> featurize -> cache -> shards.

    rows -> probe -> plan -> what the corpus lacks -> what the cache lacks -> decode -> encode -> cache
                                                                                                    |
    ledger, index, corpus.json <- shards <- samples with every product in the cache <---------------+

Only keys, uris and small records cross a shuffle; frames, sound and features live inside one fused stage
or in the cache.
"""

from __future__ import annotations

import runpy
import sys
from typing import NamedTuple

import apache_beam as beam

from pipelines.build import Build
from pipelines.records import AccountOfInput, InputOutcome, SampleOutcome
from pipelines.steps.assemble import FAILED, READY, Assemble
from pipelines.steps.compare import FRESH, LEAVING, STANDING, CompareWithCorpus, OtherInputs, ReadCorpus
from pipelines.steps.decode import OUTCOMES, DecodeMedia
from pipelines.steps.featurize import Featurize
from pipelines.steps.finish import ACCOUNTS, REJECTIONS, Finish, LedgerRows
from pipelines.steps.needs import FindNeeds
from pipelines.steps.plan import PARTS, REJECTED, MergeRows, PlanSamples
from pipelines.steps.probe import ProbeMedia
from pipelines.steps.shards import WriteShards


class Graph(NamedTuple):
    """What the graph gives.

    Attributes:
        corpus: one schemas.corpus.Corpus, once its files are written.
        samples: the corpus's index rows, those of earlier builds among them, once their shards are written.
        rejections: the ledger rows of rejected inputs: the job's error output.
    """

    corpus: beam.PCollection
    samples: beam.PCollection
    rejections: beam.PCollection


def build_corpus(rows: beam.PCollection, build: Build) -> Graph:
    """The graph, from InputRows on."""
    corpus = rows.pipeline | "Read corpus" >> ReadCorpus(build.output)
    probes = rows | "Probe media" >> ProbeMedia(build.cache, build.limits, build.audio_track)
    planned = {"rows": rows, "probes": probes} | "Plan samples" >> PlanSamples(
        build.clip_ns, build.products.frame_at
    )
    samples = planned[PARTS] | "Merge rows" >> MergeRows()

    others = {"rows": rows, "ledger": corpus["ledger"]} | "Other inputs" >> (
        OtherInputs(build.output, build.products)
    )
    compared = {"samples": samples, "index": corpus["index"], "others": others} | "Compare" >> (
        CompareWithCorpus(build.products)
    )

    needs = compared[FRESH] | "Find needs" >> beam.ParDo(
        FindNeeds(build.products, build.cache, build.progress)
    )
    decoded = needs | "By file" >> beam.GroupByKey() | "Decode" >> DecodeMedia.step(build)
    encoded = [
        decoded[column]
        | f"Featurize {column}"
        >> Featurize(column, featurizer, build.cache, build.progress).with_resource_hints(**build.hints)
        for column, featurizer in build.featurizers.items()
    ]
    outcomes = [decoded[OUTCOMES], *encoded] | "Outcomes" >> beam.Flatten()

    assembled = {"samples": compared[FRESH], "outcomes": outcomes} | "Assemble" >> Assemble(build.members)
    standing = compared[STANDING]
    index = {
        "ready": assembled[READY],
        "standing": standing | "Rows" >> beam.Keys(),
        "leaving": compared[LEAVING],
    } | "Write shards" >> WriteShards(build.output, build.shard_bytes, build.members)

    done = beam.FlatMap(lambda ready: _done(ready.sample.key, ready.sample.inputs))
    stand = beam.FlatMapTuple(lambda row, inputs: _done(row["key"], inputs))
    accounts = (
        planned[REJECTED],
        assembled[FAILED],
        assembled[READY] | "Done" >> done.with_output_types(AccountOfInput),
        standing | "Stand" >> stand.with_output_types(AccountOfInput),
    ) | "Accounts" >> beam.Flatten()
    ledger = {"rows": rows, "outcomes": accounts} | "Ledger" >> LedgerRows()
    inputs = (ledger[ACCOUNTS], others | "Earlier rows" >> beam.Values()) | "All inputs" >> beam.Flatten()
    finished = {"index": index, "ledger": inputs} | "Finish" >> Finish(build.output, build.facts)
    return Graph(finished, index, ledger[REJECTIONS])


def _done(key: str, inputs: tuple[str, ...]) -> list[AccountOfInput]:
    return [(name, InputOutcome(samples=(SampleOutcome(key),))) for name in inputs]


if __name__ == "__main__":
    sys.argv.insert(1, "build")
    runpy.run_module("pipelines", run_name="__main__")
