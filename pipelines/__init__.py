"""The Beam job: sources -> plan -> decode -> featurize -> cache -> shards."""

import logging


def _no_word_of_absent_clouds(record: logging.LogRecord) -> bool:
    """Beam warns of cloud packages it lacks while it is imported, before anybody can ask it not to."""
    return not str(record.msg).startswith("apitools not found")


logging.getLogger().addFilter(_no_word_of_absent_clouds)
