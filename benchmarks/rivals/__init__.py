"""This project beside other ways to the same features, transcripts and batches, in turns, in one run.

Other projects' packages do not install beside ours; `make rivals` gives them an environment of their own,
which is never CI's.
"""
