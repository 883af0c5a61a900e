"""Whisper: its description, its encoder, its weights, its words."""
