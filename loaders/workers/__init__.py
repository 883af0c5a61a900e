"""What runs beside the training process: reading and collating a step, and handing it over."""
