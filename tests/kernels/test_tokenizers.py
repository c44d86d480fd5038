"""Tokenizers that write spaces into tokens: byte-level BPE and SentencePiece."""

import copy

import numpy as np
import pytest
import tokenizers as tk
import torch
import transformers as tr
from numpy.testing import assert_allclose

from skshap import EmpiricalNTK
from tests.conftest import WORDS
from tests.oracles import tangent_kernel

TEXTS = ["the film", "a great plot", "it was very slow", "bad", "Übel, not dull!"]
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


def byte_level():
    """As of RoBERTa and GPT-2: a space is the letter Ġ at the start of a token."""
    tokenizer = tk.Tokenizer(tk.models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = tk.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tk.decoders.ByteLevel()
    trainer = tk.trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=SPECIAL,
        initial_alphabet=tk.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([f"it {word}" for word in WORDS] * 3, trainer)
    return tokenizer


def sentence_piece():
    """As of XLM-R and Llama: a space is the letter ▁ at the start of a token."""
    letters = sorted({letter for word in WORDS for letter in word} | set("Übel,!"))
    pieces = [(piece, 0.0) for piece in SPECIAL]
    pieces += [(f"▁{word}", -2.0) for word in WORDS]
    pieces += [("▁", -5.0), *((letter, -8.0) for letter in letters)]
    tokenizer = tk.Tokenizer(tk.models.Unigram(pieces, unk_id=3))
    tokenizer.pre_tokenizer = tk.pre_tokenizers.Metaspace(prepend_scheme="first")
    tokenizer.decoder = tk.decoders.Metaspace(prepend_scheme="first")
    return tokenizer


@pytest.fixture(params=[byte_level, sentence_piece], ids=["bytes", "pieces"])
def tokenizer(request):
    tokenizer = request.param()
    tokenizer.post_processor = tk.processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    names = ("bos", "pad", "eos", "unk", "mask")
    return tr.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        **{f"{n}_token": word for n, word in zip(names, SPECIAL, strict=True)},
        model_max_length=64,
        model_input_names=["input_ids", "attention_mask"],
    )


def make_model(kind, tokenizer):
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    sizes |= {"intermediate_size": 24, "max_position_embeddings": 80}
    sizes |= {"vocab_size": len(tokenizer), "pad_token_id": 1}
    sizes["tie_word_embeddings"] = False
    torch.manual_seed(0)
    name, kind = {
        "masked": ("roberta", tr.AutoModelForMaskedLM),
        "causal": ("llama", tr.AutoModelForCausalLM),
    }[kind]
    return kind.from_config(tr.AutoConfig.for_model(name, **sizes)).eval()


@pytest.mark.parametrize("kind", ["masked", "causal"])
def test_words_are_read_as_they_stand_in_the_sentence(kind, tokenizer):
    """The kernel is that of the logit of the token with its space, one by one."""
    model = make_model(kind, tokenizer)
    kernel = EmpiricalNTK(
        model,
        tokenizer=tokenizer,
        template="{text} It was {mask}.",
        label_words=["bad", "great"],
        n_frozen_layers=1,
        normalize=False,
        batch_size=2,
        max_length=64,
        dtype="float64",
    )
    K = kernel.fit_transform(TEXTS)
    (space,) = {t[0] for t in tokenizer.get_vocab() if t[1:] == "great"}
    assert space in "Ġ▁"
    word = tokenizer.convert_tokens_to_ids(f"{space}bad")
    plain = copy.deepcopy(model).double().requires_grad_(True)

    def output(text):
        if kind == "masked":
            encoded = tokenizer(f"{text} It was <mask>.", return_tensors="pt")
            at = encoded["input_ids"][0].tolist().index(tokenizer.mask_token_id)
        else:
            encoded = tokenizer(f"{text} It was", return_tensors="pt")
            at = -2  # before the special token at the end
        return plain(**encoded).logits[0, at, word]

    parameters = [
        parameter
        for name, parameter in plain.named_parameters()
        if ".1." in name or name.startswith("lm_head")
    ]
    expected = tangent_kernel(output, parameters, TEXTS)
    assert_allclose(K, expected, rtol=0, atol=1e-11 * np.abs(expected).max())


def test_words_that_are_no_token(tokenizer):
    options = {"tokenizer": tokenizer, "template": "{text} It was {mask}."}
    model = make_model("masked", tokenizer)
    for words, message in (
        (["bad", "excellent"], "'excellent', which is"),
        (["bad", " great"], "with a space of its own"),
    ):
        with pytest.raises(ValueError, match=message):
            EmpiricalNTK(model, label_words=words, **options).fit(TEXTS)


def test_the_store_knows_texts_again(tokenizer, tmp_path):
    model = make_model("masked", tokenizer)
    options = {"template": "{text} {mask}", "label_words": ["bad", "great"]}
    options["max_length"] = 64
    kernel = EmpiricalNTK(model, tokenizer=tokenizer, memory=tmp_path, **options)
    K = kernel.fit_transform(TEXTS)
    tokenizer(["film"] * 3, truncation=True, max_length=2, padding=True)
    again = EmpiricalNTK(model, tokenizer=tokenizer, memory=tmp_path, **options)
    n_files = len(list(tmp_path.rglob("*.npz")))
    assert_allclose(again.fit_transform(TEXTS), K, rtol=0)
    assert len(list(tmp_path.rglob("*.npz"))) == n_files
