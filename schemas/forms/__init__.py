"""Rows of LLaVA, ShareGPT, OpenAI, VideoChat, Hugging Face -> the manifest's own."""
