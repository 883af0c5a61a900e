"""One way to reach files, on a disk, an object store, the web or a hub: one contract, one credential."""
