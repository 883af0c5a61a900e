"""Films as people have them: ordinary and dense, a talk, slides; short and long."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.films import H264, film, voice
from benchmarks.flashes import ffmpeg
from benchmarks.progress import told

# A zoom of 20 s, its colours turning: no frame comes twice however long the film is.
TURNING = "hue=H=t/7+{number}"
SOURCE = "mandelbrot=size=1280x720:rate=25:start_scale=3:end_scale=0.02:end_pts=500"


@dataclass(frozen=True)
class Films:
    """`count` of `seconds` each."""

    kind: str
    count: int
    seconds: int

    def __str__(self) -> str:
        return f"{self.kind}, {self.count} of {self.seconds} s"


SETS = (
    Films("ordinary", 4, 20),
    Films("dense", 4, 20),
    Films("slides", 1, 120),
    Films("ordinary", 1, 120),
    Films("talk", 4, 20),
    Films("dense", 1, 120),
    Films("talk", 1, 120),
)


def source(folder: Path) -> Path:
    """20 s of the zoom, to be made into films."""
    path = folder / "source.mkv"
    if not path.exists():
        film(path, SOURCE, "-t", "20", "-c:v", "libx264", "-preset", "ultrafast", "-qp", "12")
    return path


def make(films: Films, folder: Path) -> list[Path]:
    """720p, 25 frames a second, H.264 with B-frames and a voice as AAC; all in a folder of their own."""
    base = source(folder)
    into = folder / str(films).replace(", ", "-").replace(" ", "-")
    into.mkdir()
    paths = []
    for number in told("film to make", range(films.count), lambda _: films):
        path = into / f"{number}.mp4"
        loud = ("-af", f"volume={1 - number / 1000}", "-t", films.seconds)
        pictures = ("-stream_loop", "-1", "-i", base)
        graph, more = _pictures(films.kind, number)
        ffmpeg(*pictures, *voice(into), *loud, "-filter_complex", graph, "-map", "[v]", "-map", "1:a", *H264,
               *more, path)  # fmt: skip
        paths.append(path)
    return paths


def _pictures(kind: str, number: int) -> tuple[str, tuple[str, ...]]:
    """Filters from [0:v] to [v], and the encoder's further options."""
    turning = TURNING.format(number=number)
    match kind:
        case "ordinary":
            return f"[0:v]{turning}[v]", ()
        case "dense":  # grain, which costs bits
            return f"[0:v]{turning},noise=alls=24:allf=t[v]", ("-b:v", "13.7M", "-minrate", "12M")
        case "talk":  # a still room, and somebody in it who moves
            return (
                f"[0:v]split[a][b];[a]{turning},scale=320:360[who];[b]loop=-1:1,scale=1280:720[room];"
                "[room][who]overlay=480:360:shortest=1[v]"
            ), ()
        case "slides":  # one every ten seconds
            return f"[0:v]{turning},fps=1/10,fps=25[v]", ()
    raise ValueError(kind)
