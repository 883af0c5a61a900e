from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.grid import (
    SAMPLE_NS,
    SAMPLES_PER_STEP,
    SECOND_NS,
    STEP_NS,
    FrameAt,
    Grid,
    Span,
    cut,
    seconds_to_ns,
)

DAY_NS = 24 * 3600 * SECOND_NS
starts = st.integers(0, DAY_NS)
lengths = st.integers(1, 600 * SECOND_NS)
spans = st.builds(lambda start, length: Span(start, start + length), starts, lengths)
rules = st.sampled_from(list(FrameAt))


@given(spans, rules)
def test_steps_cover_the_span_and_no_step_lies_outside(span: Span, rule: FrameAt) -> None:
    grid = Grid(span, rule)
    begins = grid.step_starts_ns()
    assert begins.dtype == np.int64
    assert begins[0] == span.start_ns
    assert begins[-1] < span.end_ns <= begins[-1] + STEP_NS
    assert (np.diff(begins) == STEP_NS).all()


@given(spans, st.sampled_from([FrameAt.CENTER, FrameAt.START]))
def test_a_frame_is_asked_for_inside_its_own_step(span: Span, rule: FrameAt) -> None:
    grid = Grid(span, rule)
    offsets = grid.frame_times_ns() - grid.step_starts_ns()
    assert ((offsets >= 0) & (offsets < STEP_NS)).all()


@given(spans)
def test_steps_and_samples_are_exact_fractions(span: Span) -> None:
    seconds = Fraction(span.duration_ns, SECOND_NS)
    assert Grid(span).steps == -(-seconds // Fraction(1, 2))
    assert span.samples == -(-seconds // Fraction(1, 16_000))


def test_favors_rule_knows_no_instants() -> None:
    with pytest.raises(ValueError, match="by their own times"):
        Grid(Span(0, 3 * SECOND_NS), FrameAt.FAVOR).frame_times_ns()


def test_a_step_is_twenty_five_vectors_of_twenty_milliseconds() -> None:
    assert STEP_NS == 25 * 20_000_000
    assert STEP_NS == SAMPLES_PER_STEP * SAMPLE_NS


@settings(deadline=None)  # a day of half seconds, on a machine that others use as well
@given(st.integers(1, DAY_NS), st.integers(1, 240))
def test_cuts_tile_the_medium(duration: int, half_seconds: int) -> None:
    clips = cut(duration, half_seconds * STEP_NS)
    assert clips[0].start_ns == 0
    assert clips[-1].end_ns == duration
    assert all(a.end_ns == b.start_ns for a, b in pairwise(clips))
    assert all(clip.duration_ns == half_seconds * STEP_NS for clip in clips[:-1])


@pytest.mark.parametrize(("start", "end"), [(-1, 5), (5, 5), (6, 5)])
def test_a_span_must_hold_time(start: int, end: int) -> None:
    with pytest.raises(ValueError, match="span"):
        Span(start, end)


@pytest.mark.parametrize("clip_ns", [0, -STEP_NS, STEP_NS + 1])
def test_a_clip_is_whole_steps(clip_ns: int) -> None:
    with pytest.raises(ValueError, match="multiple"):
        cut(SECOND_NS, clip_ns)


@pytest.mark.parametrize(
    ("text", "ns"), [("8.59", 8_590_000_000), (0.1, 100_000_000), (16.84, 16_840_000_000), (3, 3 * SECOND_NS)]
)
def test_decimal_seconds_are_exact(text: str | float, ns: int) -> None:
    assert seconds_to_ns(text) == ns


@pytest.mark.parametrize("text", ["nan", "inf", "soon", float("nan")])
def test_what_is_no_number_of_seconds_is_refused(text: str | float) -> None:
    with pytest.raises(ValueError, match="seconds"):
        seconds_to_ns(text)
