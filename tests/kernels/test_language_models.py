"""Kernels of language models read by words, of decoders and of adapters."""

import copy
from functools import partial

import numpy as np
import pytest
import torch
import transformers as tr
from numpy.testing import assert_allclose, assert_array_equal

from skshap import EmpiricalNTK, KernelRidgeClassifier
from skshap.exceptions import (
    ModelNotFoundError,
    SmallerBatchWarning,
    TruncatedTextWarning,
)
from skshap.nn._template import make_template
from tests.conftest import WORDS
from tests.oracles import tangent_kernel

SIZES = {
    "vocab_size": 60,
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "tie_word_embeddings": False,
}
MASKED = {
    "bert": ("bert", "cls."),
    "roberta": ("roberta", "lm_head."),
    "mpnet": ("mpnet", "lm_head."),
    "distilbert": ("distilbert", "vocab_"),
    "mobilebert": ("mobilebert", "cls."),
}
WORDS_OF_LABELS = ["bad", "great"]


def make_masked(family):
    """A random masked language model whose output layer has weights of its own."""
    torch.manual_seed(0)
    own = {"embedding_size": 8, "intra_bottleneck_size": 8}  # of MobileBERT
    own = own if family == "mobilebert" else {}
    config = tr.AutoConfig.for_model(family, **SIZES, **own)
    model = tr.AutoModelForMaskedLM.from_config(config).eval()
    with torch.no_grad():  # biases are zero when fresh
        for parameter in model.parameters():
            parameter += 0.02 * torch.randn_like(parameter)
    return model


@pytest.fixture(scope="module")
def llama():
    torch.manual_seed(0)
    config = tr.LlamaConfig(**SIZES, num_key_value_heads=1)
    return tr.LlamaForCausalLM(config).eval()


@pytest.fixture
def make(make):
    """Makes the kernel of a language model; keywords override."""
    options = {"label_words": WORDS_OF_LABELS, "normalize": False, "batch_size": 4}
    return partial(make, **options)


def names_of_layers(model, n_frozen):
    """Names of the parameters of the layers from `n_frozen` on."""
    return [
        name
        for name, _ in model.named_parameters()
        if any(f"layer{s}.{k}." in name for s in ("", "s") for k in range(n_frozen, 3))
    ]


def naive(model, tokenizer, sentences, names, word, *, place=None):
    """The kernel of one word's logit, by one backward pass a sentence.

    `place` is where it is read; None is where the mask stands.
    """
    model = copy.deepcopy(model).double().requires_grad_(True)
    word = tokenizer.convert_tokens_to_ids(word)

    def output(sentence):
        encoded = tokenizer(sentence, return_tensors="pt")
        at = place
        if at is None:
            ids = encoded["input_ids"][0].tolist()
            at = ids.index(tokenizer.mask_token_id)
        return model(**encoded).logits[0, at, word]

    parameters = [model.get_parameter(name) for name in names]
    return tangent_kernel(output, parameters, sentences)


def assert_close(K, expected):
    assert_allclose(K, expected, rtol=0, atol=1e-11 * np.abs(expected).max())


@pytest.mark.parametrize("family", MASKED)
def test_masked_model(family, make, tiny_tokenizer, tiny_texts):
    model, (_, head) = make_masked(family), MASKED[family]
    kernel = make(model, template="the {text} was {mask} .", n_frozen_layers=1)
    if family == "mobilebert":  # which reads the padding behind the last token
        kernel.set_params(batch_size=1)
    K = kernel.fit_transform(tiny_texts)
    sentences = [f"the {text} was [MASK] ." for text in tiny_texts]
    names = names_of_layers(model, 1)
    names += [name for name, _ in model.named_parameters() if name.startswith(head)]
    assert len(names) > 16 * 2
    assert_close(K, naive(model, tiny_tokenizer, sentences, names, "bad"))
    assert_close(kernel.transform(tiny_texts[:2]), K[:2])


