"""Pictures of a corpus and of one sample: for people."""
