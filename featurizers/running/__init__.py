"""What every encoder needs to run: arithmetic, batches, checkpoints, Beam's ModelHandler."""