def test_relative_positions_that_rows_share(make, tiny_tokenizer, tiny_texts):
    """DeBERTa's layers read positions that all rows have in common: rows go alone."""
    own = {"relative_attention": True, "pos_att_type": ["p2c", "c2p"]}
    own |= {"share_att_key": True, "position_buckets": 8, "pooler_hidden_size": 16}
    torch.manual_seed(0)
    config = tr.AutoConfig.for_model("deberta-v2", **SIZES, **own)
    model = tr.AutoModelForMaskedLM.from_config(config).eval()
    kernel = make(model, template="the {text} was {mask} .", n_frozen_layers=1)
    with pytest.warns(SmallerBatchWarning, match="each goes alone"):
        K = kernel.fit_transform(tiny_texts)
    sentences = [f"the {text} was [MASK] ." for text in tiny_texts]
    names = names_of_layers(model, 1)
    names += [name for name, _ in model.named_parameters() if name.startswith("cls.")]
    assert_close(K, naive(model, tiny_tokenizer, sentences, names, "bad"))


def test_embeddings_count_if_asked_for(make, tiny_tokenizer, tiny_texts):
    model = make_masked("bert")
    kernel = make(
        model, template="{text} was {mask}", parameters="all", n_frozen_layers=2
    )
    K = kernel.fit_transform(tiny_texts)
    sentences = [f"{text} was [MASK]" for text in tiny_texts]
    names = [
        name
        for name, _ in model.named_parameters()
        if "layer.0" not in name and "layer.1" not in name
    ]
    assert any("word_embeddings" in name for name in names)
    assert_close(K, naive(model, tiny_tokenizer, sentences, names, "bad"))


def test_outputs_are_those_of_the_words(make, tiny_tokenizer, tiny_texts):
    model = make_masked("bert")
    options = {"template": "{text} {mask}", "parameters": "feedforward"}
    sentences = [f"{text} [MASK]" for text in tiny_texts]
    names = [n for n in names_of_layers(model, 2) if ".attention." not in n]
    names = [n for n in names if "LayerNorm" not in n]
    each = [
        naive(model, tiny_tokenizer, sentences, names, word) for word in WORDS_OF_LABELS
    ]
    K = make(model, **options, outputs="mean").fit_transform(tiny_texts)
    assert_close(K, sum(each) / 2)
    swapped = make(model, **options, label_words=WORDS_OF_LABELS[::-1])
    assert_close(swapped.fit_transform(tiny_texts), each[1])


def test_tied_output_layer_has_weights_of_its_own(make, tiny_texts):
    """As in the paper's code, which puts a layer of these words in place of all."""
    model = make_masked("bert")
    tied = copy.deepcopy(model)
    tied.config.tie_word_embeddings = True
    tied.tie_weights()
    table = tied.bert.embeddings.word_embeddings.weight
    assert tied.cls.predictions.decoder.weight is table
    with torch.no_grad():
        model.bert.embeddings.word_embeddings.weight.copy_(table)
        model.cls.predictions.decoder.weight.copy_(table)
        model.cls.predictions.decoder.bias.copy_(tied.cls.predictions.decoder.bias)
    options = {"template": "{text} {mask}", "parameters": "all"}
    K = make(tied, **options).fit_transform(tiny_texts)
    assert_close(K, make(model, **options).fit_transform(tiny_texts))


def test_pairs(make, tiny_tokenizer):
    model = make_masked("bert")
    pairs = [("the film.", "The plot"), ("a story!", "Bad acting"), ("dull", "a")]
    kernel = make(model, template="{first:bare}? {mask}, {second:lower}")
    K = kernel.fit_transform(pairs)
    sentences = [
        "the film? [MASK], the plot",
        "a story? [MASK], bad acting",
        "dull? [MASK], a",
    ]
    head = [name for name, _ in model.named_parameters() if name.startswith("cls.")]
    names = names_of_layers(model, 2) + head
    assert_close(K, naive(model, tiny_tokenizer, sentences, names, "bad"))


def test_mask_within_a_text(make, tiny_tokenizer):
    model = make_masked("bert")
    texts = ["the [MASK] film", "the film"]
    K = make(model, template="{text} was {mask} .").fit_transform(texts)
    # The last mask is the blank: read by counting from the end.
    head = [name for name, _ in model.named_parameters() if name.startswith("cls.")]
    names = names_of_layers(model, 2) + head
    sentences = [f"{text} was [MASK] ." for text in texts]
    expected = naive(model, tiny_tokenizer, sentences, names, "bad", place=-3)
    assert_close(K, expected)


