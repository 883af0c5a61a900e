"""Random access to the samples of corpora: one range read each."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Collection, Sequence
from contextlib import suppress

import numpy as np
import numpy.typing as npt
from torch.utils.data import Dataset

from loaders.corpus import Corpus, Place
from loaders.extent import ExtentError, members
from loaders.sample import TrainingSample, decode, treated
from loaders.schedule.phase import Item
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
        self._fetched: dict[int, tuple[Bytes, int]] = {}  # and readings to come

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
            if not self.corpus.forget(self.corpus.place(item.row)):
                raise
            return self._decode(item, self._bytes(item.row))  # from its origin, not from this machine's cache

    def fetch(self, rows: npt.NDArray[np.int64]) -> None:
        """Brings the bytes of rows that will be read next, in long pieces from far away."""
        storage = self.corpus.storage
        wanted, readings = np.unique(rows, return_counts=True)
        places, of = zip(*self.corpus.pieces(wanted), strict=True)
        if not storage.remote:
            for place in places:
                with suppress(FileNotFoundError):  # said of the sample that is read
                    storage.will_read(*place)
            return
        for place, own, piece in zip(places, of, files.each(self._piece, places), strict=True):
            if piece is None:
                continue
            for row, count in zip(own.tolist(), readings[np.searchsorted(wanted, own)].tolist(), strict=True):
                start = int(self.corpus.offsets[row]) - place.offset
                self._fetched[row] = (piece[start : start + int(self.corpus.sizes[row])], count)

    def forget(self) -> None:
        """Lets go of what was fetched for readings that will not come."""
        self._fetched.clear()

    def _piece(self, place: Place) -> Bytes | None:
        """None: some of it is missing, which its samples will say one by one."""
        try:
            return self.corpus.read(place)
        except (EOFError, FileNotFoundError):
            return None

    def _bytes(self, row: int) -> Bytes:
        if row in self._fetched:
            data, readings = self._fetched.pop(row)
            if readings > 1:
                self._fetched[row] = (data, readings - 1)
            return data.copy()  # its own memory: a sample must not hold the whole piece
        try:
            return self.corpus.read(self.corpus.place(row))
        except EOFError as error:
            raise ExtentError(f"{self.corpus.where(row)}: {error}") from error

    def _decode(self, item: Item, data: Bytes) -> TrainingSample:
        row = item.row
        if self.verify and hashlib.sha256(data.data).hexdigest() != self.corpus.sha256(row):
            raise ExtentError(f"{self.corpus.where(row)}: not the bytes that the index has the SHA-256 of")
        try:
            return decode(self.corpus.key(row), members(data), item, self.columns)
        except ExtentError as error:
            raise ExtentError(f"{self.corpus.where(row)}: {error}") from error


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
        return treated(sample, item, sound_columns, others[other_row], others.corpus.sound_columns)

    def fetch(self, rows: npt.NDArray[np.int64]) -> None:
        """Brings what the next readings need."""
        for first, end, dataset in zip(self._first_rows, self._first_rows[1:], self._datasets, strict=False):
            own = rows[(rows >= first) & (rows < end)]
            if len(own):
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
