"""Git LFS pointers in place of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from prompt_lab import lfs

POINTER = (
    b"version https://git-lfs.github.com/spec/v1\n"
    b"oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (POINTER, True),
        (b"version https://git-lfs.github.com/spec/v1 is what a plan may speak of\n", False),
        (POINTER + b"x" * 2000, False),
        (b"", False),
    ],
)
def test_a_pointer_is_recognized_by_its_form(
    tmp_path: Path, content: bytes, *, expected: bool
) -> None:
    """A text that mentions the format, or only begins like a pointer, is none."""
    path = tmp_path / "a.json"
    path.write_bytes(content)
    assert lfs.is_pointer(content) is lfs.is_pointer_at(path) is expected
    assert not lfs.is_pointer_at(tmp_path / "absent")