def test_causal_model_reads_up_to_the_blank(llama, make, tiny_tokenizer, tiny_texts):
    options = {"n_frozen_layers": 1}
    K = make(llama, template="{text} was {mask}", **options).fit_transform(tiny_texts)
    names = [*names_of_layers(llama, 1), "lm_head.weight"]
    sentences = [f"{text} was" for text in tiny_texts]
    # Before the tokenizer's last special token.
    expected = naive(llama, tiny_tokenizer, sentences, names, "bad", place=-2)
    assert_close(K, expected)
    longer = make(llama, template="{text} was {mask} . the", **options)
    assert_close(longer.fit_transform(tiny_texts), expected)


def test_decoder_without_a_template(llama, make, tiny_tokenizer, tiny_texts):
    decoder = llama.model
    kernel = make(decoder, label_words=None, n_frozen_layers=2)
    K = kernel.fit_transform(tiny_texts)
    head = kernel._gradients.network.head
    model = copy.deepcopy(decoder).double().requires_grad_(True)
    weight = head.weight.detach().clone().requires_grad_()
    bias = torch.zeros(1, dtype=torch.float64, requires_grad=True)

    def output(text):
        states = model(**tiny_tokenizer(text, return_tensors="pt")).last_hidden_state
        return weight[0] @ states[0, -1] + bias[0]

    parameters = [p for n, p in model.named_parameters() if "layers.2." in n]
    assert_close(K, tangent_kernel(output, [*parameters, weight, bias], tiny_texts))
    first = make(decoder, label_words=None, readout="mean", n_frozen_layers=2)
    assert np.abs(first.fit_transform(tiny_texts) - K).max() > 1e-3 * np.abs(K).max()


@pytest.mark.parametrize("has_words", [True, False])
def test_adapters(has_words, llama, make, tiny_tokenizer, tiny_texts):
    """The gradient of B is that of the weight times A': B starts at zero."""
    pytest.importorskip("peft", reason="adapters are in the extra lora")
    lora = {"r": 2, "lora_alpha": 6, "target_modules": ["q_proj", "down_proj"]}
    options = {"parameters": "lora", "lora_params": lora, "n_frozen_layers": 1}
    if has_words:
        kernel = make(llama, template="{text} was {mask}", **options)
    else:
        kernel = make(llama.model, label_words=None, **options)
    K = kernel.fit_transform(tiny_texts)
    network = kernel._gradients.network
    factors = {
        name.split("model.")[-1].removeprefix("encoder."): parameter
        for name, parameter in network.named_parameters()
        if "lora_A" in name
    }
    model = copy.deepcopy(llama).double().requires_grad_(True)
    named = {
        f"layers.{i}.{m}" for i in (1, 2) for m in ("self_attn.q_proj", "mlp.down_proj")
    }
    weights = {name: model.model.get_submodule(name).weight for name in named}
    gradients = []
    for text in tiny_texts:
        sentence = f"{text} was" if has_words else text
        encoded = tiny_tokenizer(sentence, return_tensors="pt")
        if has_words:
            head = model.lm_head.weight
            word = tiny_tokenizer.convert_tokens_to_ids("bad")
            output = model(**encoded).logits[0, -2, word]
        else:
            head = network.head.weight.detach().clone().requires_grad_()
            output = head[0] @ model.model(**encoded).last_hidden_state[0, -1]
        found = torch.autograd.grad(output, [head, *weights.values()])
        parts = [found[0].flatten()] + [torch.ones(1)] * (not has_words)
        for name, gradient in zip(weights, found[1:], strict=True):
            A = factors[f"{name}.lora_A.default.weight"]
            parts.append((3 * gradient @ A.T).flatten())
        gradients.append(torch.cat(parts))
    gradients = torch.stack(gradients).detach().numpy()
    assert_close(K, gradients @ gradients.T)


