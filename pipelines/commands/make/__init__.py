"""Subcommands that build, or say what building takes."""
