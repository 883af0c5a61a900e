"""Of sound and pictures that belong together, or do not."""
