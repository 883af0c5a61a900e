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

import apache_beam as beam

from pipelines.build import Build
from pipelines.records import InputOutcome, SampleOutcome
from pipelines.steps.assemble import FAILED, Assemble
from pipelines.steps.compare import LEAVING, STANDING, CompareWithCorpus, OtherInputs, ReadCorpus
from pipelines.steps.decode import DecodeMedia
from pipelines.steps.featurize import Featurize
from pipelines.steps.finish import Finish, LedgerRows
from pipelines.steps.inputs import ReadInputs
from pipelines.steps.needs import FindNeeds
from pipelines.steps.plan import REJECTED, MergeRows, PlanSamples
from pipelines.steps.probe import ProbeMedia
from pipelines.steps.shards import WriteShards


def build_corpus(root: beam.Pipeline, build: Build) -> beam.PCollection:
    """The graph. Gives one Corpus: what corpus.json says."""
    corpus = root | "Read corpus" >> ReadCorpus(build.output)
    rows = root | "Read sources" >> ReadInputs(build.inputs)
    probes = rows | "Probe media" >> ProbeMedia(build.cache, build.limits)
    planned = {"rows": rows, "probes": probes} | "Plan samples" >> PlanSamples(build.clip_ns)
    samples = planned.parts | "Merge rows" >> MergeRows()

    others = {"rows": rows, "ledger": corpus["ledger"]} | "Other inputs" >> OtherInputs()
    compared = {"samples": samples, "index": corpus["index"], "others": others} | "Compare" >> (
        CompareWithCorpus(build.products)
    )

    needs = compared.fresh | "Find needs" >> beam.ParDo(
        FindNeeds(build.products, build.cache, build.progress)
    )
    decoded = (
        needs
        | "By file" >> beam.GroupByKey()
        | "Decode"
        >> beam.ParDo(DecodeMedia(build))
        .with_resource_hints(**build.hints)
        .with_outputs(*build.featurizers, main="outcomes")
    )
    encoded = [
        decoded[column]
        | f"Featurize {column}"
        >> Featurize(column, featurizer, build.cache, build.progress).with_resource_hints(**build.hints)
        for column, featurizer in build.featurizers.items()
    ]
    outcomes = [decoded.outcomes, *encoded] | "Outcomes" >> beam.Flatten()

    assembled = {"samples": compared.fresh, "outcomes": outcomes} | "Assemble" >> Assemble(build.members)
    standing = compared[STANDING]
    index = {
        "ready": assembled.ready,
        "standing": standing | "Rows" >> beam.Keys(),
        "leaving": compared[LEAVING],
    } | "Write shards" >> WriteShards(build.output, build.shard_bytes, build.members)

    accounts = (
        planned[REJECTED],
        assembled[FAILED],
        assembled.ready | "Done" >> beam.FlatMap(lambda ready: _done(ready.sample.key, ready.sample.inputs)),
        standing | "Stand" >> beam.FlatMapTuple(lambda row, inputs: _done(row["key"], inputs)),
    ) | "Accounts" >> beam.Flatten()
    ledger = (
        {"rows": rows, "outcomes": accounts} | "Ledger" >> LedgerRows(),
        others | "Earlier rows" >> beam.Values(),
    ) | "All inputs" >> beam.Flatten()
    return {"index": index, "ledger": ledger} | "Finish" >> Finish(build.output, build.facts)


def _done(key: str, inputs: tuple[str, ...]) -> list[tuple[str, InputOutcome]]:
    return [(name, InputOutcome(samples=(SampleOutcome(key),))) for name in inputs]


if __name__ == "__main__":
    sys.argv.insert(1, "build")
    runpy.run_module("pipelines", run_name="__main__")
