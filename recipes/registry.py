"""Every recipe by its name: a module of `speech`, `captions`, `qa` or `mixed` that defines RECIPE."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

from recipes.recipe import Recipe

KINDS = ("speech", "captions", "qa", "mixed")


@cache
def recipes() -> dict[str, Recipe]:
    """Name -> recipe, by kind, then by name."""
    found: dict[str, Recipe] = {}
    for kind in KINDS:
        package = import_module(f"recipes.{kind}")
        for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda module: module.name):
            recipe: Recipe = import_module(f"recipes.{kind}.{module.name}").RECIPE
            found[recipe.name] = recipe
    return found
