"""Loading, heads, the choice of parameters, and batches."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from skshap.exceptions import ModelNotFoundError
from skshap.nn._loading import load_model
from skshap.nn._models import (
    TableNetwork,
    copy_network,
    prepare_network,
)
from skshap.nn._parameters import transformer_layers
from tests.conftest import make_encoder


def prepare(model, **kwargs):
    defaults = {
        "readout": "auto",
        "n_frozen_layers": None,
        "parameters": "layers",
        "seed": 0,
        "device": None,
        "dtype": torch.float32,
    }
    return prepare_network(copy_network(model), **{**defaults, **kwargs})


def wanted(network):
    return {name for name, p in network.named_parameters() if p.requires_grad}


@pytest.mark.parametrize(("n_frozen", "layers"), [(None, "2"), (0, "012"), (3, "")])
def test_parameters_of_an_encoder(tiny_encoder, n_frozen, layers):
    network = prepare(tiny_encoder, n_frozen_layers=n_frozen)
    found = wanted(network)
    assert {"head.weight", "head.bias"} <= found
    assert not any("embeddings" in name or "pooler" in name for name in found)
    assert {n.split("layer.")[1][0] for n in found if "layer." in n} == set(layers)
    # Every parameter of these layers, 16 in each of the three families.
    assert len(found) == 2 + 16 * len(layers)


def test_default_leaves_out_two_thirds():
    import transformers as tr

    sizes = {"vocab_size": 9, "hidden_size": 4, "num_attention_heads": 1}
    for n_layers, n_frozen in [(1, 0), (2, 1), (4, 2), (6, 4), (12, 8)]:
        config = tr.BertConfig(**sizes, num_hidden_layers=n_layers, intermediate_size=4)
        found = wanted(prepare(tr.BertModel(config)))
        layers = {
            int(n.split("layer.")[1].split(".")[0]) for n in found if "layer." in n
        }
        assert layers == set(range(n_frozen, n_layers))


def tiny(name, **sizes):
    import transformers as tr

    return tr.AutoModel.from_config(tr.AutoConfig.for_model(name, **sizes))


XLM = {"n_words": 9, "emb_dim": 8, "n_layers": 3, "n_heads": 2}
BART = {"vocab_size": 9, "d_model": 8, "encoder_layers": 2, "decoder_layers": 3}
BART |= {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
BART |= {"encoder_ffn_dim": 8, "decoder_ffn_dim": 8}
T5 = {"vocab_size": 9, "d_model": 8, "d_ff": 8, "d_kv": 4, "num_heads": 2}
CANINE = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2}
CANINE |= {"intermediate_size": 8, "num_hash_buckets": 4, "num_hash_functions": 2}


@pytest.mark.parametrize(
    ("name", "sizes", "n_frozen", "counted"),
    [
        ("xlm", XLM, 2, ["attentions.2", "layer_norm1.2", "ffns.2", "layer_norm2.2"]),
        (
            "bart",
            BART,
            1,
            ["encoder.layers.1", *(f"decoder.layers.{i}" for i in "012")],
        ),
        ("bart", BART, None, ["decoder.layers.1", "decoder.layers.2"]),
        ("canine", CANINE, 2, ["encoder.layer.1", "final_char_encoder.layer.0"]),
    ],
)
def test_layers_in_several_lists(name, sizes, n_frozen, counted):
    network = prepare(tiny(name, **sizes), n_frozen_layers=n_frozen)
    layers = (f"encoder.{layer}." for layer in counted)
    every = [n for n, _ in network.named_parameters()]
    expected = {n for layer in layers for n in every if n.startswith(layer)}
    assert wanted(network) == expected | {"head.weight", "head.bias"}


def test_layers_of_modules_in_several_places():
    class Stacks(nn.Module):
        def __init__(self):
            super().__init__()
            self.values = stack(2)  # as a method of a ModuleDict is named
            self.decoder = stack(2)  # as long, but of whole layers
            self.heads = nn.ModuleList([nn.Linear(2, 2) for _ in range(2)])
            self.again = self.decoder

    def stack(n):
        return nn.ModuleList([nn.Sequential(nn.Linear(2, 2)) for _ in range(n)])

    model = Stacks()
    found = [list(layer.values()) for layer in transformer_layers(model)]
    assert found == [[layer] for layer in (*model.values, *model.decoder)]


@pytest.mark.parametrize(
    "lora_params, n_frozen",
    [
        ({"target_modules": ["pooler.dense"]}, 0),
        ({"target_modules": ["query"], "layers_to_transform": [0]}, 2),
    ],
)
def test_adapters_that_no_layer_has(lora_params, n_frozen):
    pytest.importorskip("peft")
    options = {"parameters": "lora", "n_frozen_layers": n_frozen}
    with pytest.raises(ValueError, match="leaves no adapter of BertModel, of 3 layers"):
        prepare(make_encoder("bert"), **options, lora_params=lora_params)


@pytest.mark.parametrize(
    ("name", "sizes", "counted"),
    [
        ("xlm", XLM, {"lin1", "lin2"}),
        ("t5", {**T5, "num_layers": 3}, {"wi", "wo"}),
        ("gpt2", {"vocab_size": 9, "n_embd": 8, "n_head": 2}, {"c_fc", "c_proj"}),
    ],
)
def test_feedforward_layers_of_other_names(name, sizes, counted):
    found = wanted(prepare(tiny(name, **sizes), parameters="feedforward"))
    assert {n.split(".")[-2] for n in found} == counted
    assert not any("att" in n.lower() for n in found)


def test_too_many_frozen_layers(tiny_encoder):
    with pytest.raises(ValueError, match="n_frozen_layers=4 is more than the 3 layers"):
        prepare(tiny_encoder, n_frozen_layers=4)


def test_model_is_left_as_it_was():
    model = make_encoder("bert").train()
    model.embeddings.requires_grad_(False)
    before = {name: p.requires_grad for name, p in model.named_parameters()}
    weight = model.pooler.dense.weight.clone()
    network = prepare(model, dtype=torch.float64)
    assert not network.training and model.training
    assert {name: p.requires_grad for name, p in model.named_parameters()} == before
    assert all(p.dtype == torch.float32 for p in model.parameters())
    assert all(p.dtype == torch.float64 for p in network.parameters())
    with torch.no_grad():
        network.encoder.pooler.dense.weight.zero_()
    assert torch.equal(model.pooler.dense.weight, weight)


@pytest.mark.filterwarnings("ignore:.*deprecated")
def test_models_that_cannot_be_copied_or_hooked():
    layer = nn.Linear(3, 2)
    prune.random_unstructured(layer, "weight", 0.5)
    layer.weight = layer.weight * 1  # no leaf, as after a forward pass
    with pytest.raises(
        ValueError, match=r"model=Linear\(...\) cannot be .*prune.remove"
    ):
        prepare(layer)
    prune.remove(layer, "weight")
    assert wanted(prepare(layer)) == {"weight", "bias"}
    with pytest.raises(ValueError, match="TorchScript; pass the module"):
        prepare(torch.jit.script(nn.Linear(3, 2)))


def test_head_is_seeded_and_standardized(tiny_encoder):
    heads = [prepare(tiny_encoder, seed=seed).head for seed in (0, 0, 1)]
    assert torch.equal(heads[0].weight, heads[1].weight)
    assert not torch.equal(heads[0].weight, heads[2].weight)
    assert not heads[0].bias.any()
    draws = [prepare(tiny_encoder, seed=s).head.weight.detach() for s in range(100)]
    variance = torch.stack(draws).square().mean().item()
    # 1,600 draws of variance 1 / 16: four standard errors of room.
    assert abs(variance * 16 - 1) < 4 * np.sqrt(2 / 1600)


def test_seeds_do_not_touch_the_global_generator(tiny_encoder):
    before = torch.get_rng_state()
    prepare(tiny_encoder)
    TableNetwork(4, seed=1)
    assert torch.equal(torch.get_rng_state(), before)


def test_feedforward_parameters(tiny_encoder):
    found = wanted(prepare(tiny_encoder, n_frozen_layers=1, parameters="feedforward"))
    # Weight and bias of the two layers outside of attention, in two layers.
    assert len(found) == 8
    assert {n.split("layer.")[1][0] for n in found} == {"1", "2"}
    shapes = {tuple(tiny_encoder.get_parameter(n[8:]).shape) for n in found}
    assert shapes == {(24, 16), (24,), (16, 24), (16,)}


def test_a_pooler_never_counts(tiny_encoder):
    found = wanted(prepare(tiny_encoder, n_frozen_layers=0, parameters="all"))
    assert any("embeddings" in name for name in found)
    assert not any("pooler" in name for name in found)


@pytest.mark.parametrize(
    "option",
    [{"readout": "first"}, {"n_frozen_layers": 0}, {"parameters": "feedforward"}],
)
def test_options_of_encoders_only(option):
    (name,) = option
    with pytest.raises(ValueError, match=f"{name}=.*models of transformers"):
        prepare(nn.Linear(3, 1), **option)


def test_own_choice_of_parameters_is_kept():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1))
    model[0].requires_grad_(False)
    assert wanted(prepare(model)) == {"1.weight", "1.bias"}


def test_table_network():
    x = torch.randn(5, 7, generator=torch.Generator().manual_seed(0))
    outputs = [TableNetwork(7, seed=seed)(x) for seed in (0, 0, 1)]
    assert outputs[0].shape == (5, 1)
    assert torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[0], outputs[2])


@pytest.mark.parametrize("where", ["no/such-model", "missing", "empty"])
def test_unknown_name(where, tmp_path):
    (tmp_path / "empty").mkdir()
    name = where if "/" in where else str(tmp_path / where)
    with pytest.raises(ModelNotFoundError, match="could not be loaded") as info:
        load_model(name)
    assert repr(name) in str(info.value)
    assert "config.json" in str(info.value)


def test_load_from_a_folder(tmp_path, tiny_tokenizer):
    model = make_encoder("bert")
    model.half().save_pretrained(tmp_path)
    tiny_tokenizer.save_pretrained(tmp_path)
    loaded, tokenizer = load_model(tmp_path)
    assert tokenizer("the film")["input_ids"] == tiny_tokenizer("the film")["input_ids"]
    assert all(p.dtype == torch.float32 for p in loaded.parameters())


def test_a_tokenizer_that_is_passed_stands_in(tmp_path, tiny_tokenizer, monkeypatch):
    make_encoder("bert").save_pretrained(tmp_path)
    monkeypatch.delattr("transformers.AutoTokenizer.from_pretrained")
    _, tokenizer = load_model(tmp_path, tiny_tokenizer)
    assert tokenizer is tiny_tokenizer


def test_a_package_that_a_tokenizer_needs(tmp_path, monkeypatch):
    make_encoder("bert").save_pretrained(tmp_path)

    def load(*args, **options):
        raise ImportError("this tokenizer requires the protobuf library")

    monkeypatch.setattr("transformers.AutoTokenizer.from_pretrained", load)
    with pytest.raises(ModelNotFoundError, match=r"requires the protobuf library$"):
        load_model(tmp_path)


def test_folder_without_weights(tmp_path, tiny_tokenizer):
    make_encoder("bert").save_pretrained(tmp_path)
    tiny_tokenizer.save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(ModelNotFoundError, match="could not be loaded"):
        load_model(tmp_path)


@pytest.mark.parametrize("family", ["bert", "roberta", "mpnet", "gpt2", "deberta-v2"])
def test_folder_without_tokenizer(tmp_path, family):
    # transformers makes one up, of special tokens, to which all words are the same.
    import transformers as tr

    ids = {"bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1}
    sizes = {"hidden_size": 16, "num_attention_heads": 2, "vocab_size": 60, **ids}
    config = tr.AutoConfig.for_model(family, num_hidden_layers=1, **sizes)
    tr.AutoModel.from_config(config).save_pretrained(tmp_path)
    # Its version 4 fails by itself.
    message = "found, but no vocabulary: save|weights and tokenizer files"
    with pytest.raises(ModelNotFoundError, match=message):
        load_model(tmp_path)


def test_a_small_vocabulary_is_one(tmp_path):
    """Of bytes, each a token."""
    import transformers as tr

    make_encoder("bert").save_pretrained(tmp_path)
    tr.ByT5Tokenizer().save_pretrained(tmp_path)
    _, tokenizer = load_model(tmp_path)
    assert type(tokenizer) is tr.ByT5Tokenizer


def test_a_tokenizer_that_needs_a_file(tmp_path):
    import transformers as tr

    config = tr.EsmConfig(vocab_size=60, hidden_size=16, num_attention_heads=2)
    config.num_hidden_layers, config.pad_token_id = 1, 0
    tr.EsmModel(config).save_pretrained(tmp_path)
    with pytest.raises(ModelNotFoundError, match="could not be loaded"):
        load_model(tmp_path)


def test_damaged_weights(tmp_path, tiny_tokenizer):
    make_encoder("bert").save_pretrained(tmp_path)
    tiny_tokenizer.save_pretrained(tmp_path)
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(ModelNotFoundError, match="could not be loaded"):
        load_model(tmp_path)


def test_weights_that_do_not_cover_the_model(tmp_path, tiny_tokenizer):
    # transformers fills the gaps with random weights: another kernel in every run.
    from safetensors.torch import load_file, save_file

    make_encoder("bert").save_pretrained(tmp_path)
    tiny_tokenizer.save_pretrained(tmp_path)
    file = tmp_path / "model.safetensors"
    weights = load_file(file)
    del weights["encoder.layer.2.output.dense.weight"]
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(ModelNotFoundError, match=r"layer\.2\.output\.dense\.weight"):
        load_model(tmp_path)


def test_pooler_that_is_missing(tmp_path, tiny_tokenizer):
    # As in checkpoints of masked language models. It is not read, but its weights must
    # not be random: nothing kept on disk would be found again.
    import transformers as tr

    model = make_encoder("bert")
    tr.BertModel(model.config, add_pooling_layer=False).save_pretrained(tmp_path)
    tiny_tokenizer.save_pretrained(tmp_path)
    loaded = [load_model(tmp_path)[0] for _ in range(2)]
    for a, b in zip(*(m.parameters() for m in loaded), strict=True):
        assert torch.equal(a, b)


def test_progress_bars_of_transformers_are_left_on(tmp_path):
    from transformers.utils import logging

    before = logging.is_progress_bar_enabled()
    with pytest.raises(ModelNotFoundError):
        load_model(tmp_path)
    assert logging.is_progress_bar_enabled() == before
