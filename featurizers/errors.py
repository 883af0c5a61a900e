"""What can be wrong with a model that the user named."""


class ModelUnavailable(ValueError):  # noqa: N818
    """A model that the user named cannot be had. One line: what is wrong and how to mend it."""
