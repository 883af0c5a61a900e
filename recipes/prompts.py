"""What is asked of a medium whose set has no questions: FAVOR's and SALMONN's published prompts.

The first of each is AVEB's (arXiv 2310.05863); the others of speech and sound are those of SALMONN's released
prompt file, those of matching the ones in video-SALMONN's released code and test list.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

SPEECH = (
    "Can you transcribe the speech into a written format?",
    "Listen to the speech and write down its content.",
    "What is the content of the speech you heard?",
    "Please write down the transcription of the speech.",
    "Please transcribe the speech into a written format.",
    "Write down the content of the speech you heard.",
    "Can you write down the transcription of the speech?",
    "Put the speech into a written format.",
    "Please help me to transcribe the speech into a written format.",
    "Recognize the content of the speech you heard.",
    "Can you recognize what you heard in the speech?",
    "Recognize the speech and write it down in a written format.",
    "Listen to the speech and recognize its content.",
    "Give me the transcription of the speech you heard.",
    "Recognize the speech and give me the transcription.",
)
SPEECH_IN_VIDEO = ("Can you transcribe the speech into text, paying attention to the video?",)
SOUND = (
    "Please describe the audio.",
    "Listen to this audio clip and provide its caption.",
    "Describe the following audio in a caption.",
    "Based on the sound you hear, create a caption for this audio.",
    "Can you describe the scene or event depicted in this audio?",
    "Could you summarise what's happening in this audio?",
    "What does this audio describe?",
)
PICTURE = ("Write a short description about this image.",)
VIDEO = ("Please describe the video.",)
SOURCE_OF_SOUND = ("What is the source of the sound?",)
VIDEO_MATCHES = (
    "Is the audio compatible with the video?",
    "Does the audio come from the same source as the video?",
    "Is the audio related to the video?",
)
PICTURE_MATCHES = (
    "Is the audio describing the image?",
    "Is the audio related to the image?",
    "Are the audio and the image about the same thing?",
)


def draw(prompts: Sequence[str], identity: str) -> str:
    """One of the prompts; the same for the same item, whatever else is in the set."""
    return prompts[zlib.crc32(identity.encode()) % len(prompts)]
