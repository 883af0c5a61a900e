"""The signals of a corpus: made clips whose truth is known, and what the signals say of them."""
