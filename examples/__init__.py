"""Training runs that consume a corpus."""
