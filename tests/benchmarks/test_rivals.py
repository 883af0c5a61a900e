"""What `make bench` says of the rivals' environment, and the page that it writes."""

import subprocess
import sys

from benchmarks.rivals import environment
from benchmarks.rivals.page import page


def test_an_environment_without_the_rivals_is_named_in_one_line():
    command = [sys.executable, "-m", "benchmarks.rivals", "--python"]
    for python in ("/nonexistent/python", sys.executable):
        ended = subprocess.run([*command, python], capture_output=True, text=True, check=False)
        assert ended.returncode == 2
        assert "make rivals" in ended.stderr.splitlines()[-1]
        assert "Traceback" not in ended.stderr
    assert "torchcodec" in (environment.lacking(sys.executable) or "")


def test_ffmpeg_of_pyavs_wheel_stands_under_the_names_that_torchcodec_asks_for(tmp_path):
    folder = tmp_path / "libraries"
    found = environment.libraries(sys.executable, folder)
    assert found["LD_LIBRARY_PATH"].split(":")[0] == str(folder)
    assert {"libavcodec", "libavformat", "libavutil"} <= {
        path.name.split(".")[0] for path in folder.iterdir()
    }
    assert all(path.exists() for path in folder.iterdir())


def test_a_rival_that_wins_stands_under_one():
    taken = {"favor-data": 10.0, "script, torchcodec": 8.0}
    row = {"films": "dense, 4 of 20 s", "megabits": 13.0, "turns": 3, "load": 0.5, "cores": 2}
    row |= {"command": taken, "loop": taken, "cpu": taken}
    text = page({"machine": "2 cores", "models": ["vit-b-32", "tiny"], "features": [row]})
    assert "| dense, 4 of 20 s | 13.0 | 10.0 / 10.0 / 10.0 | 0.80 / 0.80 / 0.80 | 2 | 3 | 0.5 |" in text
