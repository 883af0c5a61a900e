"""What the user gave and cannot be used."""


class UsageError(ValueError):
    """One line that says what is wrong and how to mend it; the command prints it and ends with 2."""
