"""Decoding: one file, one timeline, in processes that may die without taking the job with them."""
