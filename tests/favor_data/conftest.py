"""The pipelines' media, models and corpora."""

from ..pipelines.conftest import clip, corpus, features, files, media, read_samples

__all__ = ["clip", "corpus", "features", "files", "media", "read_samples"]
