"""Sets of questions."""
