"""An empty hub on loopback for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.storage.hub import Hub, loopback


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with loopback(tmp_path / "hf") as found:
        yield found
