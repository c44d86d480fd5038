"""Language models read by how likely they find a few words."""

import torch
from torch import nn
from torch.nn.utils import skip_init

__all__ = ["WordNetwork"]


class WordNetwork(nn.Module):
    """A masked or causal language model, read at one place by the logits of words.

    The weights of these words take the place of the output layer: parameters of their
    own, also where a model ties its output layer to its embeddings.

    Parameters
    ----------
    model : torch.nn.Module
        Of `transformers`, with a head that predicts words. Changed.
    token_ids : list of int
        The words.
    is_causal : bool
        Whether it reads from left to right only.

    Raises
    ------
    ValueError
        If the output layer cannot be replaced.
    """

    def __init__(self, model, token_ids, *, is_causal):
        super().__init__()
        self.model = model
        self.is_causal = is_causal
        self.n_words = len(token_ids)
        old = model.get_output_embeddings()
        if not isinstance(old, nn.Linear):
            raise ValueError(
                f"model={type(model).__name__} has no linear output layer over words, "
                "as template and label_words need; leave them at None to read it out "
                "by a fresh head."
            )
        n_tokens, has_bias = old.out_features, old.bias is not None
        # A layer inside of the head, as newer DeBERTa names it, is no output layer. Of
        # these some have a few words less than the embeddings, or more.
        n_embedded = len(model.get_input_embeddings().weight)
        if n_tokens == old.in_features != n_embedded:
            raise self._not_replaced()
        new = skip_init(nn.Linear, old.in_features, self.n_words, bias=has_bias)
        new.to(old.weight)
        with torch.no_grad():
            for name, parameter in new.named_parameters():
                parameter.copy_(old.get_parameter(name)[token_ids])
        model.set_output_embeddings(new)
        # Some heads keep the biases of all words apart from the output layer, that of
        # MobileBERT also some of the weights.
        body = set(model.base_model.modules())
        for module in model.modules():
            tensors = {**module._parameters, **module._buffers}
            for name, tensor in tensors.items():
                is_output = name.endswith("bias") or module not in body
                if (
                    tensor is not None
                    and is_output
                    and tensor.shape[-1:] == (n_tokens,)
                ):
                    part = tensor.detach()[..., token_ids].clone()
                    is_buffer = name in module._buffers
                    setattr(module, name, part if is_buffer else nn.Parameter(part))

    def forward(self, position, **batch):
        """Return the logits of the words at one position a row, of shape (n, words)."""
        logits = self.model(**batch).logits
        if logits.shape[-1] != self.n_words:
            raise self._not_replaced()
        return logits[torch.arange(len(logits), device=logits.device), position]

    def _not_replaced(self):
        return ValueError(
            f"the output layer of model={type(self.model).__name__} could not be "
            "replaced by that of label_words; leave template at None to read the "
            "model out by a fresh head."
        )
