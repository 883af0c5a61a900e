"""FAVOR (arXiv 2310.05863) trained from a corpus: small, readable, tested piece by piece."""
