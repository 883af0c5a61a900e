"""faster-whisper at its best on a CPU: int8, batches of windows, greedy. Runs in the rivals' environment.

    python benchmarks/rivals/fast_whisper.py MODEL_FOLDER SOUND

Prints JSON: the seconds of loading and of transcribing, the words.
"""

from __future__ import annotations

import json
import os
import sys
import time


def main() -> None:
    """See the module."""
    from faster_whisper import BatchedInferencePipeline, WhisperModel

    began = time.perf_counter()
    model = WhisperModel(sys.argv[1], device="cpu", compute_type="int8", cpu_threads=os.cpu_count() or 1)
    pipeline = BatchedInferencePipeline(model)
    loaded = time.perf_counter()
    segments, _ = pipeline.transcribe(
        sys.argv[2], batch_size=8, beam_size=1, language="en", without_timestamps=True
    )
    words = " ".join(segment.text for segment in segments)
    print(json.dumps({"load": loaded - began, "loop": time.perf_counter() - loaded, "words": words}))


if __name__ == "__main__":
    main()