@pytest.mark.parametrize(
    "options",
    [
        {"bias": "all"},
        {"bias": "lora_only"},
        {"modules_to_save": ["LayerNorm"]},
        {"trainable_token_indices": [5, 6, 7]},
        {"target_modules": ["query", "word_embeddings"]},
    ],
    ids=str,
)
def test_whatever_adapters_train_counts(options, make, tiny_tokenizer, tiny_texts):
    peft = pytest.importorskip("peft", reason="adapters are in the extra lora")
    targets = {"target_modules": ["query", "value"]}
    bert, lora = make_masked("bert").bert, targets | options
    make = partial(make, bert, label_words=None, parameters="lora")
    kernel = make(lora_params=lora)
    K = kernel.fit_transform(tiny_texts)
    trained = peft.inject_adapter_in_model(
        peft.LoraConfig(r=16, lora_alpha=16, **lora), copy.deepcopy(bert)
    )
    network = copy.deepcopy(kernel._gradients.network).requires_grad_(True)
    parameters = list(network.head.parameters())
    for name, parameter in trained.named_parameters():
        if parameter.requires_grad:
            parameters.append(network.encoder.get_parameter(name))

    def output(text):
        return network(**tiny_tokenizer(text, return_tensors="pt"))[0, 0]

    assert_close(K, tangent_kernel(output, parameters, tiny_texts))
    alone = make(lora_params=targets).fit_transform(tiny_texts)
    assert np.abs(K - alone).max() > 1e-6 * np.abs(K).max()


def test_adapters_are_seeded(llama, make, tiny_texts):
    pytest.importorskip("peft", reason="adapters are in the extra lora")
    options = {"template": "{text} was {mask}", "parameters": "lora"}
    before = torch.get_rng_state()
    K = make(llama, **options).fit_transform(tiny_texts)
    assert torch.equal(torch.get_rng_state(), before)
    assert_array_equal(make(llama, **options).fit_transform(tiny_texts), K)
    other = make(llama, **options, random_state=1).fit_transform(tiny_texts)
    assert np.abs(other - K).max() > 1e-3 * np.abs(K).max()
    assert not any("lora" in name for name, _ in llama.named_modules())


@pytest.mark.parametrize("is_before", [True, False])
def test_decoder_that_puts_tokens_behind_each_other(
    is_before, make, tiny_tokenizer, tiny_texts, recwarn
):
    torch.manual_seed(0)
    config = tr.OPTConfig(
        **{**SIZES, "word_embed_proj_dim": 16, "ffn_dim": 24, "num_hidden_layers": 3},
        do_layer_norm_before=is_before,
    )
    model = tr.OPTForCausalLM(config).eval()
    kernel = make(model, template="{text} was {mask}", n_frozen_layers=1)
    K = kernel.fit_transform(tiny_texts)
    assert not [w for w in recwarn if "alone" in str(w.message)]
    names = [*names_of_layers(model, 1), "lm_head.weight"]
    sentences = [f"{text} was" for text in tiny_texts]
    assert_close(K, naive(model, tiny_tokenizer, sentences, names, "bad", place=-2))


# Older versions of transformers loop over experts, which read tokens of several rows.
@pytest.mark.filterwarnings("ignore::skshap.exceptions.SmallerBatchWarning")
@pytest.mark.parametrize(
    ("parameters", "left_out", "head"),
    [("layers", (), ["lm_head.weight"]), ("feedforward", ("attn", "norm"), [])],
)
def test_experts_in_double_precision(
    parameters, left_out, head, make, tiny_tokenizer, tiny_texts
):
    torch.manual_seed(0)
    config = tr.MixtralConfig(**SIZES, num_key_value_heads=1, num_local_experts=2)
    model = tr.MixtralForCausalLM(config).eval()
    options = {"template": "{text} was {mask}", "n_frozen_layers": 2}
    K = make(model, **options, parameters=parameters).fit_transform(tiny_texts)
    names = names_of_layers(model, 2)
    names = [n for n in names if not any(part in n for part in left_out)] + head
    sentences = [f"{text} was" for text in tiny_texts]
    if hasattr(model, "set_experts_implementation"):  # the default has no doubles
        model.set_experts_implementation("eager")
    assert_close(K, naive(model, tiny_tokenizer, sentences, names, "bad", place=-2))


def test_a_model_that_computes_parts_in_single_precision(tiny_tokenizer, tiny_texts):
    torch.manual_seed(0)
    config = tr.Gemma2Config(**SIZES, head_dim=8, num_key_value_heads=1)
    options = {"tokenizer": tiny_tokenizer, "max_length": 32, "random_state": 0}
    model = tr.Gemma2Model(config).eval()
    found, expected = (
        EmpiricalNTK(model, dtype=dtype, **options).fit_transform(tiny_texts)
        for dtype in ("float32", "float64")
    )
    assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore::skshap.exceptions.SmallerBatchWarning")
