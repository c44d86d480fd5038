"""What one call of `attribute` asks for: scorings and semivalues, as `fit` saw them."""

from typing import NamedTuple

from skshap.attribution._semivalues import size_weights
from skshap.utils._describe import describe

__all__ = ["check_asked", "check_same", "check_units"]


class Asked(NamedTuple):
    """What is estimated, every semivalue by every scoring.

    Attributes
    ----------
    scorings : list of str or callable
    semivalues : list of str or tuple
    """

    scorings: list
    semivalues: list

    def by_name(self, estimate):
        """Name parts of an estimate, of shape (n_semivalues, n_scorings, ...).

        Returns
        -------
        dict
            From (scoring, semivalue) to its part.
        """
        return {
            (scoring, semivalue): estimate[v, s]
            for s, scoring in enumerate(self.scorings)
            for v, semivalue in enumerate(self.semivalues)
        }


def check_asked(scorings, semivalues, one, check_scoring):
    """Check lists of scorings and semivalues.

    Parameters
    ----------
    scorings, semivalues : list or None
        What the user passed; None for the one of `one`.
    one : tuple
        A scoring and a semivalue.
    check_scoring : callable
        Raises if a scoring is not known.

    Returns
    -------
    Asked

    Raises
    ------
    ValueError
        If one of them is no list, empty, names something twice or something unknown, or
        holds what is not hashable.
    """
    found, are_keys = [], scorings is not None or semivalues is not None
    for name, several, single, check in (
        ("scorings", scorings, one[0], check_scoring),
        ("semivalues", semivalues, one[1], lambda name: size_weights(name, 1)),
    ):
        several = [single] if several is None else several
        if not isinstance(several, list) or not several:
            raise ValueError(
                f"{name} must be a list of at least one, got {several!r}; use the "
                f"parameter {name[:-1]} for a single one."
            )
        for item in several:
            if isinstance(item, list):
                raise ValueError(f"{name} holds {item!r}; use tuple({item!r}).")
            check(item)
            if are_keys:
                _check_hashable(item)
        if are_keys and len(set(several)) < len(several):
            raise ValueError(f"{name} must differ, got {several!r}.")
        found.append(several)
    return Asked(*found)


def check_units(asked, scoring, null_score):
    """Raise if a number as `null_score` meets other scorings than that of its units."""
    others = [other for other in asked.scorings if other != scoring]
    beside = " as well" * (len(others) < len(asked.scorings))
    if others and not isinstance(null_score, str):
        raise ValueError(
            f"null_score={null_score!r} is in the units of scoring={scoring!r}, but "
            f"scorings asks for {others[0]!r}{beside}; name the null score, as "
            "null_score='prior', or fit an attributor for each scoring."
        )


def check_same(name, now, seen, remedy=""):
    """Raise if a parameter is no longer what `fit` saw.

    Parameters
    ----------
    name : str
        Of the parameter.
    now, seen : object
        Its value, and that which `fit` saw.
    remedy : str, default=""
        What else there is to do than to fit again or to set it back.
    """
    is_same = now is seen or now == seen
    if callable(now) and callable(seen) and not is_same:
        is_same = describe(now) == describe(seen)  # as partials of one function
    if not is_same:
        raise ValueError(
            f"{name}={now!r} was set after fit, which saw {name}={seen!r}; fit again,"
            f"{remedy} or set it back."
        )


def _check_hashable(item):
    try:
        hash(item)
    except TypeError as error:
        raise ValueError(
            f"{item!r} cannot be a key of what is returned by scoring and semivalue: "
            f"{error}; pass a function."
        ) from error
