"""docs/recipes.md says of every recipe what the recipe says of itself."""

from pathlib import Path

import pytest

from recipes.recipe import Recipe
from recipes.registry import KINDS, recipes

PAGE = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text(encoding="utf-8")
SETS = """
librispeech audiocaps clotho wavcaps flickr30k coco textvqa textcaps ocrvqa gqa nextqa how2 vggsound vggss
spokencoco avsd llava videochat ego4d savebench
"""
TESTS = Path(__file__).parent


@pytest.mark.parametrize("recipe", recipes().values(), ids=lambda recipe: recipe.name)
def test_a_row_and_a_line(recipe: Recipe) -> None:
    [row] = [line for line in PAGE.splitlines() if line.startswith(f"| `{recipe.name}` |")]
    for said in (recipe.task, recipe.licence, recipe.download, recipe.needs):
        assert said.replace("|", "\\|") in row
    if recipe.assumed:
        assert f"- `{recipe.name}`: {recipe.assumed}." in PAGE


def test_every_set_of_the_field_is_there_and_each_has_its_test() -> None:
    assert set(recipes()) == set(SETS.split())
    files = {path.stem.removeprefix("test_") for kind in KINDS for path in (TESTS / kind).glob("test_*.py")}
    assert files == set(recipes())