def test_a_model_that_is_not_finite_in_double_precision(tiny_tokenizer, tiny_texts):
    config = tr.LongformerConfig(**SIZES, attention_window=4, sep_token_id=3)
    model = tr.LongformerModel(config).eval()
    options = {"tokenizer": tiny_tokenizer, "max_length": 32, "dtype": "float64"}
    with pytest.raises(ValueError, match=r"not finite.*dtype='float32'"):
        EmpiricalNTK(model, **options).fit(tiny_texts)


@pytest.mark.parametrize("parameters", ["layers", "all"])
def test_decoder_whose_positions_are_computed_once(
    parameters, tiny_tokenizer, tiny_texts
):
    torch.manual_seed(0)
    sizes = {"d_model": 16, "decoder_layers": 3, "decoder_attention_heads": 2}
    config = tr.BartConfig(vocab_size=len(tiny_tokenizer), decoder_ffn_dim=24, **sizes)
    model = tr.BartForCausalLM(config).eval().base_model
    options = {"tokenizer": tiny_tokenizer, "max_length": 32, "normalize": False}
    K, one_by_one = (
        EmpiricalNTK(
            model,
            parameters=parameters,
            batch_size=n,
            dtype="float64",
            random_state=0,
            **options,
        ).fit_transform(tiny_texts)
        for n in (32, 1)
    )
    assert_close(K, one_by_one)
    model = copy.deepcopy(model).double()
    seed = int(np.random.RandomState(0).randint(2**31 - 1))
    weight = torch.randn(1, 16, generator=torch.Generator().manual_seed(seed))
    weight = (weight / 4).double().requires_grad_()
    bias = torch.zeros((), dtype=torch.float64, requires_grad=True)

    def output(text):
        encoded = tiny_tokenizer(text, return_tensors="pt")
        return model(**encoded).last_hidden_state[0, -1] @ weight[0] + bias

    names = [
        name
        for name, _ in model.named_parameters()
        if "layers.2" in name or (parameters == "all" and "layers." not in name)
    ]
    counted = [*map(model.get_parameter, names), weight, bias]
    assert_close(K, tangent_kernel(output, counted, tiny_texts))


def test_decoder_that_reads_nothing_by_itself(tiny_tokenizer, tiny_texts):
    sizes = {"d_model": 16, "d_ff": 24, "d_kv": 8, "num_heads": 2, "num_layers": 2}
    model = tr.T5Model(tr.T5Config(vocab_size=len(tiny_tokenizer), **sizes)).eval()
    options = {"tokenizer": tiny_tokenizer, "max_length": 32, "random_state": 0}
    with pytest.raises(ValueError, match=r"model=T5Model\(...\) .*get_encoder\(\)"):
        EmpiricalNTK(model, **options).fit(tiny_texts)
    EmpiricalNTK(model.get_encoder(), **options).fit(tiny_texts)


def test_decoder_that_projects_what_it_returns(make, tiny_tokenizer, tiny_texts):
    torch.manual_seed(0)
    sizes = {**SIZES, "word_embed_proj_dim": 8, "ffn_dim": 24}
    model = tr.OPTModel(tr.OPTConfig(**sizes)).eval()
    K = make(model, label_words=None, n_frozen_layers=2).fit_transform(tiny_texts)
    model = copy.deepcopy(model).double()
    seed = int(np.random.RandomState(0).randint(2**31 - 1))
    weight = torch.randn(8, generator=torch.Generator().manual_seed(seed))
    weight = (weight / 8**0.5).double().requires_grad_()
    bias = torch.zeros((), dtype=torch.float64, requires_grad=True)

    def output(text):
        encoded = tiny_tokenizer(text, return_tensors="pt")
        return model(**encoded).last_hidden_state[0, -1] @ weight + bias

    parameters = [*model.decoder.layers[2].parameters(), weight, bias]
    assert_close(K, tangent_kernel(output, parameters, tiny_texts))


def test_batches_and_padding(llama, make, tiny_texts):
    for model in (llama, make_masked("roberta")):
        options = {"template": "{text} was {mask} .", "n_frozen_layers": 0}
        K = make(model, **options, batch_size=1).fit_transform(tiny_texts)
        assert_close(make(model, **options, batch_size=9).fit_transform(tiny_texts), K)
        order = np.random.default_rng(0).permutation(len(tiny_texts))
        shuffled = make(model, **options).fit_transform([tiny_texts[i] for i in order])
        assert_close(shuffled, K[np.ix_(order, order)])


