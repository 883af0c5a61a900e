"""Hostile bytes, made by coverage (atheris), for what reads bytes here: media, wire, manifests, archives."""
