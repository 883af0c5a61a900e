"""What all tests share."""

from benchmarks.remembered import remember

remember()
