"""Builds llama.cpp's wheel for `make local` once, and keeps it in the user's cache.

It is built from the pinned source for any machine of this kind (AVX2 where this one has it), not
for this very processor, so that a cache which several machines share stays usable.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
from platformdirs import user_cache_path

from model_gateway.errors import PlumblineError
from model_gateway.exits import OK, exit_code, say
from model_gateway.serving.settings import usable_cores

PACKAGE = "llama-cpp-python"
LOCK = Path("requirements-local.lock")
_LEAN = Path(__file__).with_suffix(".cmake")
_CPU_MINUTES = 4
_BYTES_FOR_A_JOB = 1_500_000_000
_STEP = re.compile(r"^\s*\[(\d+)/(\d+)\]")
_SECONDS_BETWEEN_LINES = 15.0
_FAST = {"avx2", "fma", "f16c", "bmi2"}


class WheelError(PlumblineError):
    """The wheel cannot be built."""


def main() -> int:
    """Print the path of the wheel, after building it if it is not in the cache."""
    return exit_code(_run)


def _run() -> int:
    print(wheel())
    return OK


def wheel(lock: Path = LOCK) -> Path:
    """Return the wheel of the version that `lock` pins.

    Raises:
        WheelError: it is not in the cache and cannot be built.
    """
    pinned = pin(lock.read_text(encoding="utf-8"))
    folder = user_cache_path("plumbline") / "wheels" / cache_key(pinned, build_options())
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as one_at_a_time:
        try:
            fcntl.flock(one_at_a_time, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say(f"Another process is building {PACKAGE}; waiting for it ...")
            fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        built = sorted(folder.glob("*.whl"))
        if not built:
            _build(pinned, folder)
            built = sorted(folder.glob("*.whl"))
    return built[0]


def pin(lock: str) -> str:
    """Return the part of a lock file that pins the package: its version and hashes.

    Raises:
        WheelError: there is none.
    """
    match = re.search(rf"^{PACKAGE}==[^\n\\]*(?:\\\n[^\n\\]*)*", lock, re.MULTILINE)
    if match is None:
        raise WheelError(f"{LOCK} does not pin {PACKAGE}. Write it again with `make lock`.")
    return match[0] + "\n"


def build_options() -> list[str]:
    """Return the options for CMake: all that determines what the wheel can run on."""
    options = ["-DLLAVA_BUILD=OFF", "-DGGML_NATIVE=OFF"]
    if platform.machine().lower() in {"x86_64", "amd64"}:
        fast = "ON" if _processor_flags() >= _FAST else "OFF"
        options += [f"-DGGML_{name}={fast}" for name in ("AVX", "AVX2", "FMA", "F16C", "BMI2")]
    return options


def cache_key(pinned: str, options: list[str]) -> str:
    """Return the folder's name: version, Python, machine, and a digest of how it was built."""
    version = pinned.partition("==")[2].split()[0]
    libc = "".join(platform.libc_ver())
    built = "\n".join([pinned, *options, _LEAN.read_text(encoding="utf-8")])
    digest = hashlib.sha256(built.encode()).hexdigest()[:12]
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    system = f"{platform.system().lower()}-{platform.machine()}-{libc}".rstrip("-")
    return f"{PACKAGE}-{version}-{python}-{system}-{digest}"


def _processor_flags() -> set[str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return set()
    match = re.search(r"^flags\s*:(.*)$", text, re.MULTILINE)
    return set(match[1].split()) if match else set()


def _build(pinned: str, folder: Path) -> None:
    compiler = os.environ.get("CXX") or "c++"
    if shutil.which(compiler) is None and shutil.which("g++") is None:
        raise WheelError(
            f"llama.cpp is built from source, and there is no C++ compiler ({compiler}). Install "
            "one (apt-get install g++, or xcode-select --install) and say make local again."
        )
    jobs = int(os.environ.get("CMAKE_BUILD_PARALLEL_LEVEL") or _jobs())
    say(
        f"Building llama.cpp from source: once, about {-(-_CPU_MINUTES // jobs)} min if {jobs} of "
        f"the machine's cores are idle. It is kept in {folder}."
    )
    began = time.monotonic()
    with tempfile.TemporaryDirectory(dir=folder, prefix="building-") as work:
        log = folder / "build.log"
        (Path(work) / "pinned.txt").write_text(pinned, encoding="utf-8")
        words = [
            *(["nice"] if shutil.which("nice") else []),
            sys.executable, "-m", "pip", "wheel", "--verbose", "--no-deps", "--no-cache-dir",
            "--no-build-isolation", "--disable-pip-version-check", "--require-hashes",
            "--wheel-dir", work, "--requirement", f"{work}/pinned.txt",
        ]  # fmt: skip
        process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            env=_environment(jobs),
        )  # fmt: skip
        if process.stdout is not None:
            with log.open("wb") as file:
                _show(_written(process.stdout, file), began)
        if process.wait() != 0:
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
            raise WheelError(
                "llama.cpp could not be built. The last lines of "
                f"{log}:\n  " + "\n  ".join(line[:200] for line in lines[-8:])
            )
        for built in Path(work).glob("*.whl"):
            built.replace(folder / built.name)
    say(f"Built llama.cpp in {(time.monotonic() - began) / 60:.1f} min.")


def _environment(jobs: int) -> Mapping[str, str]:
    # CMake and Ninja are those of the lock, beside this Python.
    beside = str(Path(sys.executable).parent)
    return {
        **os.environ,
        "PATH": os.pathsep.join([beside, os.environ.get("PATH", "")]),
        "CMAKE_BUILD_PARALLEL_LEVEL": str(jobs),
        "CMAKE_ARGS": " ".join(
            [*build_options(), f"-DCMAKE_PROJECT_llama.cpp_INCLUDE={_LEAN.resolve()}"]
        ),
        "CMAKE_GENERATOR": "Ninja",
    }


def _jobs() -> int:
    return max(1, min(usable_cores(), psutil.virtual_memory().total // _BYTES_FOR_A_JOB))


def _written(stream: Iterator[bytes], file: object) -> Iterator[str]:
    for line in stream:
        file.write(line)  # type: ignore[attr-defined]
        yield line.decode("utf-8", "replace")


def _show(lines: Iterator[str], began: float) -> None:
    """Say every few seconds how far the build is."""
    said = began
    for line in lines:
        step = _STEP.match(line)
        now = time.monotonic()
        if step is not None and now - said > _SECONDS_BETWEEN_LINES:
            said = now
            say(f"  {step[1]} of {step[2]} parts, {(now - began) / 60:.1f} min")


if __name__ == "__main__":
    raise SystemExit(main())
