"""The report of a large corpus: how long to make, how large, how long to open."""
