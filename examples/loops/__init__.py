"""One small training a file, in the loops that people have: each goes on where it was stopped."""
