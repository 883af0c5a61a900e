"""The product's own errors: what the user gave, and what storage did."""


class UsageError(ValueError):
    """One line that says what is wrong and how to mend it; the command prints it and ends with 2."""


class StorageError(Exception):
    """Reading or writing failed for a reason that lies outside the job: one line that names the file."""
