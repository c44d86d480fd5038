"""Shared fixtures: tiny random models, and the real one."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"
# Several test processes share the cores, and threads that wait for each other are slow:
# numpy reads this as it is imported, as do processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import sklearn
import torch

torch.set_num_threads(1)

WORDS = (
    "a an the film movie plot acting was is very not dull great bad good slow fast and "
    "but it they loved hated every minute of this that story"
).split()


@pytest.fixture(autouse=True)
def settings_kept():
    """A test that leaves scikit-learn with other settings would break others."""
    before = sklearn.get_config()
    yield
    after = sklearn.get_config()
    sklearn.set_config(**before)
    assert after == before


@pytest.fixture(scope="session")
def names_of_polars():
    """Whether the scikit-learn installed reads names of columns of this polars."""
    import polars
    from sklearn.preprocessing import StandardScaler

    frame = polars.DataFrame({"a": [1.0, 2.0]})
    return hasattr(StandardScaler().fit(frame), "feature_names_in_")


@pytest.fixture(scope="session")
def tiny_tokenizer():
    """A word tokenizer with BERT's special tokens, made on the spot."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = {word: i for i, word in enumerate(special + WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=32,
        model_input_names=["input_ids", "attention_mask"],
    )


@pytest.fixture(scope="session")
def tiny_texts():
    """Texts of very different lengths, over the tiny tokenizer's words."""
    import numpy as np

    rng = np.random.default_rng(0)
    return [" ".join(rng.choice(WORDS, size)) for size in (1, 2, 3, 5, 8, 13, 20, 3, 9)]


@pytest.fixture(scope="session", params=["bert", "roberta", "distilbert"])
def tiny_encoder(request):
    """A random encoder of three layers, of each of three families."""
    return make_encoder(request.param)


def make_encoder(family, seed=0):
    import transformers as tr

    torch.manual_seed(seed)
    shared = {"vocab_size": 60, "max_position_embeddings": 64, "pad_token_id": 0}
    sizes = {
        "hidden_size": 16,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "intermediate_size": 24,
    }
    if family == "distilbert":
        sizes = {"dim": 16, "n_layers": 3, "n_heads": 2, "hidden_dim": 24}
    config, model = {
        "bert": (tr.BertConfig, tr.BertModel),
        "roberta": (tr.RobertaConfig, tr.RobertaModel),
        "distilbert": (tr.DistilBertConfig, tr.DistilBertModel),
    }[family]
    return model(config(**shared, **sizes)).eval()
