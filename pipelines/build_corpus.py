"""The whole job on one screen: sources -> plan -> decode -> featurize -> cache -> shards.

    rows -> probe -> plan -> what the corpus lacks -> what the cache lacks -> decode -> encode, words -> cache
                                                                                                           |
    the next state <- shards <- samples whose every product is in the cache or in a shard <----------------+

Only keys, uris and small records cross a shuffle; frames, sound and features live inside one fused stage
or in the cache.
"""

from __future__ import annotations

import runpy
import sys
from functools import partial
from typing import NamedTuple

import apache_beam as beam

from pipelines.build import Build
from pipelines.facts.index import candidate
from pipelines.facts.passing import FILTERED, PASSED, Passing
from pipelines.members import Members
from pipelines.products import WORDS
from pipelines.records import AccountOfInput, Fresh, InputOutcome, PlannedSample, Rejection, SampleOutcome
from pipelines.steps.assemble import FAILED, LOST, READY, Assemble, Ready
from pipelines.steps.compare import FRESH, LEAVING, STANDING, CompareWithCorpus, Standing
from pipelines.steps.corpus import OtherInputs, ReadCorpus
from pipelines.steps.cuts.find import FindCuts
from pipelines.steps.decode import OUTCOMES, DecodeMedia
from pipelines.steps.featurize import Featurize
from pipelines.steps.finish import ACCOUNTS, REJECTIONS, Finish, LedgerRows
from pipelines.steps.locate import Locate
from pipelines.steps.needs import FindNeeds
from pipelines.steps.plan import PARTS, REJECTED, MergeRows, PlanSamples
from pipelines.steps.probe import ProbeMedia
from pipelines.steps.shards import PUT, STAY, WriteShards
from pipelines.steps.words import FindWords
from schemas.cuts import CutAt
from schemas.reasons import Reason, Stage
from schemas.rows import Row


class Graph(NamedTuple):
    """What the graph gives.

    Attributes:
        corpus: one schemas.state.State, once it is committed and the files for people are written.
        samples: the corpus's index rows, those of earlier builds among them, once their shards are written.
        rejections: the ledger rows of rejected inputs: the job's error output.
    """

    corpus: beam.PCollection
    samples: beam.PCollection
    rejections: beam.PCollection


