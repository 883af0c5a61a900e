"""Public sets as people download them -> manifests: one file a set, found by `recipes.registry`."""
