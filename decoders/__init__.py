"""Decoding: one file, one timeline, in processes that may die without taking the job with them."""

DECODERS = ("pyav", "decord", "nvdec")  # here, where the command's options find them without FFmpeg
