"""Seeds: drawn from `random_state`, and set where there are none."""

from sklearn.utils import check_random_state

__all__ = ["draw_seed", "set_seeds"]


def draw_seed(random_state):
    """Draw a seed, which what is computed later may use again and again.

    Parameters
    ----------
    random_state : int, RandomState instance or None
        An integer gives the same seed each time.

    Returns
    -------
    int
    """
    return int(check_random_state(random_state).randint(2**31 - 1))


def set_seeds(estimator, seed):
    """Seed whatever is unseeded in an estimator and in its parameters."""
    unseeded = {
        name: seed
        for name, value in estimator.get_params(deep=True).items()
        if name.rpartition("__")[2] == "random_state" and value is None
    }
    return estimator.set_params(**unseeded)