@pytest.mark.parametrize("family", ["bert", "llama"])
def test_long_texts_are_cut_and_the_template_is_not(
    family, llama, make, tiny_tokenizer
):
    model = llama if family == "llama" else make_masked("bert")
    text = " ".join(WORDS[i % 20] for i in range(40))
    options = {"template": "the {text} was {mask}", "max_length": 12}
    # Two special tokens, "the", "was" and the blank, which a causal model cuts off.
    n_words = 8 if family == "llama" else 7
    cut = " ".join(text.split()[:n_words])
    with pytest.warns(TruncatedTextWarning, match="1 of 2 rows"):
        K = make(model, **options).fit_transform([text, "film"])
    assert_close(K, make(model, **options).fit_transform([cut, "film"]))


def test_the_longer_text_of_a_pair_is_cut(make):
    model = make_masked("bert")
    options = {"template": "{first} {mask} {second}", "max_length": 12}
    pair = ("a film", " ".join(["plot"] * 40))
    with pytest.warns(TruncatedTextWarning, match="1 of 1 rows"):
        K = make(model, **options).fit_transform([pair])
    expected = make(model, **options).fit_transform([("a film", "plot " * 7)])
    assert_close(K, expected)


def test_presets(make):
    model = make_masked("bert")
    pairs = [("the film.", "A plot"), ("a story", "it was dull")]
    K = make(model, template="rte").fit_transform(pairs)
    text = "{first:bare}? {mask}, {second:lower}"
    assert_array_equal(make(model, template=text).fit_transform(pairs), K)


@pytest.mark.parametrize(
    "name, row, sentence, words",
    [
        ("sst2", "Good.", ("Good. It was ", "."), ("terrible", "great")),
        ("mr", "Good.", ("Good. It was ", "."), ("terrible", "great")),
        ("mrpc", ("One.", "Two."), ("One. ", ", two."), ("No", "Yes")),
        ("rte", ("One.", "Two."), ("One? ", ", two."), ("Yes", "No")),
        ("mnli", ("One.", "Two."), ("One? ", ", two."), ("Yes", "Maybe", "No")),
    ],
)
def test_presets_are_those_of_the_paper(name, row, sentence, words):
    template = make_template(name, None)
    assert template.render(row) == sentence
    assert template.words == words  # of label 0, 1, ...


@pytest.mark.parametrize("family", ["masked", "causal"])
def test_by_name(family, llama, make, tiny_tokenizer, tiny_texts, tmp_path):
    model = llama if family == "causal" else make_masked("bert")
    model.save_pretrained(tmp_path)
    tiny_tokenizer.save_pretrained(tmp_path)
    template = "{text} was {mask}"
    kernel = make(tmp_path, tokenizer=None, template=template)
    expected = make(model, template=template).fit_transform(tiny_texts)
    assert_close(kernel.fit_transform(tiny_texts), expected)


def test_folder_without_a_head(make, tiny_tokenizer, tmp_path):
    make_masked("bert").bert.save_pretrained(tmp_path)
    tiny_tokenizer.save_pretrained(tmp_path)
    kernel = make(tmp_path, tokenizer=None, template="{text} {mask}")
    with pytest.raises(ModelNotFoundError, match=r"lack .* weights of BertForMaskedLM"):
        kernel.fit(["film"])


def test_gguf(tmp_path):
    with pytest.raises(ModelNotFoundError, match=r"missing.gguf"):
        EmpiricalNTK(tmp_path / "missing.gguf").fit(["film"])


def test_store_tells_templates_apart(make, tiny_texts, tmp_path):
    model = make_masked("bert")
    found = []
    for template in ("{text} was {mask}", "{text} is {mask}", "{text} was {mask}"):
        kernel = make(model, template=template, memory=tmp_path, random_state=None)
        found.append(kernel.fit_transform(tiny_texts))
    assert np.abs(found[0] - found[1]).max() > 1e-6
    assert_array_equal(found[0], found[2])
    assert len(list((tmp_path / "skshap").iterdir())) == 2


