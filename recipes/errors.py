"""What a user can mend: a file that is not there, or not as its set publishes it."""


class RecipeError(ValueError):
    """One line: which file, which record, which field, what is wrong."""
