"""What a machine's failure broke in this process is whole in the next one: a command that failed so begins
once more in its place. What is done lies in the cache."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from pipelines.storage import reading

_SECOND = "FAVOR_DATA_SECOND_TRY"
_DESCRIPTORS = 1 << 16
_own = False


def allow() -> None:
    """From here on: this process is the command's own, and nobody else's."""
    global _own
    _own = True


def begin(error: BaseException) -> None:
    """Never comes back, but where this process is not ours alone, or has begun afresh before."""
    if not _own or _SECOND in os.environ or "-" in sys.argv:  # what is piped in comes once
        return
    print(f"favor-data: {error}; trying once more, in a fresh process", file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    reading.discard_copies()
    os.environ[_SECOND] = "1"
    for descriptor in range(3, _DESCRIPTORS):  # a GPU's among them, which would keep its memory
        with suppress(OSError):
            os.set_inheritable(descriptor, False)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606
