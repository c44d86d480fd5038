"""Whether a network reads from left to right only."""

import pytest
import torch
import transformers as tr

from skshap.nn._causal import is_causal
from skshap.nn._models import copy_network, prepare_network

SIZES = {"vocab_size": 60, "pad_token_id": 0, "num_attention_heads": 2}
SIZES |= {"hidden_size": 16, "num_hidden_layers": 2, "intermediate_size": 24}
GEMMA = {"head_dim": 8, "num_key_value_heads": 1}
IDS = {"bos_token_id": 2, "eos_token_id": 3}
FAMILIES = {
    "bert": ("bert", {}, False),
    "bert as decoder": ("bert", {"is_decoder": True}, True),
    "distilbert": ("distilbert", {}, False),
    "longformer": ("longformer", {"attention_window": 4, "sep_token_id": 3}, False),
    "roberta": ("roberta", {}, False),
    "gpt2": ("gpt2", IDS, True),
    "llama": ("llama", {}, True),
    "mixtral": ("mixtral", {"num_key_value_heads": 1}, True),
    "qwen3": ("qwen3", GEMMA, True),
    "gemma3": ("gemma3_text", GEMMA, True),
    "embedding gemma": (
        "gemma3_text",
        {**GEMMA, "use_bidirectional_attention": True},
        # Of versions that do not know it, it is any Gemma.
        not hasattr(tr.Gemma3TextConfig(), "use_bidirectional_attention"),
    ),
    "bert-generation": ("bert-generation", {}, False),
    "bert-generation as decoder": ("bert-generation", {"is_decoder": True}, True),
}


def make(family, kind=tr.AutoModel):
    name, params, _ = FAMILIES[family]
    torch.manual_seed(0)
    config = tr.AutoConfig.for_model(name, **{**SIZES, **params})
    return kind.from_config(config)


def make_xlnet(kind=tr.XLNetModel):
    torch.manual_seed(0)
    return kind(tr.XLNetConfig(vocab_size=60, d_model=16, n_layer=2, n_head=2))


def prepare(model, **kwargs):
    return prepare_network(
        copy_network(model), seed=0, device=None, dtype=torch.float32, **kwargs
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_readout_goes_by_what_a_model_reads(family):
    reads_on = FAMILIES[family][2]
    network = prepare(make(family))
    assert network.is_causal == reads_on
    assert network.readout == ("last" if reads_on else "mean")


def test_xlnet_reads_in_both_directions():
    assert prepare(make_xlnet()).readout == "mean"
    with pytest.raises(ValueError, match=r"XLNetLMHeadModel\(.*both directions"):
        prepare(make_xlnet(tr.XLNetLMHeadModel), token_ids=[5, 6])


@pytest.mark.parametrize("family", ["bert as decoder", "gemma3"])
def test_words_come_next_in_a_causal_model(family):
    network = prepare(make(family, tr.AutoModelForCausalLM), token_ids=[5, 6])
    assert network.is_causal


def test_a_network_that_cannot_be_tried_goes_by_its_configuration():
    for family in ("llama", "bert"):
        model = make(family).eval()

        def fail(*args):
            raise RuntimeError

        model.register_forward_pre_hook(fail)
        assert is_causal(model) == FAMILIES[family][2]


def test_a_trial_leaves_a_network_as_it_was():
    model = make("bert").eval()
    before = torch.get_rng_state()
    assert not is_causal(model)
    assert torch.equal(torch.get_rng_state(), before)
    assert not model.get_input_embeddings()._forward_hooks
    assert all(parameter.grad is None for parameter in model.parameters())
