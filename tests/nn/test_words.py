"""The output layers of language models, cut down to a few words."""

import pytest
import torch
import transformers as tr

from skshap.nn._words import WordNetwork

FAMILIES = {
    "albert": {"embedding_size": 8},
    "bert": {},
    "camembert": {},
    "deberta": {},
    "deberta-v2": {},
    "distilbert": {},
    "electra": {"embedding_size": 8},
    "ernie": {},
    "esm": {"mask_token_id": 4},
    "mpnet": {},
    "modernbert": {
        "bos_token_id": 2,
        "eos_token_id": 3,
        "cls_token_id": 2,
        "sep_token_id": 3,
    },
    "roberta": {},
    "xlm-roberta": {},
    "gpt2": {"bos_token_id": 2, "eos_token_id": 3},
    "llama": {},
    "mistral": {"num_key_value_heads": 1},
    "qwen3": {"head_dim": 8, "num_key_value_heads": 1},
}
CAUSAL = {"gpt2", "llama", "mistral", "qwen3"}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("is_tied", [True, False])
def test_logits_are_those_of_the_whole_output_layer(family, is_tied):
    config = tr.AutoConfig.for_model(
        family,
        vocab_size=60,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=64,
        pad_token_id=0,
        tie_word_embeddings=is_tied,
        **FAMILIES[family],
    )
    torch.manual_seed(0)
    kind = tr.AutoModelForCausalLM if family in CAUSAL else tr.AutoModelForMaskedLM
    model = kind.from_config(config).eval()
    with torch.no_grad():  # biases are zero when fresh
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    batch = {
        "input_ids": torch.randint(5, 60, (3, 8)),
        "attention_mask": torch.ones(3, 8, dtype=torch.long),
    }
    position, words = torch.tensor([1, 7, 4]), [9, 50, 7]
    with torch.no_grad():
        expected = model(**batch).logits[torch.arange(3), position][:, words]
        network = WordNetwork(model, words, is_causal=family in CAUSAL)
        found = network(position=position, **batch)
    torch.testing.assert_close(found, expected)
    # Embeddings are all there still.
    assert model.get_input_embeddings().weight.shape[0] == 60


@pytest.mark.parametrize("family", ["deberta", "deberta-v2"])
def test_heads_that_name_a_layer_inside_as_the_output_layer(family):
    sizes = {"vocab_size": 60, "hidden_size": 16, "num_hidden_layers": 1}
    sizes |= {"num_attention_heads": 2, "intermediate_size": 24}
    config = tr.AutoConfig.for_model(family, **sizes, legacy=False)
    model = tr.AutoModelForMaskedLM.from_config(config)
    with pytest.raises(ValueError, match="could not be replaced by that of label_word"):
        WordNetwork(model, [9, 50], is_causal=False)


def test_an_output_layer_without_some_of_the_words():
    """Of Mllama, Moshi and others embeddings have some tokens that nothing predicts."""
    sizes = {"vocab_size": 60, "hidden_size": 16, "num_hidden_layers": 1}
    sizes |= {"num_attention_heads": 2, "intermediate_size": 24}
    config = tr.LlamaConfig(**sizes, num_key_value_heads=1, tie_word_embeddings=False)
    torch.manual_seed(0)
    model = tr.LlamaForCausalLM(config).eval()
    model.lm_head = torch.nn.Linear(16, 56, bias=False)
    batch, position = {"input_ids": torch.tensor([[9, 58, 7]])}, torch.tensor([1])
    with torch.no_grad():
        expected = model(**batch).logits[:, 1, [9, 50]]
        found = WordNetwork(model, [9, 50], is_causal=True)(position, **batch)
    torch.testing.assert_close(found, expected)
