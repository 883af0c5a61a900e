"""Builds that are killed, at random moments or between any two writes, and builds that meet."""
