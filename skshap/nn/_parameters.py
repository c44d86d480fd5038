"""Which parameters of a pretrained model make the kernel."""

import torch
from torch import nn

from skshap.utils._optional import import_optional

__all__ = [
    "add_adapters",
    "choose_parameters",
    "first_parameter",
    "transformer_layers",
]

# As in arXiv 2406.04606, appendix D.3.
LORA_DEFAULTS = {"r": 16, "lora_alpha": 16, "target_modules": "all-linear"}


def first_parameter(network):
    """Return the first floating-point parameter of a network, or None."""
    return next((p for p in network.parameters() if p.is_floating_point()), None)


def transformer_layers(model, seen=None):
    """Return the layers of a transformer, in the order in which it has them.

    Parameters
    ----------
    model : torch.nn.Module
        Of `transformers`. Of an encoder and a decoder, the layers of the decoder follow
        those of the encoder.
    seen : set or None, default=None
        Modules that were looked at, which may be in several places.

    Returns
    -------
    list of torch.nn.ModuleDict
        By layer, its modules: the next of a list of modules or, where norms have a list
        of their own, of each of the lists of attention, norms and the rest.
    """
    layers, seen = [], set() if seen is None else seen
    for name, child in model.named_children():
        if child in seen:
            continue
        seen.add(child)
        lists = {name: child, **parts_beside(model, child)}
        if isinstance(child, nn.ModuleList) and any(map(is_block, child)):
            seen.update(lists.values())
            for layer in zip(*lists.values(), strict=True):
                names = (f"{key}_" for key in lists)  # unlike methods of ModuleDict
                layers.append(nn.ModuleDict(zip(names, layer, strict=True)))
        else:
            layers += transformer_layers(child, seen)
    return layers


def parts_beside(model, child):
    """Return other lists of parts of the layers that a list of modules has parts of.

    Those beside it of the same length, if some have blocks and others norms; a list of
    blocks that has no such lists beside it is one of whole layers.
    """
    if not isinstance(child, nn.ModuleList) or isinstance(model, nn.ModuleList):
        return {}
    lists = {n: m for n, m in model.named_children() if isinstance(m, nn.ModuleList)}
    alike = {n: m for n, m in lists.items() if len(m) == len(child)}
    blocks = {n for n, m in alike.items() if any(map(is_block, m))}
    norms = {n for n, m in alike.items() if all(map(is_norm, m))}
    if len(blocks) < 2 or not norms:
        return {}
    return {n: m for n, m in alike.items() if n in blocks | norms}


def is_block(module):
    """Whether a module has modules in turn, and is not just a list of these."""
    is_list = isinstance(module, nn.ModuleList)
    return not is_list and next(module.children(), None) is not None


def is_norm(module):
    """Whether a module has parameters, but no matrix of weights."""
    sizes = [p.dim() for p in module.parameters()]
    return bool(sizes) and max(sizes) < 2


def choose_parameters(model, parameters, n_frozen_layers):
    """Set ``requires_grad`` of a pretrained model's parameters.

    Parameters
    ----------
    model : torch.nn.Module
        Of `transformers`, with or without a head that predicts words.
    parameters : {"layers", "all", "feedforward", "lora"}
        "layers": of the transformer layers that are not frozen, and the head; "all":
        also of embeddings and whatever else the model has; "feedforward": those of
        modules outside of attention that have matrices, of the layers that are not
        frozen, without the head; "lora": those that training would change after
        `add_adapters`, but for layers that are frozen, and the head.
    n_frozen_layers : int or None
        How many of the first layers are left out; None for two thirds of them, with
        "lora" for none.

    Returns
    -------
    has_head : bool
        Whether the parameters of a head count.
    """
    layers = transformer_layers(model)
    if n_frozen_layers is None:
        n_frozen_layers = 0 if parameters == "lora" else 2 * len(layers) // 3
    if n_frozen_layers > len(layers):
        raise ValueError(
            f"n_frozen_layers={n_frozen_layers} is more than the {len(layers)} "
            f"layers of {type(model).__name__}."
        )
    has_head, body = parameters != "feedforward", model.base_model
    frozen, rest = layers[:n_frozen_layers], layers[n_frozen_layers:]
    if parameters == "lora":
        wanted = adapted(body) - {p for layer in frozen for p in layer.parameters()}
    else:
        wanted = {p for layer in rest for p in wanted_of_layer(layer, parameters)}
    model.requires_grad_(has_head)
    body.requires_grad_(parameters == "all")
    if parameters == "all":
        for name, module in body.named_children():
            module.requires_grad_(name != "pooler")  # not on the way to the output
    for layer in layers:
        layer.requires_grad_(False)
    for parameter in wanted:
        parameter.requires_grad_(True)
    if parameters == "lora" and not wanted and rest:
        raise ValueError(
            f"parameters='lora' with n_frozen_layers={n_frozen_layers} leaves no "
            f"adapter of {type(model).__name__}, of {len(layers)} layers: those that "
            "lora_params adds must not all lie in layers that are frozen, or in a "
            "pooler; name target_modules that other layers have."
        )
    if parameters == "feedforward" and not wanted:
        raise ValueError(
            f"parameters={parameters!r} with n_frozen_layers={n_frozen_layers} leaves "
            f"no parameter of {type(model).__name__}, of {len(layers)} layers: it "
            "takes modules outside of attention that have matrices; use "
            "parameters='layers', or, if layers have any, fewer n_frozen_layers."
        )
    return has_head


def wanted_of_layer(layer, parameters):
    """Yield the parameters of a layer that count; see `choose_parameters`."""
    if parameters in ("layers", "all"):
        yield from layer.parameters()
    else:  # "feedforward"
        for name, module in layer.named_modules():
            own = list(module.parameters(recurse=False))
            has_matrix = any(p.dim() > 1 for p in own)  # a norm has none
            if has_matrix and "att" not in name.lower():
                yield from own


def adapted(body):
    """Return the set of parameters that training changes after `add_adapters`."""
    found = set()
    for name, parameter in body.named_parameters():
        # The other factor is zero, and with it the gradient, unless asked for.
        other = name.replace("lora_A", "lora_B")
        is_dead = other != name and not body.get_parameter(other).any()
        # A pooler is not on the way to the output.
        is_read = not name.startswith("pooler.") and not is_dead
        if parameter.requires_grad and is_read:
            found.add(parameter)
    return found


def add_adapters(model, lora_params, seed):
    """Add low-rank adapters to a model, in place.

    Parameters
    ----------
    model : torch.nn.Module
        Of `transformers`.
    lora_params : dict or None
        Options of ``peft.LoraConfig``, instead of `LORA_DEFAULTS`.
    seed : int
        Of the adapters' random weights.

    Raises
    ------
    ImportError
        If peft is not installed; the message names the extra.
    ValueError
        If there are no such options, or nothing to add adapters to.
    """
    peft = import_optional("peft", "lora")
    options = {**LORA_DEFAULTS, **(lora_params or {})}
    device = next(model.parameters()).device
    try:
        config = peft.LoraConfig(**options)
        with torch.random.fork_rng(devices=[]), torch.device("cpu"):
            torch.default_generator.manual_seed(seed)  # none of a GPU
            peft.inject_adapter_in_model(config, model)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"lora_params={lora_params!r} must be options of peft.LoraConfig that fit "
            f"{type(model).__name__}: {error}"
        ) from error
    model.to(device)
