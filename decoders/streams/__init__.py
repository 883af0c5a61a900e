"""Packets to pixels and sound."""
