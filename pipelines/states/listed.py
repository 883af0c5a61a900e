"""What lies in the folders of a corpus, whoever put it there."""

from __future__ import annotations

from storage import files


def listed(output: str, *folders: str) -> dict[str, str]:
    """Name inside the corpus ("shards/000003.tar") -> where it lies, of every file below the folders, sorted.

    Raises:
        StorageError.
    """
    found: dict[str, str] = {}
    for folder in folders:
        root = files.join(output, folder)
        found |= {f"{folder}/{path.removeprefix(root).lstrip('/')}": path for path in files.listing(root)}
    return found
