"""The product's own errors: what the user gave, and what storage did."""

from storage.errors import StorageError

__all__ = ["StorageError", "UsageError"]


class UsageError(ValueError):
    """One line that says what is wrong and how to mend it; the command prints it and ends with 2."""
