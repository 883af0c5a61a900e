"""The Beam job: sources -> plan -> decode -> featurize -> cache -> shards."""
