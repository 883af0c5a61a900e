"""Subcommands that look at a corpus and change nothing."""
