"""A kind of encoder a file, found by the file's name: KIND says how `KIND:MODEL` is described and loaded."""
