"""Bytes as a file that lies nowhere."""

from __future__ import annotations

import os


class Held:
    """A path at which the bytes lie while the block runs."""

    def __init__(self, content: bytes) -> None:
        self._descriptor = os.memfd_create("fuzz")
        os.write(self._descriptor, content)

    def __enter__(self) -> str:
        return f"/proc/self/fd/{self._descriptor}"

    def __exit__(self, *exception: object) -> None:
        os.close(self._descriptor)
