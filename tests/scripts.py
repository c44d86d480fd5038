"""Scripts that tests run in a process of their own."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# The cluster forks no process here: it is told to spawn, from a script of its own.
CLUSTER = """
import numpy as np
from distributed import Client, LocalCluster
from joblib import parallel_config

{setup}

def count_tasks(client):
    executed = client.run(lambda dask_worker: dask_worker.state.executed_count)
    return sum(executed.values())

if __name__ == "__main__":
    options = {{"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}}
    with LocalCluster(**options) as cluster, Client(cluster) as client:
        for settings in SETTINGS:
            here = compute(settings)
            before = count_tasks(client)
            with parallel_config(backend="dask"):
                there = compute(settings)
            assert count_tasks(client) > before  # it was there
            for ours, theirs in zip(there, here, strict=True):
                np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol={atol})
    print("equal")
"""


def run_script(code, tmp_path, *args, timeout=300):
    """Run code with some arguments, on one thread; return what it printed."""
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(code))
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    found = subprocess.run(
        [sys.executable, script, *map(str, args)],
        env={**os.environ, "PYTHONPATH": str(ROOT), **threads},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert found.returncode == 0, found.stderr
    return found.stdout.strip()


def assert_equal_on_dask(setup, tmp_path, *, atol):
    """Compare what a cluster of two workers computes with what one process does.

    Parameters
    ----------
    setup : str
        Code that defines `compute`, which returns arrays, and `SETTINGS`, a list of
        what it is called with.
    tmp_path : Path
    atol : float
    """
    pytest.importorskip("distributed", reason="the extra 'dask' is not installed")
    script = CLUSTER.format(setup=textwrap.dedent(setup), atol=atol)
    assert run_script(script, tmp_path).endswith("equal")