def test_in_a_classifier(llama, make, tiny_texts):
    y = np.arange(len(tiny_texts)) % 2
    kernel = make(llama, template="{text} was {mask}", normalize=True)
    clf = KernelRidgeClassifier(kernel=kernel, alpha=1e-6).fit(tiny_texts, y)
    assert clf.score(tiny_texts, y) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"template": None}, "label_words=.*template=None"),
        ({"label_words": None}, "label_words must be a list of words"),
        ({"label_words": ["bad", ""]}, "label_words must be a list of words"),
        ({"label_words": ["bad", 3]}, "label_words must be a list of words"),
        ({"label_words": ["bad", "excellent"]}, "'excellent', which tokenizer does"),
        ({"label_words": ["bad", "very good"]}, "'very good', which is 2 tokens"),
        ({"label_words": ["bad", " great"]}, "' great' with a space.*pass 'great'"),
        ({"label_words": ["bad", "bad"]}, "must be different tokens"),
        ({"template": "{text} was"}, "has the fields ..text"),
        ({"template": "{mask}"}, "has the fields ..mask"),
        ({"template": "{text} {mask} {mask}"}, "has the fields"),
        ({"template": "{text} {first} {mask}"}, "has the fields"),
        ({"template": "{text} {blank}"}, "has the field 'blank'"),
        ({"template": "{text:upper} {mask}"}, "has the field 'text'"),
        ({"template": "{text!r} {mask}"}, "has the field 'text'"),
        ({"template": "{text.__class__} {mask}"}, "has the field 'text.__class__'"),
        ({"template": "{text {mask}"}, "for a brace"),
        ({"template": "{first} {mask} {second}"}, "takes pairs of texts"),
        ({"template": "{text} {mask}", "max_length": 3}, "leaves no room for text"),
        ({"readout": "mean"}, "readout='mean'.*template"),
        ({"lora_params": {"r": 2}}, "parameters='lora', not"),
        ({"parameters": "lora", "lora_params": {"rank": 2}}, "lora_params=.*rank"),
        (
            {"parameters": "lora", "lora_params": {"target_modules": ["no"]}},
            "lora_params=.*no",
        ),
        ({"n_frozen_layers": 4}, "more than the 3 layers"),
    ],
)
def test_bad_parameters(make, options, message):
    kernel = make(make_masked("bert"), **{"template": "{text} was {mask}", **options})
    with pytest.raises(ValueError, match=message):
        kernel.fit(["film", "a film"])


def test_models_that_do_not_fit(llama, make):
    with pytest.raises(ValueError, match=r"LlamaModel.*predicts no words"):
        make(llama.model, template="{text} {mask}").fit(["film"])
    with pytest.raises(ValueError, match="predicts words; pass a template"):
        make(llama, label_words=None).fit(["film"])
    with pytest.raises(ValueError, match=r"template=.*not for a table of numbers"):
        network = torch.nn.Linear(2, 1)
        EmpiricalNTK(network, template="mr").fit(np.ones((3, 2)))
    with pytest.raises(ValueError, match=r"template=.*not for model=None"):
        EmpiricalNTK(template="mr").fit(np.ones((3, 2)))


@pytest.mark.parametrize("template", ["{mask}: {text}", "{first} {mask} {second}"])
def test_causal_model_refuses_texts_behind_the_blank(llama, make, template):
    rows = ["film", "plot"] if "text" in template else [("film", "plot")]
    with pytest.raises(ValueError, match=r"after the blank.*put \{mask\} behind"):
        make(llama, template=template).fit(rows)


def test_tokenizer_without_a_mask(make, tiny_tokenizer):
    bare = copy.deepcopy(tiny_tokenizer)
    bare.mask_token = None
    kernel = make(make_masked("bert"), tokenizer=bare, template="{text} {mask}")
    with pytest.raises(ValueError, match=r"tokenizer has no mask_token"):
        kernel.fit(["film"])


def test_text_without_a_token(llama, make, tiny_tokenizer):
    class Silent(type(tiny_tokenizer)):
        def __call__(self, *args, **kwargs):
            encoded = super().__call__(*args, **kwargs)
            encoded["input_ids"] = [[] for _ in encoded["input_ids"]]
            return encoded

    bare = copy.deepcopy(tiny_tokenizer)
    bare.__class__ = Silent
    kernel = make(llama.model, tokenizer=bare, label_words=None)
    with pytest.raises(ValueError, match="makes no token of 'film'"):
        kernel.fit(["film"])


@pytest.mark.parametrize("model", [None, torch.nn.Linear(3, 1)])
def test_adapters_of_a_network_without(model):
    with pytest.raises(ValueError, match="parameters='lora', not"):
        EmpiricalNTK(model, lora_params={"r": 2}).fit(np.eye(3))


