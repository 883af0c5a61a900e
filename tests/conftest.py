"""What all tests share."""

from benchmarks.kills.remembered import remember

remember()
