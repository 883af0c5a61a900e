"""CIDEr beside its formula, the tokenizer beside pycocoevalcap's, METEOR beside its jar's own command."""

import math
import shutil
from collections import Counter

import pytest

from scores import captions
from scores.measure import UnavailableError

from .conftest import answered

needs_java = pytest.mark.skipif(shutil.which("java") is None, reason="there is no java")

METEOR = 0.13904159774969796
SUBJECTS = ["a man", "two dogs", "the old woman", "a red car", "birds"]
VERBS = ["walks past", "runs along", "stands beside", "looks at", "sits near"]
PLACES = ["a river", "the busy street", "an open door", 'the "old" house', "a child's bike"]


def pairs(count: int = 30) -> list[tuple[str, list[str]]]:
    """Captions that share some words with their references, and a few that share all or none."""

    def caption(n: int) -> str:
        return f"{SUBJECTS[n % 5]} {VERBS[n // 5 % 5]} {PLACES[(n * 3 + n // 7) % 5]}"

    made = [(caption(n), [caption(n + k) for k in (1, 5, 0, 7, 11)][: 1 + n % 5]) for n in range(count)]
    made[3] = ("Nothing, of the kind!", ["A man walks (slowly), past a river."])
    made[4] = ("", ["birds sing"])
    made[5] = (
        "It's 5:30 p.m. -- caf\u00e9's open; $3.50",
        ["It is half past five", "The caf\u00e9 is open."],
    )
    return made


def by_its_formula(said: list[str], references: list[list[str]]) -> list[float]:
    """CIDEr-D of tokenized captions (arXiv 1411.5726, sections 3 and 4): n-grams of 1 to 4, clipped,
    a Gaussian of the lengths' difference (sigma 6), times ten."""

    def grams(text: str, n: int) -> Counter:
        words = text.split()
        return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))

    values = []
    for hypothesis, texts in zip(said, references, strict=True):
        total = 0.0
        for n in range(1, 5):
            seen = Counter(g for item in references for g in {g for text in item for g in grams(text, n)})

            def weigh(counts: Counter, seen: Counter = seen) -> dict:
                return {
                    g: c * (math.log(len(references)) - math.log(max(1, seen[g]))) for g, c in counts.items()
                }

            ours = weigh(grams(hypothesis, n))
            for text in texts:
                theirs = weigh(grams(text, n))
                norm = math.hypot(*ours.values(), 0) * math.hypot(*theirs.values(), 0)
                dot = sum(min(w, theirs.get(g, 0)) * theirs.get(g, 0) for g, w in ours.items())
                # The released code compares the counts of bigrams, not of words.
                apart = len(hypothesis.split()) - len(text.split())
                if min(len(hypothesis.split()), len(text.split())) < 1:
                    apart = max(len(hypothesis.split()) - 1, 0) - max(len(text.split()) - 1, 0)
                total += (dot / norm if norm else 0) * math.exp(-(apart**2) / 72) / len(texts) / 4
        values.append(10 * total)
    return values


@needs_java
def test_cider_agrees_with_its_formula() -> None:
    answers = answered(pairs())
    found = captions.cider(answers)
    said, references, tokenizer = captions._tokens(tuple(answers))
    expected = by_its_formula([said[a.id][0] for a in answers], [references[a.id] for a in answers])
    assert found.parts.tolist() == pytest.approx(expected, abs=1e-9)
    assert (found.name, found.tokenizer, tokenizer) == ("CIDEr", "PTB", "PTB")


def test_without_java_cider_says_so_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    captions._tokens.cache_clear()
    answers = answered(pairs())
    found = captions.cider(answers)
    said, references, _ = captions._tokens(tuple(answers))
    captions._tokens.cache_clear()
    expected = by_its_formula([said[a.id][0] for a in answers], [references[a.id] for a in answers])
    assert found.parts.tolist() == pytest.approx(expected, abs=1e-9)
    assert found.name == "CIDEr (without the PTB tokenizer)"
    assert "not PTB" in found.tokenizer
    for metric in (captions.meteor, captions.spice, captions.spider):
        with pytest.raises(UnavailableError, match="Java"):
            metric(answers)


@needs_java
def test_tokens_are_those_of_pycocoevalcap() -> None:
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    texts = [text for said, references in pairs() for text in (said, *references)]
    texts += [
        "A (man) [in] {red}...",
        "don't can't I'll",
        "3,000 & 5% - ok",
        "line one\nline two",
        "\u201cquoted\u201d",
        "x\u2026",
    ]
    theirs = PTBTokenizer().tokenize({n: [{"caption": text}] for n, text in enumerate(texts)})
    assert len(texts) > 20
    assert captions._ptb(texts) == [theirs[n][0] for n in range(len(texts))]


@needs_java
def test_meteor_is_what_its_jar_says_by_itself() -> None:
    """Beside `java -jar meteor-1.5.jar SAID RIGHT -l en -norm` over the same 29 pairs, tokenized;
    here pycocoevalcap talks with it. Once: each start reads a paraphrase table for seconds."""
    answers = answered([(said, [refs[0]]) for said, refs in pairs() if said])
    assert len(answers) == 29
    assert captions.meteor(answers).value == pytest.approx(METEOR, abs=1e-6)


@needs_java
def test_spice_without_its_parser_is_unavailable_and_fetches_nothing() -> None:
    if (captions._package() / "spice" / "lib" / "stanford-corenlp-3.6.0.jar").exists():
        pytest.skip("SPICE's parser is installed here")
    with pytest.raises(UnavailableError, match=r"stanford-corenlp-3\.6\.0\.jar is not in"):
        captions.spice(answered(pairs()))
