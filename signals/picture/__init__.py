"""Of pictures alone."""
