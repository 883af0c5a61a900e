"""Files, sources and the cache, on a disk or an object store."""
