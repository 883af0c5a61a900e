#!/usr/bin/env bash
# How these corpora were made: by favor-data 0.1.0, at the commit that CHANGELOG.md names, in the folder
# /tmp/favor-data-golden (their uris say so). Kept as they are: whatever comes later must read them.
set -euo pipefail
BIN=$(cd "${1:?the folder of a virtual environment with favor-data 0.1.0}" && pwd)/bin
rm -rf /tmp/favor-data-golden && mkdir -p /tmp/favor-data-golden/media && cd /tmp/favor-data-golden
FFMPEG="$("$BIN/python" -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())') -v error -bitexact"
picture() { echo "-f lavfi -i testsrc2=size=32x24:rate=10:duration=$1"; }
sound() { echo "-f lavfi -i sine=frequency=$2:sample_rate=16000:duration=$1 -af volume=0.01"; }
X264="-c:v libx264 -threads 1 -pix_fmt yuv420p -flags +bitexact -fflags +bitexact"
$FFMPEG -f lavfi -i testsrc2=size=32x24:rate=10:duration=0.5 $(sound 0.5 440) $X264 -c:a aac media/both.mp4
$FFMPEG $(picture 0.3) $X264 media/silent.mp4
$FFMPEG $(sound 0.3 300) media/voice.flac
$FFMPEG $(sound 0.3 500) media/second.flac
$FFMPEG $(picture 0.1) -frames:v 1 media/photo.png
printf 'not a film\n' > media/broken.mp4
cat > every.jsonl <<'J'
{"id": "both", "split": "train", "video": "media/both.mp4", "start": 0.0, "end": 0.25, "conversations": [{"from": "human", "value": "What is seen?"}, {"from": "gpt", "value": "Bars."}]}
{"id": "silent", "media": "media/silent.mp4"}
{"id": "voice", "audio": "media/second.flac", "license": "CC0-1.0"}
{"id": "photo", "image": "media/photo.png", "conversations": [{"from": "human", "value": "What is it?"}, {"from": "gpt", "value": "A test picture."}]}
{"id": "spoken", "image": "media/photo.png", "audio": "media/second.flac"}
{"id": "pair", "video": "media/silent.mp4", "audio": "media/second.flac"}
{"id": "broken", "media": "media/broken.mp4"}
J
SMOKE="--whisper random:tiny --clip random:vit-b-32 --clip-tokens cls --device cpu --dtype float32"
"$BIN/favor-data" build every.jsonl --output modalities $SMOKE --keep frames,audio
"$BIN/favor-data" build media/silent.mp4 media/voice.flac --output grown $SMOKE
"$BIN/favor-data" build media/silent.mp4 media/voice.flac media/photo.png --output grown $SMOKE
"$BIN/favor-data" build media/broken.mp4 --output grown $SMOKE || test $? = 1  # nothing but a rejection
"$BIN/favor-data" build media/silent.mp4 media/second.flac --output encoders $SMOKE --encode wide=clip:random:vit-l-14
for corpus in modalities grown encoders; do "$BIN/favor-data" verify $corpus; done
