"""CLIP, SigLIP, EVA-CLIP and Q-Formers: descriptions, encoders, weights."""
