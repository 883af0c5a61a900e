"""This project beside other ways to the same features, transcripts and batches, in turns, in one run.

Other projects' packages do not install beside ours; they have an environment of their own, never CI's:

    python3.11 -m venv rivals
    rivals/bin/pip install torchcodec==0.11.* torchvision==0.26.* opencv-python-headless decord av pillow \
        openai-whisper 'transformers>=5,<6' webdataset faster-whisper megatron-energon mosaicml-streaming

torchcodec wants FFmpeg's shared libraries (4 to 8).
"""
