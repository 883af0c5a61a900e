"""The matrix of files on which alignment is proven: container x codecs x what goes wrong in the wild."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.flashes import ffmpeg, frames, sound, write_wav

X264 = "-c:v libx264 -preset veryfast -bf 3 -g 40"
X265 = "-c:v libx265 -preset veryfast -g 40 -x265-params log-level=none:keyint=40"
VP8 = "-c:v libvpx -deadline realtime -cpu-used 8 -b:v 400k -auto-alt-ref 1 -lag-in-frames 12 -g 40"
VP9 = "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 400k -g 40"
AV1 = "-c:v libsvtav1 -preset 12 -crf 20 -g 40 -svtav1-params lookahead=16"
MPEG2 = "-c:v mpeg2video -q:v 4 -bf 2 -g 15"
MPEG4 = "-c:v mpeg4 -q:v 4 -bf 2 -g 30"
MJPEG = "-c:v mjpeg -q:v 4 -pix_fmt yuvj420p"
THEORA = "-c:v libtheora -q:v 8 -g 30"
GIF = "-c:v gif -pix_fmt gray"
AAC = "-c:a aac -b:a 96k"
MP3 = "-c:a libmp3lame -b:a 96k"
OPUS = "-c:a libopus -b:a 96k"
VORBIS = "-c:a libvorbis -q:a 5"
AC3 = "-c:a ac3 -b:a 192k"
PCM = "-c:a pcm_s16le"

# Milliseconds: the timeline is the container's; or the container says nothing of the encoder's delay.
EXACT = 5.0
# AAC primes 1024 samples (23 ms at 44.1 kHz); LAME 1105 (25 ms) with the decoder's 529; MP2 481 (11 ms).
DELAYED = 60.0


@dataclass(frozen=True)
class Case:
    """One file.

    Attributes:
        name: `<suffix>` is the container.
        encode: ffmpeg's output options.
        video, audio: whether there is that stream.
        rate, channels: of the sound that is encoded.
        late_audio, late_video: seconds cut off the stream's beginning, which then starts that late.
        audio_seconds, video_seconds: where the stream ends.
        remux: a second pass, options before and after `-i`, copying streams.
        tolerance_ms: of the sound, to the pictures.
        size: width and height as shown.
        turns, mirrored: the quarter turns, anticlockwise, and the mirror that make it as it was drawn.
    """

    name: str
    encode: str
    video: bool = True
    audio: bool = True
    fps: float = 25
    rate: int = 48_000
    channels: int = 1
    late_audio: float = 0
    late_video: float = 0
    audio_seconds: float = 5
    video_seconds: float = 5
    remux: tuple[str, str] | None = None
    tolerance_ms: float = EXACT
    size: tuple[int, int] = (160, 120)
    turns: int = 0
    mirrored: bool = False

    @property
    def seed(self) -> int:
        return zlib.crc32(self.name.encode())


def _basic() -> list[Case]:
    rows = {
        "mp4": [(X264, AAC), (X265, AAC), (AV1, OPUS), (VP9, OPUS), (MPEG4, MP3), (X264, AC3),
                (X264, "-c:a alac"), (X264, "-c:a flac"), (MJPEG, AAC), (MPEG2, MP3)],
        "mov": [(X264, PCM), ("-c:v prores_ks -profile:v 0", "-c:a pcm_s24le"), (MJPEG, PCM), (X265, AAC)],
        "mkv": [(X264, AAC), (X265, OPUS), (VP9, VORBIS), (AV1, OPUS), (MPEG4, MP3), (MPEG2, AC3),
                ("-c:v ffv1", "-c:a flac"), (THEORA, VORBIS), (VP8, VORBIS), (X264, PCM)],
        "webm": [(VP8, VORBIS), (VP9, OPUS), (AV1, OPUS)],
        "ts": [(X264, AAC), (X265, AAC), (MPEG2, "-c:a mp2"), (MPEG2, AC3), (X264, MP3), (X264, OPUS)],
        "ogv": [(THEORA, VORBIS)],
        "nut": [(MPEG4, AAC)],
        "mxf": [("-c:v mpeg2video -q:v 4 -g 1 -s 160x120", PCM)],
    }  # fmt: skip
    cases = []
    for suffix, pairs in rows.items():
        for video, audio in pairs:
            cases.append(Case(f"{_codec(video)}_{_codec(audio)}.{suffix}", f"{video} {audio}"))
    delayed = {
        "avi": [(MPEG4, MP3), (MJPEG, PCM), (X264, MP3), (MPEG4 + " -bf 0", AC3)],
        "flv": [(X264, AAC), ("-c:v flv -q:v 4", MP3)],
        "mpg": [(MPEG2, "-c:a mp2"), ("-c:v mpeg1video -q:v 4 -bf 2", "-c:a mp2")],
        "wmv": [("-c:v wmv2 -q:v 4", "-c:a wmav2")],
    }
    for suffix, pairs in delayed.items():
        for video, audio in pairs:
            name = f"{_codec(video)}_{_codec(audio)}.{suffix}"
            rate = 44_100 if suffix == "flv" else 48_000
            cases.append(Case(name, f"{video} {audio}", rate=rate, tolerance_ms=DELAYED))
    return cases


def _codec(options: str) -> str:
    return options.split()[1].removeprefix("lib").removesuffix("_ks")


def _conditions() -> list[Case]:
    return [
        *[Case(f"late_audio.{c}", f"{X264} {AAC}", late_audio=0.72)
          for c in ("mp4", "mov", "mkv", "ts", "flv")],
        *[Case(f"late_video.{c}", f"{X264} {AAC}", late_video=0.72) for c in ("mp4", "mkv", "ts")],
        Case("late_audio_opus.webm", f"{VP9} {OPUS}", late_audio=1.4),
        Case("edit_list.mp4", f"{X264} {AAC}", remux=("-ss 1.3", "")),
        Case("edit_list_hevc.mp4", f"{X265} {AAC}", remux=("-ss 1.3", "")),
        Case("edit_list.mov", f"{MPEG4} {PCM}", remux=("-ss 2.1", "")),
        Case("cut.mkv", f"{X264} {AAC}", remux=("-ss 1.7", "")),
        Case("fragmented.mp4", f"{X264} {AAC} -movflags frag_keyframe+empty_moov"),
        Case("offset.ts", f"{X264} {AAC} -output_ts_offset 1000"),
        Case("wraps.ts", f"{X264} {AAC} -output_ts_offset 95440.5"),
        Case("m2ts.m2ts", f"{X264} {AC3}"),
        Case("starts_mid_gop.ts", f"{MPEG2} -c:a mp2 -g 50", remux=("", "-bsf:v noise=drop=lt(n\\,7)")),
        Case("audio_gap.mkv", f"{X264} {OPUS}", remux=("", "-bsf:a noise=drop=between(pts*tb\\,0.9\\,1.6)")),
        Case("audio_gap.ts", f"{X264} {AAC}", remux=("", "-bsf:a noise=drop=between(pts*tb\\,2.4\\,3.1)")),
        Case("audio_gap.mp4", f"{X264} {AAC}", remux=("", "-bsf:a noise=drop=between(pts*tb\\,1.2\\,2.0)")),
        Case("video_gap.mkv", f"{MJPEG} {AAC}", remux=("", "-bsf:v noise=drop=between(pts*tb\\,1\\,1.6)")),
        *[Case(f"variable_rate.{c}", f"-vf {_VFR} -fps_mode vfr {X264} {AAC}") for c in ("mp4", "mkv", "ts")],
        Case("variable_rate_vp9.webm", f"-vf {_VFR} -fps_mode vfr {VP9} {OPUS}"),
        Case("ntsc.mp4", f"{X264} {AAC}", fps=30000 / 1001),
        Case("60fps.mkv", f"{X264} {AAC}", fps=48),
        Case("8fps.mp4", f"{X264} {AAC}", fps=8),
        Case("short_audio.mp4", f"{X264} {AAC}", audio_seconds=2.6),
        Case("short_video.mkv", f"{X264} {AAC}", video_seconds=2.6),
        Case("short_video.ts", f"{X264} {AAC}", video_seconds=2.6),
        *[Case(f"rotate_{d}.mp4", f"{X264} {AAC}", remux=(f"-display_rotation {d}", ""),
               size=(120, 160) if d % 180 else (160, 120), turns=-d // 90) for d in (90, 180, 270)],
        Case("mirrored.mp4", f"{X264} {AAC}", remux=("-display_hflip", ""), mirrored=True),
        Case("wide_pixels.mp4", f"{X264} {AAC} -vf setsar=4/3", size=(213, 120)),
        Case("interlaced.ts", f"-vf setfield=tff {MPEG2} -flags +ilme+ildct {AC3}"),
        Case("interlaced_h264.mp4", f"{X264} -x264-params tff=1 {AAC}"),
        Case("10bit.mp4", f"{X264} -pix_fmt yuv420p10le {AAC}"),
        Case("10bit_hevc.mkv", f"{X265} -pix_fmt yuv420p10le {AAC}"),
        Case("444.mp4", f"{X264} -pix_fmt yuv444p {AAC}"),
        Case("full_range.mp4", f"-vf scale=out_range=full,format=yuvj420p {X264} -color_range pc {AAC}"),
        Case("bt709.mp4", f"-vf scale=out_color_matrix=bt709 {X264} -colorspace bt709 -color_range tv {AAC}"),
        Case("rgb.mkv", f"-c:v libx264rgb -preset veryfast {AAC}"),
        *[Case(f"{n}_channels.mp4", f"{X264} {AAC}", channels=n) for n in (2, 3, 6, 8)],
        *[Case(f"{r}_hz.mkv", f"{X264} {PCM}", rate=r)
          for r in (8_000, 11_025, 22_050, 44_100, 96_000, 192_000)],
        Case("44100_hz.mp4", f"{X264} {AAC}", rate=44_100),
        Case("no_b_frames.mp4", f"{X264} -bf 0 {AAC}"),
        Case("open_gop.mkv", f"{X264} -x264-params open-gop=1:keyint=20 {AAC}"),
        Case("open_gop_hevc.mkv", f"{X265}:open-gop=1:keyint=20 {AAC}"),
        Case("temporal_layers.mkv", f"{X265}:temporal-layers=3:b-adapt=0:bframes=3 {AAC}"),
        Case("intra_refresh.mp4", f"{X264} -x264-params intra-refresh=1:keyint=20 {AAC}"),
        Case("one_gop.mp4", f"{X264} -g 9999 {AAC}"),
        Case("cover_art.mkv", f"{X264} {AAC}"),
        Case("h264.h264", X264, audio=False),
        Case("hevc.hevc", X265, audio=False),
        Case("mpeg4.m4v", MPEG4, audio=False),
        Case("vp9.ivf", VP9, audio=False),
        Case("av1.obu", AV1, audio=False),
        Case("animation.gif", GIF, audio=False),
        Case("aac.aac", AAC, video=False, tolerance_ms=DELAYED),
        Case("aac.m4a", AAC, video=False),
        Case("mp3.mp3", MP3, video=False),
        Case("opus.opus", OPUS, video=False),
        Case("vorbis.ogg", VORBIS, video=False),
        Case("flac.flac", "-c:a flac", video=False),
        Case("wav.wav", PCM, video=False),
        Case("alac.caf", "-c:a alac", video=False),
        Case("aiff.aiff", "-c:a pcm_s16be", video=False),
        Case("ac3.ac3", AC3, video=False, tolerance_ms=DELAYED),
        Case("wma.wma", "-c:a wmav2", video=False, tolerance_ms=DELAYED),
    ]  # fmt: skip


_VFR = "select=not(mod(n\\,7))+not(mod(n\\,5))+lt(mod(n\\,30)\\,9)"
CASES: Sequence[Case] = [*_basic(), *_conditions()]


def make(case: Case, folder: Path) -> Path:
    """Write the file.

    Raises:
        RuntimeError: ffmpeg cannot make it.
    """
    path = folder / case.name
    first = path if case.remux is None else folder / f"whole.{case.name}"
    inputs: list[object] = []
    stdin = None
    if case.video:
        skip = round(case.late_video * case.fps)
        pictures = frames(case.fps, case.seed)[skip : round(case.video_seconds * case.fps)]
        stdin = pictures.tobytes()
        size = f"{pictures.shape[2]}x{pictures.shape[1]}"
        rate = f"{round(case.fps * 1001)}/1001" if case.fps % 1 else int(case.fps)
        inputs += ["-itsoffset", case.late_video, "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size]
        inputs += ["-framerate", rate, "-i", "-"]
    if case.audio:
        wav = folder / f"{case.name}.source.wav"
        samples = sound(case.rate, case.seed)
        start, end = round(case.late_audio * case.rate), round(case.audio_seconds * case.rate)
        write_wav(wav, samples[start:end], case.rate, case.channels)
        inputs += ["-itsoffset", case.late_audio, "-i", wav]
    ffmpeg(*inputs, *case.encode.split(), *_pixels(case), first, stdin=stdin)
    if case.remux is not None:
        before, after = case.remux
        ffmpeg(*before.split(), "-i", first, "-c", "copy", *after.split(), path)
    return path


def _pixels(case: Case) -> list[str]:
    plain = case.video and not any(
        word in case.encode for word in ("pix_fmt", "rgb", "prores", "ffv1", "format=")
    )
    return ["-pix_fmt", "yuv420p"] if plain else []
