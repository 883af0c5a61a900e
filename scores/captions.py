"""CIDEr, METEOR, SPICE and SPIDEr, by pycocoevalcap."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from scores.answers import Answer
from scores.measure import Measure, UnavailableError, mean

PTB = "PTB"
SIMPLE = "words in small letters, no punctuation (not PTB)"
_SPICE_MODELS = ("stanford-corenlp-3.6.0.jar", "stanford-corenlp-3.6.0-models.jar")
# What COCO's evaluation drops after tokenizing.
_DROPPED = {
    "''",
    "'",
    "``",
    "`",
    "-LRB-",
    "-RRB-",
    "-LCB-",
    "-RCB-",
    ".",
    "?",
    "!",
    ",",
    ":",
    "-",
    "--",
    "...",
    ";",
}
_TIMEOUT_S = 3600
Texts = dict[str, list[str]]


def cider(answers: Sequence[Answer]) -> Measure:
    """CIDEr-D (arXiv 1411.5726) of answers tokenized as COCO's evaluation does, by Stanford's PTB tokenizer,
    where Java is there. Where it is not, simpler tokens, and the name says so: its values cannot be compared
    with published ones.

    Document frequencies are those of the references given: of a single answer CIDEr is 0.
    """
    _package()
    from pycocoevalcap.cider.cider import Cider

    said, references, tokenizer = _tokens(tuple(answers))
    _, values = Cider().compute_score(references, said)
    name = "CIDEr" if tokenizer == PTB else "CIDEr (without the PTB tokenizer)"
    return mean(name, list(values), tokenizer)


def meteor(answers: Sequence[Answer]) -> Measure:
    """METEOR 1.5, a value of the whole; pycocoevalcap brings the jar, Java must be there."""
    _java("METEOR")
    from pycocoevalcap.meteor.meteor import Meteor

    said, references, tokenizer = _tokens(tuple(answers))
    scorer = Meteor()
    try:
        value, _ = scorer.compute_score(references, said)
    except (OSError, ValueError) as error:  # the jar's process has gone, or said something else
        raise UnavailableError(f"METEOR's jar failed: {error}") from error
    return mean("METEOR", [float(value)] * len(answers), tokenizer)


def spice(answers: Sequence[Answer]) -> Measure:
    """SPICE (arXiv 1607.08822). Its parser's models are not in the package, and are not fetched here."""
    folder = _package() / "spice" / "lib"
    _java("SPICE")
    lacking = [name for name in _SPICE_MODELS if not (folder / name).exists()]
    if lacking:
        raise UnavailableError(f"SPICE's parser is not installed: {lacking[0]} is not in {folder}")
    from pycocoevalcap.spice.spice import Spice

    said, references, tokenizer = _tokens(tuple(answers))
    try:
        _, found = Spice().compute_score(references, said)
    except (OSError, subprocess.CalledProcessError) as error:
        raise UnavailableError(f"SPICE's jar failed: {error}") from error
    return mean("SPICE", [each["All"]["f"] for each in found], tokenizer)


def spider(answers: Sequence[Answer]) -> Measure:
    """The mean of CIDEr and SPICE (arXiv 1612.00370)."""
    first, second = spice(answers), cider(answers)
    if second.tokenizer != PTB:
        raise UnavailableError("SPIDEr needs CIDEr of PTB tokens")
    return mean("SPIDEr", list((first.parts + second.parts) / 2), PTB)


def _package() -> Path:
    found = importlib.util.find_spec("pycocoevalcap")
    if found is None or not found.submodule_search_locations:
        raise UnavailableError("pycocoevalcap is not installed: pip install 'favor-data[score]'")
    return Path(next(iter(found.submodule_search_locations)))


def _java(metric: str) -> str:
    java = shutil.which("java")
    if java is None:
        raise UnavailableError(f"{metric} needs Java: there is no `java` on the path")
    return java


@lru_cache(maxsize=1)
def _tokens(answers: tuple[Answer, ...]) -> tuple[Texts, Texts, str]:
    """(answers, references, tokenizer) as pycocoevalcap wants them: a list of tokenized texts an id."""
    texts = [text for answer in answers for text in (answer.text, *answer.references)]
    try:
        tokenized, tokenizer = _ptb(texts), PTB
    except UnavailableError:
        tokenized, tokenizer = (
            [" ".join(re.findall(r"[^\W_]+(?:['-][^\W_]+)*", t.lower())) for t in texts],
            SIMPLE,
        )
    place = iter(tokenized)
    said: Texts = {}
    references: Texts = {}
    for answer in answers:
        said[answer.id] = [next(place)]
        references[answer.id] = [next(place) for _ in answer.references]
    return said, references, tokenizer


def _ptb(texts: Sequence[str]) -> list[str]:
    """Stanford's tokenizer with the options of COCO's evaluation; run here, as the package's own wrapper
    writes beside the jar and does not look whether Java failed.

    Raises:
        UnavailableError: no Java, or it failed.
    """
    java = _java("the PTB tokenizer")
    jar = _package() / "tokenizer" / "stanford-corenlp-3.4.1.jar"
    with tempfile.TemporaryDirectory(prefix="favor-data-") as folder:
        lines = Path(folder) / "lines"
        lines.write_text("".join(" ".join(text.split()) + "\n" for text in texts), encoding="utf-8")
        command = [java, "-Dfile.encoding=UTF-8", "-cp", str(jar), "edu.stanford.nlp.process.PTBTokenizer"]
        options = ["-encoding", "UTF-8", "-preserveLines", "-lowerCase", str(lines)]
        try:
            done = subprocess.run(  # noqa: S603 (java by its full path, our own arguments)
                [*command, *options], capture_output=True, check=True, timeout=_TIMEOUT_S
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise UnavailableError(f"the PTB tokenizer failed: {error}") from error
    tokenized = done.stdout.decode("utf-8", "replace").split("\n")[: len(texts)]
    if len(tokenized) != len(texts):
        raise UnavailableError(f"the PTB tokenizer gave {len(tokenized)} lines for {len(texts)}")
    return [" ".join(word for word in line.rstrip().split(" ") if word not in _DROPPED) for line in tokenized]
