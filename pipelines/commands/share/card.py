"""`favor-data card OUT`: README.md with the YAML that Hugging Face reads."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from pipelines.commands.parser import Parser
from pipelines.commands.share import licences
from pipelines.commands.share.card_text import card_text
from pipelines.commands.share.contents import CARD_NAME, Contents
from pipelines.commands.share.front_matter import front_matter
from pipelines.errors import UsageError
from pipelines.jobs.rearrange import corpus_state
from pipelines.states.commit import undisturbed
from schemas.state import BUILDS
from storage import files

_BEGIN, _END = "<!-- favor-data card: begin -->", "<!-- favor-data card: end -->"
_OURS = re.compile(f"{re.escape(_BEGIN)}.*{re.escape(_END)}\n?", re.DOTALL)


def run(argv: Sequence[str]) -> int:
    """Exit status 0.

    Raises:
        UsageError: no corpus, or a README.md whose YAML cannot be read.
        StorageError.
    """
    parser = Parser(
        prog="favor-data card",
        description="Write OUT/README.md, the card of a dataset on Hugging Face's hub: features, sizes, "
        "licences of the rows and of the models, how it was made. Words of your own in it stay.",
    )
    parser.add_argument("corpus", metavar="OUT")
    output = files.absolute(parser.parse_args(argv).corpus)
    state = undisturbed(output, lambda: _written(output))
    print(f"{files.join(output, CARD_NAME)}: of state {state}")
    return 0


def _written(output: str) -> int:
    contents = Contents.of(output, corpus_state(output))
    write_card(contents)
    return contents.state.state


def write_card(contents: Contents) -> None:
    """Raises:
    UsageError: a README.md whose YAML cannot be read.
    StorageError.
    """
    models = {name: licences.of_model(column) for name, column in contents.state.columns.items()}
    text = card_text(contents, models, _libraries(contents.output))
    path = files.join(contents.output, CARD_NAME)
    standing = files.read_bytes(path).decode("utf-8", "replace") if files.exists(path) else ""
    content = card(front_matter(contents), text, standing, path)
    if content != standing:
        files.put(path, content.encode(), contents.output)


def card(said: dict[str, Any], text: str, standing: str, path: str) -> str:
    """The file: YAML and text of ours, around them what somebody wrote into `standing` by hand."""
    import yaml
    from huggingface_hub import DatasetCard

    try:
        there = DatasetCard(standing) if standing else None
        theirs = dict(there.data.__dict__) if there else {}
    except (ValueError, TypeError, AttributeError, yaml.YAMLError) as error:
        first = str(error).partition("\n")[0]
        raise UsageError(f"{path}: the YAML at its top cannot be read: {first}: mend or delete it") from error
    if said["license"] == licences.UNKNOWN:
        said = {name: value for name, value in said.items() if name != "license" or "license" not in theirs}
    tags = [*said["tags"], *(tag for tag in theirs.get("tags") or [] if tag not in said["tags"])]
    name = theirs.get("pretty_name") or said["pretty_name"]
    values = {**theirs, **said, "pretty_name": name, "tags": tags}
    head = yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=100)
    own = f"{_BEGIN}\n{text}\n{_END}\n"
    body = there.text.lstrip("\n") if there else ""
    body = _OURS.sub(lambda _: own, body, count=1) if _OURS.search(body) else body + own
    return f"---\n{head}---\n{body}"


def _libraries(output: str) -> dict[str, str]:
    """Of the newest build; nothing where no note of one is left."""
    for path in sorted(files.listing(files.join(output, BUILDS)), reverse=True):
        found: dict[str, str] = json.loads(files.read_bytes(path)).get("libraries", {})
        return found
    return {}
