"""Of sound alone."""
