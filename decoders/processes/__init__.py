"""Decoding in processes that may be killed without taking the job with them."""
