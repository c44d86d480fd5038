"""Pretrained models and their tokenizers, by name."""

import os
from contextlib import contextmanager
from pathlib import Path

import torch

from skshap.exceptions import ModelNotFoundError
from skshap.nn._causal import is_decoder
from skshap.utils._optional import import_optional

__all__ = ["load_model"]

# Of transformers, where files lack or are damaged, or need a package that is not there.
FAILURES = ImportError, KeyError, OSError, RuntimeError, TypeError, ValueError

SMALL_VOCABULARY = 1000  # tokens; one that is made up where none is kept is smaller


def load_model(name, tokenizer=None, *, with_words=False):
    """Load a pretrained model and, unless there is one, its tokenizer.

    Parameters
    ----------
    name : str or path
        A folder or a ``.gguf`` file, or a name on the model hub, that `transformers`
        can load.
    tokenizer : PreTrainedTokenizerBase or None, default=None
        In the place of that of the model, of which none needs to be there.
    with_words : bool, default=False
        With the head that predicts words, of a masked or a causal language model.

    Returns
    -------
    model : torch.nn.Module
        The model, in float32.
    tokenizer : PreTrainedTokenizerBase
        Its tokenizer, or the one that was given.

    Raises
    ------
    ModelNotFoundError
        If either cannot be loaded, or weights or the vocabulary are missing.
    """
    from safetensors import SafetensorError
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    place, options = str(name), {}
    if Path(name).suffix == ".gguf" and Path(name).is_file():
        import_optional("gguf", "gguf")
        import_optional("accelerate", "gguf")
        place, options = str(Path(name).parent), {"gguf_file": Path(name).name}
    try:
        # What it would say of missing weights is judged below.
        with _silence(), torch.random.fork_rng(devices=[]):  # gaps are filled at random
            if tokenizer is None:
                tokenizer = AutoTokenizer.from_pretrained(place, **options)
                _check_vocabulary(name, tokenizer)
            kind = AutoModel
            if with_words:
                kind = _word_model(name, AutoConfig.from_pretrained(place, **options))
            model, report = kind.from_pretrained(
                place, dtype=torch.float32, output_loading_info=True, **options
            )
    except ModelNotFoundError:
        raise
    except (*FAILURES, SafetensorError) as error:
        raise ModelNotFoundError(_why_not_loaded(name, error)) from error
    # A pooler's weights do not count, but must be the same in every run for a store to
    # be found again.
    gaps = sorted(report["missing_keys"])
    needed = [key for key in gaps if not key.startswith("pooler.")]
    if needed:
        use = "; without template it can be read out by a fresh head" * with_words
        raise ModelNotFoundError(
            f"model={str(name)!r} was found, but its files lack {len(needed)} weights "
            f"of {type(model).__name__}: {needed[:5]}; get a complete copy{use}."
        )
    with torch.no_grad():
        for key in gaps:
            model.get_parameter(key).zero_()
    return model, tokenizer


def _check_vocabulary(name, tokenizer):
    """Raise an error of a tokenizer that was made up, as where no file is there.

    Each word would be the same unknown one.
    """
    if len(tokenizer) > SMALL_VOCABULARY:
        return
    if set(tokenizer.get_vocab()) <= set(tokenizer.all_special_tokens):
        raise ModelNotFoundError(
            f"model={str(name)!r} was found, but no vocabulary: save its tokenizer "
            "there too, by tokenizer.save_pretrained, or pass tokenizer."
        )


def _word_model(name, config):
    """Return the class that loads a model with its word head."""
    from transformers import AutoModelForCausalLM, AutoModelForMaskedLM

    kind = AutoModelForCausalLM if is_decoder(config) else AutoModelForMaskedLM
    if type(config) not in kind._model_mapping:
        raise ModelNotFoundError(
            f"model={str(name)!r} is a {config.model_type}, which predicts no words, "
            "as template and label_words need; leave them at None to read it out by a "
            "fresh head."
        )
    return kind


@contextmanager
def _silence():
    """Have `transformers` show no bars, and say nothing but errors."""
    from transformers.utils import logging

    shows_bars, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if shows_bars:
            logging.enable_progress_bar()


def _why_not_loaded(name, error):
    """Return what to say of a model that could not be loaded."""
    is_file, is_folder = os.path.isfile(name), os.path.isdir(name)
    if is_file or os.path.isabs(name) or not str(name):
        found = "a file" if is_file else "a folder" if is_folder else "none"
        return (
            f"model={str(name)!r} could not be loaded: looked for a folder of that "
            f"name, found {found}. Pass the path of a folder with config.json, "
            f"weights and tokenizer files. The loader said: {error}"
        )
    return (
        f"model={str(name)!r} could not be loaded: looked for a folder of that "
        "name and for a model of that name in the local cache or on the model "
        "hub. Pass the path of a folder with config.json, weights and tokenizer "
        "files, or download the model first (`hf download "
        f"{name}`); with HF_HUB_OFFLINE=1 only local files are used. The loader "
        f"said: {error}"
    )
