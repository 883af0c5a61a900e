"""Order of presentation from the pictures' types alone."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from decoders.timeline.bitstream import Picture
from decoders.timeline.scan import _ranks


def shown_by_a_decoder(bidirectional: list[bool]) -> list[int]:
    """Packets as a decoder with a delay of one picture gives them out."""
    shown, held = [], None
    for packet, at_once in enumerate(bidirectional):
        if at_once:
            shown.append(packet)
        else:
            shown += [held] if held is not None else []
            held = packet
    return [*shown, held] if held is not None else shown


@given(st.lists(st.booleans()))
def test_ranks_are_a_decoders(rest: list[bool]) -> None:
    types = [False, *rest]
    ranks = _ranks([Picture.BIDIRECTIONAL if at_once else Picture.PREDICTED for at_once in types])
    assert ranks is not None
    assert np.argsort(ranks).tolist() == shown_by_a_decoder(types)


def test_what_cannot_be_ranked_is_not() -> None:
    assert _ranks([Picture.INTRA, None, Picture.INTRA]) is None  # a packet with several pictures
    assert (
        _ranks([Picture.BIDIRECTIONAL, Picture.INTRA]) is None
    )  # begins with a picture that refers to what is not there
