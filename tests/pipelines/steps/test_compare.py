from collections.abc import Callable
from dataclasses import replace
from typing import Any

import apache_beam as beam
from apache_beam.testing.util import assert_that, equal_to

from pipelines.members import Members
from pipelines.products import Products
from pipelines.records import Fresh, PlannedSample, RowSays
from pipelines.states.parts import TALKS_OF
from pipelines.steps.compare import FRESH, LEAVING, STANDING, CompareWithCorpus
from schemas.media import Modality
from schemas.sample import Source
from schemas.state import ANNOTATIONS

from .conftest import fresh, in_process

Planned = Callable[..., PlannedSample]
IndexRow = Callable[..., dict[str, Any]]


def test_what_is_equal_stands_and_what_is_dropped_leaves(
    planned: Planned, products: Products, members: Members, index_row: IndexRow, ledger_row: IndexRow
) -> None:
    same, new = planned("same"), planned("new")
    rows = [index_row(planned(name)) for name in ("same", "dropped", "anothers")]
    others = [ledger_row("/anothers.mp4", "anothers")]
    with in_process() as pipeline:
        made = {
            "samples": pipeline | "Samples" >> beam.Create([same, new]),
            "index": pipeline | "Index" >> beam.Create([(row["key"], row) for row in rows]),
            "others": pipeline | "Others" >> beam.Create([(row["input"], row) for row in others]),
        } | CompareWithCorpus(products, members)
        assert_that(made[FRESH], equal_to([fresh(new)]), label="fresh")
        assert_that(made[STANDING], equal_to([(rows[0], same.inputs), (rows[2], ())]), label="standing")
        assert_that(made[LEAVING], equal_to([rows[1]]), label="leaving")


def test_another_answer_is_a_layer_of_its_own_and_another_file_another_sample(
    planned: Planned, products: Products, members: Members, index_row: IndexRow
) -> None:
    said, edited = planned("said", metadata={"n": 2}), planned("edited")
    file = {Modality.VIDEO: Source("/edited.mp4", "6" * 64)}
    rows = [index_row(planned("said", metadata={"n": 1})), index_row(replace(edited, media=file))]
    with in_process() as pipeline:
        made = {
            "samples": pipeline | "Samples" >> beam.Create([said, edited]),
            "index": pipeline | "Index" >> beam.Create([(row["key"], row) for row in rows]),
            "others": pipeline | "Others" >> beam.Create([]),
        } | CompareWithCorpus(products, members)
        wanted = [Fresh(said, frozenset({ANNOTATIONS}), rows[0]), fresh(edited)]
        assert_that(made[FRESH], equal_to(wanted), label="fresh")
        assert_that(made[LEAVING], equal_to([rows[1]]), label="leaving")


def test_what_another_input_says_of_a_sample_stays_and_what_this_one_said_goes(
    planned: Planned, products: Products, members: Members, index_row: IndexRow, ledger_row: IndexRow
) -> None:
    def says(name: str, answer: str) -> RowSays:
        return RowSays(name, name, (({"from": "gpt", "value": answer},),), {})

    shared = replace(planned("shared"), rows=(says("mine", "a"), says("others", "b")))
    row = index_row(shared)
    others = [ledger_row("others", "shared")]
    with in_process() as pipeline:
        made = {
            "samples": pipeline | "Samples" >> beam.Create([]).with_output_types(PlannedSample),
            "index": pipeline | "Index" >> beam.Create([("shared", row)]),
            "others": pipeline | "Others" >> beam.Create([(other["input"], other) for other in others]),
        } | CompareWithCorpus(products, members)
        left = replace(shared, rows=(says("others", "b"),))
        wanted = [Fresh(left, frozenset({ANNOTATIONS}), row)]
        assert_that(made[FRESH], equal_to(wanted), label="fresh")
    assert [talk["input"] for talk in row[TALKS_OF]] == ["mine", "others"]
