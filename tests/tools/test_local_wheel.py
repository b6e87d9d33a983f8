"""The wheel of llama.cpp is found in the cache by all that determines it, or built from the pin."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_gateway.exits import USAGE
from tools import local_wheel
from tools.local_wheel import LOCK, WheelError, build_options, cache_key, pin

ROOT = Path(__file__).resolve().parents[2]


def test_lock_pins_the_source_by_its_hash() -> None:
    """One version, and at least one hash, which pip checks before it builds."""
    pinned = pin((ROOT / LOCK).read_text(encoding="utf-8"))
    assert pinned.startswith("llama-cpp-python==")
    assert "--hash=sha256:" in pinned
    assert "# via" not in pinned


def test_lock_without_it_is_an_error() -> None:
    """The message says how to make a lock that has it."""
    with pytest.raises(WheelError, match="make lock"):
        pin("numpy==2.0 \\\n    --hash=sha256:0\n")


def test_key_names_version_and_machine_and_changes_with_the_options() -> None:
    """Another version, hash or option is another wheel."""
    pinned = "llama-cpp-python==9.8.7 \\\n    --hash=sha256:0\n"
    key = cache_key(pinned, build_options())
    assert key.startswith("llama-cpp-python-9.8.7-cp3")
    assert key == cache_key(pinned, build_options())
    others = [cache_key(pinned, ["-DGGML_NATIVE=ON"]), cache_key(pinned + "#", build_options())]
    assert len({key, *others}) == 3


def test_options_fit_machines_of_this_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never this very processor, and AVX2 only where this one has it."""
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    for flags, fast in (({"avx2", "fma", "f16c", "bmi2", "avx512f"}, "ON"), ({"sse4_2"}, "OFF")):
        monkeypatch.setattr(local_wheel, "_processor_flags", lambda flags=flags: flags)
        options = build_options()
        assert "-DGGML_NATIVE=OFF" in options
        assert f"-DGGML_AVX2={fast}" in options
        assert not [option for option in options if "AVX512" in option]


def test_cached_wheel_is_used_and_a_missing_compiler_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is in the cache needs no compiler; without both, the message says what to install."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    assert local_wheel.main() == USAGE
    assert "C++ compiler" in capsys.readouterr().err
    [folder] = (tmp_path / "plumbline" / "wheels").iterdir()
    wheel = folder / "llama_cpp_python-1-py3-none-any.whl"
    wheel.touch()
    assert local_wheel.main() == 0
    assert capsys.readouterr().out.strip() == str(wheel)
