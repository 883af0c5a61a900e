"""The contracts between rooms: the grid, manifests, samples, shards, index, ledger. No torch, no Beam."""
