"""Whether networks read texts from left to right only."""

from contextlib import suppress

import torch

__all__ = ["is_causal", "is_decoder", "is_word_filler"]


def is_causal(network):
    """Whether no state of a network of `transformers` depends on later tokens.

    It is tried with two tokens: the gradient of the state at the first in the
    embedding of the second is then zero, without rounding. A network that cannot be
    tried is judged by its configuration.
    """
    with suppress(Exception):  # whatever the network raises
        own, later = _gradients(network)
        if own > 0:
            return not later > 0
    return is_decoder(network.config)


def _gradients(network):
    """Return how strongly the first of two tokens' states depends on either token."""
    embedding, found = network.get_input_embeddings(), []
    tokens = (
        torch.arange(2, device=embedding.weight.device) + len(embedding.weight) // 2
    )

    def keep(module, args, output):
        found.append(output.detach().requires_grad_())
        return found[-1].clone()  # which the network may change

    hook = embedding.register_forward_hook(keep)
    try:
        with torch.enable_grad():
            batch = {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}
            hidden = network.base_model(
                **{name: part[None] for name, part in batch.items()}
            ).last_hidden_state
            # Not the sum, which a norm fixes.
            state = hidden[0, 0] @ torch.linspace(1, 2, hidden.shape[-1]).to(hidden)
            grads = torch.autograd.grad(state, found)
    finally:
        hook.remove()
    # Whichever axis is the batch, of one; some networks add padding.
    return sum(grad.reshape(-1, grad.shape[-1])[:2].abs().sum(1) for grad in grads)


def is_decoder(config):
    """Whether a configuration is that of a model that reads from left to right only."""
    is_named = any("CausalLM" in name for name in config.architectures or ())
    return (
        is_named or getattr(config, "is_decoder", False) or not is_word_filler(config)
    )


def is_word_filler(config):
    """Whether a model fills masks, or is of no kind that only goes on with texts."""
    from transformers.models.auto import modeling_auto

    kind = config.model_type
    return (
        kind in modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES
        or kind not in modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    )
