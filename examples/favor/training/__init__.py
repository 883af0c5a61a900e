"""What `examples.favor.train` is made of: options, steps, ranks, evaluation, stopping."""
