"""What the engines need that is not Python: Beam's Prism, and Flink with Beam's job server."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "favor-data" / "runners"
BUILD = CACHE / f"beam-{version('apache-beam')}"  # once a machine, not once a checkout
JAVA_OPENS = ("java.lang", "java.net", "java.nio", "java.time", "java.util", "java.util.concurrent")


class Unavailable(Exception):  # noqa: N818
    """An engine that cannot be had on this machine: one line that says what is missing."""


def prism() -> Path:
    """Beam's Prism, built by Go from Beam's own module.

    Raises:
        Unavailable: no Go, or its module proxy is out of reach.
    """
    binary = BUILD / "bin" / "prism"
    if not binary.exists():
        module = f"github.com/apache/beam/sdks/v2/go/cmd/prism@v{version('apache-beam')}"
        # Whole or not at all: two sessions may build at a time.
        with tempfile.TemporaryDirectory(prefix="favor-data-prism-") as made:
            _run(["go", "install", module], {"GOBIN": made})
            binary.parent.mkdir(parents=True, exist_ok=True)
            staged = binary.with_name(f"prism.{os.getpid()}")
            shutil.move(Path(made) / "prism", staged)
        staged.rename(binary)
    return binary


def flink_job_server() -> Path:
    """A jar that runs portable pipelines on Flink, inside itself or on a cluster.

    Beam's own, or, where the registry lacks it, `JobServer.java` on Beam's and Flink's libraries (pom.xml).

    Raises:
        Unavailable: no Java, no Maven, or its registry is out of reach.
    """
    for jar in (BUILD / "flink" / "beam-job-server.jar", BUILD / "flink" / "job-server.jar"):
        if jar.exists():
            return jar
    try:
        return _beams_jar(BUILD / "flink" / "beam-job-server.jar")
    except Unavailable:
        return _assembled_jar(BUILD / "flink" / "job-server.jar")


def _beams_jar(jar: Path) -> Path:
    from apache_beam.options.pipeline_options import FlinkRunnerOptions

    flink = FlinkRunnerOptions.PUBLISHED_FLINK_VERSIONS[-1]
    artifact = f"org.apache.beam:beam-runners-flink-{flink}-job-server:{version('apache-beam')}"
    _run(["mvn", "-q", "-B", "dependency:copy", f"-Dartifact={artifact}", "-Dmdep.stripVersion",
          f"-DoutputDirectory={jar.parent}"])  # fmt: skip
    (jar.parent / f"beam-runners-flink-{flink}-job-server.jar").rename(jar)
    return jar


def _assembled_jar(jar: Path) -> Path:
    libraries, classes = jar.parent / "lib", jar.parent / "classes"
    shutil.rmtree(classes, ignore_errors=True)
    classes.mkdir(parents=True)
    _run(["mvn", "-q", "-B", "-f", str(HERE / "flink" / "pom.xml"), "dependency:copy-dependencies",
          "-DincludeScope=runtime", f"-DoutputDirectory={libraries}"])  # fmt: skip
    source = HERE / "flink" / "JobServer.java"
    _run(["javac", "-proc:none", "-cp", f"{libraries}/*", "-d", str(classes), str(source)])
    manifest = jar.parent / "manifest.txt"
    lines = [
        "Main-Class: JobServer",
        "Add-Opens: " + " ".join(f"java.base/{package}" for package in JAVA_OPENS),
        "Class-Path: " + " ".join(f"lib/{library.name}" for library in sorted(libraries.glob("*.jar"))),
    ]
    manifest.write_text("".join(_folded(line) for line in lines))
    _run(["jar", "cfm", str(jar), str(manifest), "-C", str(classes), "."])
    return jar


def _folded(line: str) -> str:
    """A manifest's lines have at most 72 bytes; a space continues one."""
    return line[:70] + "\n" + "".join(f" {line[i : i + 69]}\n" for i in range(70, len(line), 69))


def environment() -> dict[str, str]:
    """This process's, with our own `python` first: Beam's pool of worker processes calls what PATH names."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"}


def _run(command: list[str], more: dict[str, str] | None = None) -> None:
    if shutil.which(command[0]) is None:
        raise Unavailable(f"{command[0]} is not installed")
    done = subprocess.run(  # noqa: S603
        command, env={**os.environ, **(more or {})}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        errors = [line for line in (done.stdout + done.stderr).splitlines() if "ERROR" in line] or ["failed"]
        raise Unavailable(f"{' '.join(command[:3])}: {textwrap.shorten(errors[0], 300)}")
