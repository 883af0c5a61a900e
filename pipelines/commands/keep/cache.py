"""`favor-data cache stats|prune OUT… [--cache DIR]`: what a feature cache holds, and what nobody needs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from pipelines.commands import options
from pipelines.commands.make.summary import bytes_text
from pipelines.commands.parser import Parser
from pipelines.errors import UsageError
from pipelines.products import products_of_build
from pipelines.settle import entries_of
from pipelines.states.commit import latest
from pipelines.states.migrate import is_version_1
from pipelines.states.parts import Parts
from pipelines.states.sweep import at_work
from pipelines.steps.cuts.find import CUTS_SUFFIX
from pipelines.steps.probe import MEMO_SUFFIX
from pipelines.storage.beam_options import adopt
from schemas.corpus import CACHE_NAME, CORPUS_NAME, INDEX_NAME, Corpus
from schemas.rows import Row
from schemas.tables import INDEX, read_rows
from storage import files


def run(argv: Sequence[str]) -> int:
    """Exit status 0.

    Raises:
        UsageError: no cache, no corpus.
    """
    parser = Parser(prog="favor-data cache", description="Look into a feature cache, or shrink it.")
    parser.add_argument("action", choices=("stats", "prune"))
    parser.add_argument("corpora", nargs="+", metavar="OUT", help="every corpus that uses the cache")
    parser.add_argument("--cache", metavar="DIR", help="the cache, if it lies elsewhere (OUT/cache)")
    parser.add_argument("--dry-run", action="store_true", help="say what prune would drop, and drop nothing")
    arguments, beams = options.parse_with_beam(parser, argv)
    adopt(beams, options.warn)
    corpora = [files.absolute(corpus) for corpus in arguments.corpora]
    if len(corpora) > 1 and not arguments.cache:
        raise UsageError("several corpora share a cache that lies elsewhere: name it with --cache")
    root = files.absolute(arguments.cache) if arguments.cache else files.join(corpora[0], CACHE_NAME)
    needed = {name for corpus in corpora for name in needed_entries(corpus)}
    staging = files.join(root, files.STAGING)
    listed = files.listing(root).items()
    entries = {path: entry.size for path, entry in listed if files.split(path)[0] != staging}
    if arguments.action == "stats":
        print(_stats(root, entries, needed))
        return 0
    dropped = {path: size for path, size in entries.items() if not _keep(path, needed)}
    if not arguments.dry_run:
        files.delete_many(list(dropped))
    would = "would be " if arguments.dry_run else ""
    share = f"{len(dropped)} of {len(entries)} entries, {bytes_text(sum(dropped.values()))}"
    print(f"{root}: {share} {would}dropped")
    return 0


def needed_entries(corpus: str) -> Iterator[str]:
    """Names of the entries that a corpus's samples were made of, with its present columns.

    Raises:
        UsageError: no corpus there, or a build is at work on it, whose entries nobody names yet.
    """
    if is_version_1(corpus):
        described = Corpus.model_validate_json(files.read_bytes(files.join(corpus, CORPUS_NAME)))
        products = products_of_build(described.columns, described.options)
        with files.open_read(files.join(corpus, INDEX_NAME)) as table:
            rows: Iterator[Row] = iter(read_rows(table, INDEX))
    else:
        state = latest(corpus)
        if state is None:
            raise UsageError(f"{corpus} holds no corpus: name the folder that build wrote")
        products = products_of_build(state.columns, state.options)
        rows = (row for part in state.index for row in Parts(corpus).index(part))
    if at_work(corpus):
        raise UsageError(f"a build is at work on {corpus}: wait for its end")
    for row in rows:
        yield from entries_of(row, products)


def _stats(root: str, entries: dict[str, int], needed: set[str]) -> str:
    kinds: dict[str, list[int]] = defaultdict(list)
    for path, size in entries.items():
        kinds[path.rpartition(".")[2]].append(size)
    lines = [
        f"  {kind:<5}{len(sizes):>9} entries {bytes_text(sum(sizes)):>10}"
        for kind, sizes in sorted(kinds.items())
    ]
    used = {path: size for path, size in entries.items() if _name(path) in needed}
    lines.append(f"  all  {len(entries):>9} entries {bytes_text(sum(entries.values())):>10}")
    lines.append(f"  used {len(used):>9} entries {bytes_text(sum(used.values())):>10} by the corpora named")
    return "\n".join([root, *lines])


def _keep(path: str, needed: set[str]) -> bool:
    """What was found by a look at a file is small, and serves builds to come."""
    return _name(path) in needed or path.endswith((f".{MEMO_SUFFIX}", f".{CUTS_SUFFIX}"))


def _name(path: str) -> str:
    return files.split(path)[1]
