"""Encoders of sound beside Whisper: BEATs, and Hugging Face's audio models."""
