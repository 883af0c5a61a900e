"""Words beside openai-whisper's transcribe and faster-whisper, on the same weights, in one run."""
