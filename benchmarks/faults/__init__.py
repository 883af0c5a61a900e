"""What a disk, a store and a machine can do to a build, done to it at every place where it can happen."""
