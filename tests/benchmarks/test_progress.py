"""Every benchmark says how far it is, between its steps, where it spoils neither its table nor its times."""

import re

import pytest

from benchmarks import progress
from benchmarks.loading import rounds
from tests.test_arrows import arrows, modules

SAY_IT_THEMSELVES = {
    "benchmarks.__main__": "a line before each that it runs",
    "benchmarks.fuzz.__main__": "libFuzzer does",
    "benchmarks.gpu.__main__": "a line a measurement, and pytest's own",
    "benchmarks.inside.stages": "a build in this process shows its progress",
}
RUN_BY_OTHERS = {
    "benchmarks.rivals.fast_whisper",
    "benchmarks.rivals.practitioner",
    "benchmarks.rivals.read_batches",
    "benchmarks.rivals.script",
    "benchmarks.storage.steps",
}
RUN = re.compile(r'^if __name__ == "__main__":', re.MULTILINE)
BENCHMARKS = {
    name for name, path in modules().items() if name.startswith("benchmarks") and RUN.search(path.read_text())
}


def test_a_step_is_said_before_it_begins(capsys, monkeypatch) -> None:
    monkeypatch.setattr(progress, "EVERY_S", 0)
    for step in progress.told("film", ["a.mp4", "b.mp4"], str.upper):
        said = capsys.readouterr()
        assert (said.out, said.err) == ("", f"film {'ab'.index(step[0]) + 1} of 2: {step.upper()}\n")


def test_quick_steps_are_not_all_said(capsys) -> None:
    assert list(progress.told("step", range(10_000))) == list(range(10_000))
    assert capsys.readouterr().err == "step 1 of 10000\n"


def test_nothing_is_said_while_a_reader_is_timed(capsys, monkeypatch) -> None:
    monkeypatch.setattr(progress, "EVERY_S", 0)
    heard = []

    def reader() -> int:
        heard.append(capsys.readouterr().err)
        return 1

    rounds({"ours": reader, "theirs": reader}, 2)
    turns = ("reader 1 of 2: ours", "reader 2 of 2: theirs")
    assert heard == [f"round {number} of 2, {turn}\n" for number in range(3) for turn in turns]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", sorted(BENCHMARKS - RUN_BY_OTHERS - SAY_IT_THEMSELVES.keys()))
def test_every_benchmark_says_how_far_it_is(name: str) -> None:
    known, reached, more = arrows(modules()), set[str](), {name}
    while more:
        reached |= more
        more = {target for one in more for target in known[one] if target.startswith("benchmarks")} - reached
    assert "benchmarks.progress" in reached


def test_the_exceptions_are_there() -> None:
    assert RUN_BY_OTHERS | SAY_IT_THEMSELVES.keys() <= BENCHMARKS
