"""Hostile bytes, made by coverage (atheris), for what reads bytes here: bitstreams, edit lists, the wire."""
