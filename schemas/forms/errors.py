"""What is wrong with a manifest: all of it, one row, or one field."""

from __future__ import annotations


class ManifestError(ValueError):
    """A manifest that cannot be read: `FILE:LINE: field: what is wrong`."""


class RowError(ManifestError):
    """One row that is not as it should be; those after it can be read."""


class FormError(ValueError):
    """A row that is of a known form, and not as that form has it; names the field."""
