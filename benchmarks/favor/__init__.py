"""FAVOR's data beside what its released code makes of the same media."""