def build_corpus(rows: beam.PCollection, build: Build) -> Graph:
    """The graph, from InputRows on."""
    corpus = rows.pipeline | "Read corpus" >> ReadCorpus(build.output, build.parent)
    probes = rows | "Probe media" >> ProbeMedia(
        build.cache, build.limits, build.audio_track, build.hosts, build.progress
    )
    if build.cutting.at is not CutAt.CLIPS:
        probes = {"rows": rows, "probes": probes} | "Find cuts" >> FindCuts.step(build)
    planned = {"rows": rows, "probes": probes} | "Plan samples" >> PlanSamples(
        build.cutting, build.products.frame_at
    )
    samples = planned[PARTS] | "Merge rows" >> MergeRows()

    others = {"rows": rows, "ledger": corpus["ledger"]} | "Other inputs" >> (
        OtherInputs(build.output, build.same_columns, build.leaving)
    )
    compared = {"samples": samples, "index": corpus["index"], "others": others} | "Compare" >> (
        CompareWithCorpus(build.products, build.members, build.leaving, build.missing, build.anew)
    )
    fresh = compared[FRESH]
    if build.parent:
        fresh = {"fresh": fresh, "index": corpus["index"]} | "Locate" >> Locate(
            build.products, build.held, build.held_layers, build.missing
        )

    needs = fresh | "Find needs" >> beam.ParDo(
        FindNeeds(build.products, build.cache, build.facts.layers, build.progress)
    )
    decoded = needs | "By file" >> beam.GroupByKey() | "Decode" >> DecodeMedia.step(build)
    encoded = [
        decoded[column]
        | f"Featurize {column}"
        >> Featurize(
            column, featurizer, build.cache, build.progress, build.store(column)
        ).with_resource_hints(**build.hints)
        for column, featurizer in build.featurizers.items()
    ]
    heard = [
        decoded[WORDS] | "Find words" >> FindWords.step(build, transcription)
        for transcription in [build.transcription]
        if transcription
    ]
    outcomes = [decoded[OUTCOMES], *encoded, *heard] | "Outcomes" >> beam.Flatten()

    assembled = {"samples": fresh, "outcomes": outcomes} | "Assemble" >> Assemble(build.members)
    ready, standing = assembled[READY], compared[STANDING]
    filtered: list[beam.PCollection] = []
    gone: list[beam.PCollection] = []
    if build.condition:
        judged = ready | "Where" >> Passing(build.condition, partial(_candidate, build.members), Ready)
        stood = standing | "Where it stands" >> Passing(build.condition, _row_of, Standing)
        ready, standing = judged[PASSED], stood[PASSED]
        rule = build.condition.text
        new = beam.FlatMap(lambda one: _filtered(one.fresh.sample, rule))
        old = beam.FlatMapTuple(partial(_stands, rule=rule))
        filtered += [
            judged[FILTERED] | "Filtered" >> new.with_output_types(AccountOfInput),
            stood[FILTERED] | "Filtered now" >> old.with_output_types(AccountOfInput),
        ]
        held = beam.FlatMap(lambda one: [one.fresh.row] if one.beside else [])
        gone += [
            judged[FILTERED] | "Bases that leave" >> held.with_output_types(Row),
            stood[FILTERED] | "Rows that leave" >> beam.Keys(),
        ]
    leaving = (compared[LEAVING], assembled[LOST], *gone) | "All that leave" >> beam.Flatten()
    index = {
        "ready": ready,
        "standing": standing | "Rows" >> beam.Keys(),
        "leaving": leaving,
    } | "Write shards" >> WriteShards(build.output, build.shard_bytes, build.members, build.first_shard)

    done = beam.FlatMap(lambda ready: _done(ready.fresh))
    stand = beam.FlatMapTuple(_stands)
    accounts = (
        planned[REJECTED],
        assembled[FAILED],
        *filtered,
        ready | "Done" >> done.with_output_types(AccountOfInput),
        standing | "Stand" >> stand.with_output_types(AccountOfInput),
    ) | "Accounts" >> beam.Flatten()
    ledger = {"rows": rows, "outcomes": accounts, "ledger": corpus["ledger"]} | "Ledger" >> LedgerRows()
    state = {"put": index[PUT], "leaving": leaving, "accounts": ledger[ACCOUNTS]} | "Finish" >> Finish(build)
    samples = (index[PUT] | "Rows put" >> beam.Keys(), index[STAY]) | "All samples" >> beam.Flatten()
    return Graph(state, samples, ledger[REJECTIONS])


def _done(fresh: Fresh) -> list[AccountOfInput]:
    sample = fresh.sample
    outcome = SampleOutcome(sample.key, sample.span.start_ns, sample.span.end_ns, replaces=fresh.replaces)
    return [(name, InputOutcome(samples=(outcome,))) for name in sample.inputs]


def _filtered(sample: PlannedSample, rule: str) -> list[AccountOfInput]:
    rejection = Rejection(Stage.WHERE, Reason.FILTERED, rule)
    outcome = SampleOutcome(sample.key, sample.span.start_ns, sample.span.end_ns, rejection)
    return [(name, InputOutcome(samples=(outcome,))) for name in sample.inputs]


def _candidate(members: Members, ready: Ready) -> Row:
    return candidate(ready.fresh, members)


def _row_of(standing: Standing) -> Row | None:
    """Samples of inputs that this build does not name are not its to judge."""
    row, inputs = standing
    return row if inputs else None


def _stands(row: Row, inputs: tuple[str, ...], rule: str = "") -> list[AccountOfInput]:
    rejection = Rejection(Stage.WHERE, Reason.FILTERED, rule) if rule else None
    outcome = SampleOutcome(row["key"], row["start_ns"], row["end_ns"], rejection)
    return [(name, InputOutcome(samples=(outcome,))) for name in inputs]


if __name__ == "__main__":
    sys.argv.insert(1, "build")
    runpy.run_module("pipelines", run_name="__main__")
