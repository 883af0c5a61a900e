"""Recipes over sets of any size."""