def test_no_feedforward_parameters(make):
    kernel = make(
        make_masked("bert"),
        template="{text} {mask}",
        parameters="feedforward",
        n_frozen_layers=3,
    )
    with pytest.raises(ValueError, match="'feedforward' with n_frozen_layers=3 leaves"):
        kernel.fit(["film"])


@pytest.mark.parametrize("name", ["file", "a\0null"])
def test_memory_that_is_no_folder(tmp_path, name):
    (tmp_path / "file").touch()
    path = tmp_path / name
    with pytest.raises(ValueError, match="memory needs a folder"):
        EmpiricalNTK(memory=path, random_state=0).fit(np.eye(3))


def test_without_peft(monkeypatch, llama, make):
    monkeypatch.setitem(__import__("sys").modules, "peft", None)
    kernel = make(llama, template="{text} {mask}", parameters="lora")
    with pytest.raises(ImportError, match=r"skshap\[lora\]"):
        kernel.fit(["film"])


@pytest.mark.parametrize("family", ["bert", "llama"])
def test_bfloat16(family, llama, make, tiny_texts):
    model = llama if family == "llama" else make_masked("bert")
    options = {"template": "{text} was {mask}", "parameters": "all"}
    K = make(model, **options).fit_transform(tiny_texts)
    kernel = make(model, **options, dtype="bfloat16")
    found = kernel.fit_transform(tiny_texts)
    error = np.linalg.norm(found - K) / np.linalg.norm(K)
    assert 1e-5 < error < 0.03
    # No rule was given up for rounding.
    plan = kernel._gradients.capture._plan
    assert (
        plan.general
        == make(model, **options).fit(tiny_texts)._gradients.capture._plan.general
    )


def test_initial_outputs(llama, make, tiny_tokenizer, tiny_texts):
    y = np.array(["no", "yes"])[np.arange(len(tiny_texts)) % 2]
    kernel = make(llama, template="{text} was {mask}", outputs="mean")
    words = tiny_tokenizer.convert_tokens_to_ids(WORDS_OF_LABELS)
    initial = []
    for text in tiny_texts:
        encoded = tiny_tokenizer(f"{text} was", return_tensors="pt")
        with torch.no_grad():
            initial.append(llama.double()(**encoded).logits[0, -2, words].numpy())
    llama.float()
    initial = np.array(initial)
    assert_close(kernel.fit(tiny_texts).initial_outputs(tiny_texts), initial)
    clf = KernelRidgeClassifier(kernel=kernel, alpha=0.5, initial_outputs=True)
    train, test = slice(0, 6), slice(6, None)
    clf.fit(tiny_texts[train], y[train])
    K = kernel.fit_transform(tiny_texts)
    Y = np.eye(2)[(y == "yes").astype(int)] - initial
    solved = np.linalg.solve(K[train, train] + 0.5 * np.eye(6), Y[train])
    expected = K[test, train] @ solved + initial[test]
    assert_close(
        clf.decision_function(tiny_texts[test]), expected[:, 1] - expected[:, 0]
    )
    assert list(clf.predict(tiny_texts[test])) == [
        clf.classes_[i] for i in expected.argmax(1)
    ]
    loo = []
    for i in range(6):
        rest = [j for j in range(6) if j != i]
        solved = np.linalg.solve(K[np.ix_(rest, rest)] + 0.5 * np.eye(5), Y[rest])
        row = K[i, rest] @ solved + initial[i]
        loo.append(row[1] - row[0])
    assert_close(clf.loo_decision_function_, np.array(loo))


def test_initial_outputs_that_do_not_fit(llama, make):
    texts, y = ["film", "plot", "story"], [0, 1, 2]
    kernel = make(llama, template="{text} was {mask}")
    with pytest.raises(ValueError, match="3 classes, got 2"):
        KernelRidgeClassifier(kernel=kernel, initial_outputs=True).fit(texts, y)
    with pytest.raises(ValueError, match="needs a kernel of a network"):
        KernelRidgeClassifier(initial_outputs=True).fit(np.eye(3), y)
    with pytest.raises(ValueError, match="set one of them to False"):
        both = {"class_prior": True, "initial_outputs": True}
        KernelRidgeClassifier(**both).fit(np.eye(3), y)
