"""Spans between places: they cover the medium, hold the bounds, and never split a step."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.cuts import CutAt, Cutting, Places
from schemas.grid import SECOND_NS, STEP_NS, Span

TEN = Cutting(10 * SECOND_NS, CutAt.SCENES, 2 * SECOND_NS)


def seconds(spans: list[Span]) -> list[float]:
    return [span.start_ns / SECOND_NS for span in spans] + [spans[-1].end_ns / SECOND_NS]


def test_a_scene_is_a_sample() -> None:
    assert seconds(TEN.spans(round(23.2 * SECOND_NS), Places((8, 20, 38)))) == [0, 4, 10, 19, 23.2]


@pytest.mark.parametrize(
    ("cuts", "expected"),
    [
        ((2, 8), [0, 4, 10]),  # 1 s would be too short: it goes with what follows
        ((8, 10), [0, 4, 10]),
        ((8, 17), [0, 4, 10]),  # 1.5 s at the end too
        ((), [0, 10]),
    ],
)
def test_none_is_shorter_than_the_shortest(cuts: tuple[int, ...], expected: list[float]) -> None:
    assert seconds(TEN.spans(10 * SECOND_NS, Places(cuts))) == expected


def test_a_scene_longer_than_the_longest_is_cut_evenly() -> None:
    assert seconds(TEN.spans(24 * SECOND_NS, Places((2,)))) == [0, 8, 16, 24]


def test_speech_is_cut_in_the_longest_pause_of_the_second_half() -> None:
    cutting = Cutting(10 * SECOND_NS, CutAt.SPEECH, 2 * SECOND_NS)
    pauses = ((4, 900), (12, 200), (15, 400), (19, 250), (31, 300))
    assert seconds(cutting.spans(20 * SECOND_NS, Places((), pauses))) == [0, 7.5, 15.5, 20]


def test_media_without_places_and_a_medium_of_less_than_the_shortest() -> None:
    assert seconds(TEN.spans(25 * SECOND_NS)) == [0, 10, 20, 25]
    assert seconds(TEN.spans(SECOND_NS, Places((1,)))) == [0, 1]


@given(
    st.integers(1, 200 * STEP_NS),
    st.sets(st.integers(1, 200)),
    st.dictionaries(st.integers(1, 200), st.integers(1, 3000)),
    st.integers(1, 8),
    st.integers(0, 30),
)
def test_spans_cover_the_medium_within_the_bounds(
    duration_ns: int, cuts: set[int], pauses: dict[int, int], shortest: int, more: int
) -> None:
    cutting = Cutting((2 * shortest + more) * STEP_NS, CutAt.SPEECH, shortest * STEP_NS)
    spans = cutting.spans(duration_ns, Places(tuple(sorted(cuts)), tuple(sorted(pauses.items()))))
    assert spans[0].start_ns == 0
    assert spans[-1].end_ns == duration_ns
    assert all(one.end_ns == other.start_ns for one, other in pairwise(spans))
    assert all(span.start_ns % STEP_NS == 0 for span in spans)
    assert all(span.duration_ns <= cutting.longest_ns for span in spans)
    assert all(span.duration_ns >= cutting.shortest_ns for span in spans[:-1])
    # the last may lack the part of a step that the medium does not fill
    assert len(spans) == 1 or spans[-1].duration_ns > cutting.shortest_ns - STEP_NS
