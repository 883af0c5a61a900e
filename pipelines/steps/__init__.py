"""The boxes of build_corpus.py's picture, one file each."""
