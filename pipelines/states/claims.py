"""New names for new shards: a number is claimed before its content appears, so no file ever changes under a
reader.

Two builds at once may want one number. The first to claim it has it; the other's file carries a digest of
what it will hold. A build that was killed and runs again claims the same for the same content, and gets the
same name.
"""

from __future__ import annotations

from collections.abc import Sequence

from schemas.digest import digest
from schemas.state import BASE, CLAIMS
from storage import files

Contents = Sequence[tuple[str, str]]  # key, digest of all that decides its bytes
_SHOWN = 8


def claim_number(output: str, number: int, contents: Contents) -> str:
    """The stem of a base shard: "000003", or "000003-5f1c2a9b" where another build has that number.

    Raises:
        StorageError.
    """
    return claim(output, BASE, f"{number:06d}", contents)


def claim(output: str, layer: str, stem: str, contents: Contents, taken: bool = False) -> str:
    """The stem of a layer's shard beside a base shard of this stem; `taken`: the state names one already.

    A digest follows a dash in a base shard's name and a dot in another layer's: so the sorted names of both
    are in the same order, and `STEM.*` finds what lies beside a base shard.

    Raises:
        StorageError.
    """
    decided = digest([[key, content] for key, content in contents])
    path = files.join(output, CLAIMS, f"{layer}-{stem}")
    if not taken:
        said = decided.encode()
        if files.create_if_absent(path, said, output) or files.read_bytes(path) == said:
            return stem
    return f"{stem}{'-' if layer == BASE else '.'}{decided[:_SHOWN]}"
