"""The wheel and the sdist hold what an installed user needs."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODEL = ("config.json", "model.safetensors", "tokenizer.json", "processor_config.json", "README.md")


@pytest.mark.slow
def test_wheel_and_sdist_contain_the_model_and_the_types(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "build", "--outdir", str(tmp_path), str(ROOT)],
        check=True, capture_output=True, timeout=600,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("contextguard_omni-*.whl")
    (sdist,) = tmp_path.glob("contextguard_omni-*.tar.gz")
    inside = set(zipfile.ZipFile(wheel).namelist())
    assert {f"contextguard/thimble/weights/{name}" for name in MODEL} <= inside
    assert "contextguard/py.typed" in inside
    assert not [name for name in inside if name.startswith(("tests/", "benchmarks/", "runs/"))]
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {f"src/contextguard/thimble/weights/{name}" for name in MODEL} <= names
    assert not [name for name in names if name.startswith(("runs/", ".venv/", "demo/"))]
