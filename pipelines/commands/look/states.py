"""`favor-data list OUT [--urls]`: the states of a corpus, or every shard of the present one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipelines.commands.make.summary import held_text
from pipelines.commands.of_corpus import parse_of_corpus
from pipelines.commands.parser import Parser
from pipelines.errors import UsageError
from pipelines.states.commit import latest, undisturbed
from pipelines.states.derived import ensure_derived
from pipelines.states.migrate import is_version_1
from pipelines.states.restore import restore_parts
from pipelines.states.sweep import kept_states, shards_of
from schemas.corpus import INDEX_NAME
from schemas.state import BASE, KEPT, State, layer_folder
from schemas.tables import INDEX, read_rows
from storage import files


def run(argv: Sequence[str]) -> int:
    """Exit status 0.

    Raises:
        UsageError: no corpus, or a state that cannot be read.
        StorageError.
    """
    parser = Parser(
        prog="favor-data list",
        description="List the states of a corpus and the columns of the present one; with --urls, the exact "
        "shards of the present state, a line each, base shards first.",
    )
    parser.add_argument("corpus", metavar="OUT")
    parser.add_argument("--urls", action="store_true", help="where each shard lies, for any other reader")
    arguments, output = parse_of_corpus(parser, argv)
    if is_version_1(output):
        lines = list(_version_1(output, arguments.urls))
    else:
        lines = undisturbed(output, lambda: _listed(output, arguments.urls))
    for line in lines:
        print(line)
    return 0


def _listed(output: str, urls: bool) -> list[str]:
    state = latest(output)
    if state is None:
        raise UsageError(f"{output} holds no corpus: name the folder that build wrote")
    restore_parts(output, state)
    ensure_derived(output, state)  # a build may have been killed before it wrote them
    return list(_urls(output, state) if urls else _states(output, state))


def _urls(output: str, state: State) -> Iterator[str]:
    base = layer_folder(BASE)
    for shard in sorted(shards_of(output, state), key=lambda shard: (not shard.startswith(base), shard)):
        yield files.join(output, *shard.split("/"))


def _states(output: str, state: State) -> Iterator[str]:
    yield _state("present", state)
    for name, kept in sorted(kept_states(output).items()):
        yield _state(f"{KEPT} {name}", kept)
    for layer, products in sorted(state.layers.items(), key=lambda item: (item[0] != BASE, item[0])):
        yield f"{layer_folder(layer) + '/':<24}{', '.join(products) or 'conversations, metadata'}"


def _state(name: str, state: State) -> str:
    return f"{name:<24}state {state.state}: {held_text(state)}"


def _version_1(output: str, urls: bool) -> Iterator[str]:
    with files.open_read(files.join(output, INDEX_NAME)) as table:
        shards = sorted({row["shard"] for row in read_rows(table, INDEX)})
    if urls:
        yield from (files.join(output, *shard.split("/")) for shard in shards)
    else:
        yield f"{'present':<24}version 1: {len(shards)} shards (favor-data migrate makes it version 2)"
