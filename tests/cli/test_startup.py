"""What a shell sees: exit codes, start-up cost, and stdout that holds JSON alone."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from contextguard import __version__

HEAVY = ("torch", "transformers", "numpy", "av", "matplotlib")


def shell(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "contextguard", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    "code",
    [
        "import contextguard",
        "import contextguard.cli; contextguard.cli.run(['--help'])",
        "import contextguard.cli; contextguard.cli.run(['ask', '--help'])",
    ],
)
def test_import_and_help_load_nothing_heavy(code):
    check = f"import sys; print(); print([m for m in {HEAVY} if m in sys.modules])"
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; {check}"], capture_output=True, text=True, check=True
    )
    print(f"{code}: {time.perf_counter() - begin:.2f} s")
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_shows_examples():
    for command in ([], ["ask"], ["inspect"]):
        done = shell(*command, "--help")
        assert done.returncode == 0
        assert "contextguard ask clip.mp4" in done.stdout or "inspect clip.mp4 -o" in done.stdout
        assert done.stderr == ""


def test_version():
    done = shell("--version")
    assert (done.returncode, done.stdout) == (0, f"contextguard {__version__}\n")


def test_an_error_is_one_line_and_exit_code_2(tmp_path):
    text = tmp_path / "notes.mp4"
    text.write_text("not a video\n")
    done = shell("ask", str(text), "what is shown ?", "--json")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"error: {text}: not a readable video file")
    assert done.stderr.count("\n") == 1


def test_json_is_one_object_and_nothing_else(bunny, tmp_path):
    picture = tmp_path / "plan.png"
    arguments = ["ask", str(bunny), "which sound is heard ?", "--json", "--max-new-tokens", "2"]
    code = (
        "import sys; from contextguard.cli import run; "
        f"code = run({[*arguments, '--picture', str(picture)]!r}); "
        "assert 'matplotlib.pyplot' not in sys.modules; sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert set(json.loads(done.stdout)) == {
        "answer",
        "model",
        "method",
        "settings",
        "tokens",
        "compression",
        "seconds",
        "segments",
        "groups",
        "warnings",
    }
