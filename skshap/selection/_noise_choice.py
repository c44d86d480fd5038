"""The noise models that may be, and the one to go by."""

from itertools import product

from skshap.selection._noise_model import NoiseModel
from skshap.selection._noise_price import count_common, worth

__all__ = ["choose_model", "noise_models"]


def noise_models(given, n_classes, is_clean, noise="auto"):
    """List the models of how labels went wrong that are to be compared.

    Parameters
    ----------
    given, n_classes, is_clean
        See :class:`NoiseModel`.
    noise : {"auto", "class-conditional", "symmetric"}, default="auto"
        "auto": alike but for some pairs of classes, as `choose_model` finds them; of
        two classes, which have two rates, the first. Classes of which a single label is
        judged do not count: none of theirs is called wrong.

    Returns
    -------
    list of NoiseModel
        Not fitted, the simplest first. Of more than two classes each kind of noise is
        there with both scalings; of two a matrix says no more than two slopes.
    """
    kinds, scalings = [noise], ["vector", "matrix"]
    if noise == "auto":
        kinds = ["symmetric", "by pair"]
    if count_common(given[~is_clean]) == 2:
        kinds, scalings = (
            [noise if noise != "auto" else "class-conditional"],
            ["vector"],
        )
    return [
        NoiseModel(given, n_classes, is_clean, noise=kind, scaling=scaling)
        for scaling, kind in product(scalings, kinds)
    ]


def choose_model(models):
    """Return the model that explains labels best for what it costs.

    Parameters
    ----------
    models : list of NoiseModel
        Fitted, from `noise_models`, those by pair as `prune` leaves them.

    Returns
    -------
    place : int
        Of the model in the list. Of equal ones it is the first, and of a kind of noise
        and a scaling only that is looked at: one that lost all pairs is symmetric.
    model : NoiseModel
    """
    places = {}
    for place, model in enumerate(models):
        places.setdefault((model.noise, model.scaling), place)
    place = max(places.values(), key=lambda i: worth(models[i]))
    return place, models[place]
