"""The door itself: what it loads, what it lists, what it is typed as."""

import ast
import subprocess
import sys
import textwrap
from importlib.metadata import version
from pathlib import Path

import pytest

import favor_data

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "apache_beam", "numpy", "pyarrow", "av", "transformers", "whisper", "pydantic")


def python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_it_loads_nothing_heavy() -> None:
    loaded = python("import sys, favor_data; print(*sys.modules)").split()
    assert "favor_data" in loaded
    assert not set(HEAVY) & set(loaded)


def test_reading_a_corpus_loads_no_beam_and_no_codec() -> None:
    code = """
        import sys
        from favor_data import CorpusDataset, CorpusLoader, StreamingCorpus, Synchronise, open_corpus
        print(*sys.modules)
    """
    assert not {"apache_beam", "av", "whisper", "transformers", "PIL"} & set(python(code).split())


def test_decoding_and_encoding_load_no_beam() -> None:
    code = """
        import sys
        from favor_data import decode, featurizer
        featurizer("clip:random:vit-b-32")
        print(*sys.modules)
    """
    assert "apache_beam" not in python(code).split()


def test_every_public_name_is_there_and_says_what_it_is() -> None:
    assert sorted(favor_data.__all__) == dir(favor_data)
    assert favor_data.__version__ == version("favor-data")
    for name in favor_data.__all__:
        public = getattr(favor_data, name)
        assert name == "__version__" or (public.__doc__ and public.__name__ == name)
    with pytest.raises(AttributeError, match="no attribute 'buidl'"):
        _ = favor_data.buidl


def test_type_checkers_see_every_name() -> None:
    tree = ast.parse((ROOT / "favor_data" / "__init__.py").read_text())
    [block] = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom)
            for alias in node.names}  # fmt: skip
    assert {*seen, "__version__"} == set(favor_data.__all__)
    assert seen == favor_data._HOME
    assert (ROOT / "favor_data" / "py.typed").exists()


def test_what_the_core_lacks_is_one_line() -> None:
    code = """
        import sys
        sys.modules["apache_beam"] = None
        import favor_data
        try:
            favor_data.BuildCorpus
        except ImportError as error:
            print(error)
    """
    assert python(code) == "favor_data.BuildCorpus needs apache_beam: pip install 'favor-data[build]'\n"
