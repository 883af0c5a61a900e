"""Random access to the samples of corpora: one range read each."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress

import numpy as np
import numpy.typing as npt
from torch.utils.data import Dataset

from loaders.corpus import Corpus
from loaders.extent import ExtentError, members
from loaders.opening import CorpusError
from loaders.places import Place, joined
from loaders.sample import TrainingSample, decode, treated
from loaders.schedule.phase import Batch, Item
from loaders.storage import Bytes
from storage import files


class CorpusDataset(Dataset[TrainingSample]):
    """Map-style: `dataset[i]` is row i of the corpus's table.

    Args:
        columns: which features to decode; None: all.
        verify: check every sample's SHA-256 against the index.

    Raises (by indexing):
        ExtentError: the shard does not hold what the index says.
    """

    def __init__(self, corpus: Corpus, columns: Collection[str] | None = None, verify: bool = False) -> None:
        self.corpus = corpus
        self.columns = columns
        self.verify = verify
        self._fetched: dict[int, tuple[list[Bytes], int]] = {}  # and readings to come

    def __len__(self) -> int:
        return len(self.corpus)

    def __repr__(self) -> str:
        columns = "all" if self.columns is None else ", ".join(self.columns)
        return f"<CorpusDataset of {self.corpus!r}: columns {columns}>"

    def __getitem__(self, index: int) -> TrainingSample:
        return self.read(Item(range(len(self))[index]))

    def read(self, item: Item) -> TrainingSample:
        """The sample of `item.row`, with the conversation that `item` drew."""
        try:
            return self._decode(item, self._bytes(item.row))
        except ExtentError:
            if not any([self.corpus.forget(place) for place in self._places(item.row)]):
                raise
            return self._decode(item, self._bytes(item.row))  # from its origin, not from this machine's cache

    def fetch(self, rows: npt.NDArray[np.int64]) -> None:
        """Brings the bytes of rows that will be read next, in long pieces from far away."""
        storage = self.corpus.storage
        wanted, readings = np.unique(rows, return_counts=True)
        if not storage.remote:
            for place, _ in self.corpus.pieces(wanted):
                with suppress(FileNotFoundError):  # said of the sample that is read
                    storage.will_read(*place)
            return
        places = {row: self._places(row) for row in wanted.tolist()}
        whole = self.columns is None or self.verify
        pieces = list(joined(sorted(place for several in places.values() for place in several), whole))
        fetched = dict(zip(pieces, files.each(self._piece, pieces), strict=True))
        for (row, several), count in zip(places.items(), readings.tolist(), strict=True):
            parts = [_part(place, pieces, fetched) for place in several]
            if all(part is not None for part in parts):
                self._fetched[row] = ([part for part in parts if part is not None], count)

    def forget(self) -> None:
        """Lets go of what was fetched for readings that will not come."""
        self._fetched.clear()

    def _piece(self, place: Place) -> Bytes | None:
        """None: some of it is missing, which its samples will say one by one."""
        try:
            return self.corpus.read(place)
        except (EOFError, CorpusError):
            return None

    def _places(self, row: int) -> list[Place]:
        return self.corpus.places(row, None if self.verify else self.columns)  # a digest is of whole samples

    def _bytes(self, row: int) -> Bytes:
        """All that is wanted of the sample, one place after another: members of tars all of it."""
        if row in self._fetched:
            parts, readings = self._fetched.pop(row)
            if readings > 1:
                self._fetched[row] = (parts, readings - 1)
            return np.concatenate(parts)  # a copy: a sample must not hold the whole piece in memory
        try:
            return self.corpus.read(*self._places(row))
        except EOFError as error:
            raise ExtentError(f"{self.corpus.where(row)}: {error}") from error

    def _decode(self, item: Item, data: Bytes) -> TrainingSample:
        if self.verify:
            self._check(item.row, data)
        try:
            return decode(self.corpus.key(item.row), members(data), item, self.columns)
        except ExtentError as error:
            raise ExtentError(f"{self.corpus.where(item.row)}: {error}") from error

    def _check(self, row: int, data: Bytes) -> None:
        end = 0
        for place, sha256 in zip(self._places(row), self.corpus.sha256s(row), strict=True):
            start, end = end, end + place.size
            if hashlib.sha256(data[start:end].data).hexdigest() != sha256:
                where = self.corpus.where(row)
                raise ExtentError(f"{where}: not the bytes that the index has the SHA-256 of")


def _part(place: Place, pieces: list[Place], fetched: Mapping[Place, Bytes | None]) -> Bytes | None:
    piece = pieces[bisect_right(pieces, (place.shard, place.offset), key=lambda piece: piece[:2]) - 1]
    data = fetched[piece]
    start = place.offset - piece.offset
    return None if data is None else data[start : start + place.size]


class Readings:
    """Reads items of a mixture, whose rows count through its corpora. Small when pickled."""

    def __init__(
        self, corpora: Sequence[Corpus], columns: Collection[str] | None = None, verify: bool = False
    ) -> None:
        self._datasets = [CorpusDataset(corpus, columns, verify) for corpus in corpora]
        self._first_rows = [0]
        for corpus in corpora:
            self._first_rows.append(self._first_rows[-1] + len(corpus))

    def __getitem__(self, item: Item) -> TrainingSample:
        dataset, row = self._place(item.row)
        sample = dataset.read(item if row == item.row else item._replace(row=row))
        if not item.treatment:
            return sample
        sound_columns = dataset.corpus.sound_columns
        if item.sound is None:
            return treated(sample, item, sound_columns)
        others, other_row = self._place(item.sound)
        return treated(
            sample,
            item,
            sound_columns,
            others[other_row],
            others.corpus.sound_columns,
            others.corpus.rates,
        )

    def fetch(self, batch: Batch) -> None:
        """Brings what the readings of a batch need, and what it names ahead: from far away all at once."""
        rows = batch.items[:, 0] if batch.ahead is None else batch.ahead
        if batch.items.shape[1] > 2:
            sounds = batch.items[:, 2]
            rows = np.concatenate([rows, sounds[sounds >= 0]])
        for first, end, dataset in zip(self._first_rows, self._first_rows[1:], self._datasets, strict=False):
            own = rows[(rows >= first) & (rows < end)]
            if len(own) and (dataset.corpus.storage.remote or batch.ahead is not None):
                dataset.fetch(own - first)

    def forget(self) -> None:
        """Lets go of what was fetched for readings that will not come."""
        for dataset in self._datasets:
            dataset.forget()

    def __len__(self) -> int:
        return self._first_rows[-1]

    def _place(self, row: int) -> tuple[CorpusDataset, int]:
        source = bisect_right(self._first_rows, row) - 1
        return self._datasets[source], row - self._first_rows[source]
