"""Which samples are held out: never a medium in both parts."""

import pyarrow as pa
import pytest

from examples.favor.selection import (
    SelectionError,
    held_out_share,
    held_out_where,
    open_selected,
    where_true,
)


def digests(corpus):
    return {d for row in corpus.table["digests"].to_pylist() for d in row.values() if d}


def test_a_corpus_by_sql_over_its_index_and_its_samples_metadata(corpus):
    assert len(open_selected(str(corpus), "steps = 10 AND list_contains(modalities, 'video')")) == 6
    chosen = open_selected(str(corpus), "id LIKE '%-with-%'")
    assert len(chosen) == 3
    assert not where_true(chosen, "metadata->>'split' = 'test'").any()
    with pytest.raises(SelectionError, match="no sample"):
        open_selected(str(corpus), "id = 'nothing'")


def test_sql_reads_nothing_but_the_corpus(corpus, tmp_path):
    (tmp_path / "other.csv").write_text("id\n1\n")
    with pytest.raises(SelectionError):
        open_selected(str(corpus), f"id IN (SELECT id FROM read_csv('{tmp_path}/other.csv'))")


def media(corpus, *digests):
    """The corpus's first rows, with these digests of video and audio."""
    table = corpus.table.slice(0, len(digests))
    structs = [{"video": video, "audio": audio, "image": None} for video, audio in digests]
    place = table.column_names.index("digests")
    table = table.set_column(
        place, table.schema.field("digests"), pa.array(structs, table.schema.field("digests").type)
    )
    return type(corpus)(corpus.root, corpus.storage, table)


def test_a_share_keeps_samples_of_one_medium_together(corpus):
    six = media(
        open_selected(str(corpus), None),
        *[("a", "b"), ("c", "c"), ("d", "b"), ("e", "e"), ("f", "e"), ("g", None)],
    )
    training, held = held_out_share(six, 0.34)
    assert len(training) + len(held) == 6
    assert len(held) >= 2
    assert not digests(training) & digests(held)
    again = held_out_share(six, 0.34)
    assert again[1].table.equals(held.table)


def test_samples_that_hang_together_cannot_be_shared_out(corpus):
    with pytest.raises(SelectionError, match="6 of 6 samples hang together"):
        held_out_share(open_selected(str(corpus), None), 0.2)


def test_a_medium_in_both_parts_is_refused_with_the_two_samples(corpus):
    six = media(
        open_selected(str(corpus), None),
        *[("a", "b"), ("c", "c"), ("d", "b"), ("e", "e"), ("f", "f"), ("g", None)],
    )
    keys = six.table["key"].to_pylist()
    with pytest.raises(SelectionError, match=f"{keys[0]} is held out, {keys[2]} is not"):
        held_out_where(six, f"key = '{keys[0]}'")
    training, held = held_out_where(six, f"key IN ('{keys[0]}', '{keys[2]}')")
    assert (len(training), len(held)) == (4, 2)
