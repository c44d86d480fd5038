"""A tiny BERT, and kernels of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from skshap.kernels import EmpiricalNTK
from tests.conftest import make_encoder


@pytest.fixture(scope="module")
def bert():
    return make_encoder("bert")


@pytest.fixture
def make(bert, tiny_tokenizer):
    """Makes a kernel of the tiny BERT, or of another model; keywords override."""

    def make(model=bert, **kwargs):
        defaults = {
            "tokenizer": tiny_tokenizer,
            "max_length": 32,
            "dtype": "float64",
            "random_state": 0,
        }
        return EmpiricalNTK(model, **defaults | kwargs)

    return make


def files(folder):
    """Files below a folder, sorted."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def printed_elsewhere(code, path):
    """Return what code prints of a path in another process."""
    return subprocess.run(
        [sys.executable, "-c", code, str(path)],
        env={**os.environ, "PYTHONHASHSEED": "1"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
