"""Sets of captions: of sounds, pictures, films."""
