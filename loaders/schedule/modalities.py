"""Which modalities each row has, and whose sound it is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from loaders.schedule.mixture import Mixture
from schemas.media import Modality

NO_PICTURES, VIDEO, IMAGE = range(3)
SOUND = 4  # added to one of these


@dataclass(frozen=True)
class Modalities:
    """Of all rows of a mixture."""

    mixture: Mixture

    @cached_property
    def pictures(self) -> npt.NDArray[np.int8]:
        """int8 [rows]: NO_PICTURES, VIDEO or IMAGE."""
        return self._of_sources(_pictures).astype(np.int8)

    @cached_property
    def sound(self) -> npt.NDArray[np.bool_]:
        """bool [rows]: some step has sound."""
        return self._of_sources(lambda table: table["audio_steps"].to_numpy() > 0)

    @cached_property
    def codes(self) -> npt.NDArray[np.int8]:
        """int8 [rows]: the pictures' kind, plus SOUND where there is some."""
        return (self.pictures + SOUND * self.sound).astype(np.int8)

    @cached_property
    def recordings(self) -> npt.NDArray[np.int64]:
        """int64 [rows]: the same number for rows whose sound comes from the same file."""
        digests = pa.chunked_array(
            [
                pc.coalesce(pc.struct_field(chunk, "audio"), pc.struct_field(chunk, "video"), pa.scalar(""))
                for corpus in self.mixture.corpora
                for chunk in corpus.table["digests"].chunks
            ]
        )
        codes = digests.combine_chunks().dictionary_encode().indices
        return np.asarray(codes.to_numpy(zero_copy_only=False), np.int64)

    def _of_sources(self, function: Any) -> npt.NDArray[Any]:
        return np.concatenate([np.asarray(function(corpus.table)) for corpus in self.mixture.corpora])


def _pictures(table: pa.Table) -> npt.NDArray[Any]:
    kinds = np.where(table["visual_steps"].to_numpy() > 0, VIDEO, NO_PICTURES)
    modalities = table["modalities"].combine_chunks()
    rows = pc.list_parent_indices(modalities).to_numpy(zero_copy_only=False)
    images = pc.equal(pc.list_flatten(modalities), str(Modality.IMAGE)).to_numpy(zero_copy_only=False)
    kinds[rows[images]] = IMAGE
    return kinds
