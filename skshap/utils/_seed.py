"""Seeds drawn from `random_state`."""

from sklearn.utils import check_random_state

__all__ = ["draw_seed"]


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
