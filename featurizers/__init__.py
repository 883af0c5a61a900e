"""One encoder a file: sound or frames in, features out. Beam only in `model_handler`."""
