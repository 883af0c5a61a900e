"""Sets of speech."""
