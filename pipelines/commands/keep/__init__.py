"""Subcommands that keep a corpus and its cache in order."""
