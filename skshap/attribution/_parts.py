"""Parts of draws, computed in this process or in joblib's workers."""

import warnings
from pickle import PicklingError

import torch
from joblib import delayed, effective_n_jobs

from skshap.attribution._together import count_together, run_together
from skshap.utils._parallel import make_parallel

__all__ = ["compute_parts"]

TASK_FLOPS = 1e10  # of the parts that are sent to a worker at once
TASK_BYTES = 1 << 26  # of what they return


def compute_parts(sampler, units, *, is_pilot, n_jobs):
    """Compute parts of draws, and hand them on in their order.

    Parameters
    ----------
    sampler : Sweep or Permutations
    units : range
        Of draws times their number of parts, plus which part of it.
    is_pilot : bool
        Whether to profile what each stop of a sweep contributes.
    n_jobs : int or None
        Of joblib.

    Yields
    ------
    values : Tensor
        What the part adds to its draw.
    profile : list of ndarray or None
        See :meth:`Sweep.profile`; None if `is_pilot` is not set.
    """
    n_workers = effective_n_jobs(n_jobs)
    if n_workers == 1 or len(units) < 2:
        yield from _compute_all(sampler, units, is_pilot)
        return
    game, size = sampler.game, _units_a_task(sampler, n_workers, len(units))
    # Arrays are arguments of their own: joblib maps them into memory, or has them sent
    # once, whatever the backend.
    made = type(game), game.options, type(sampler), sampler.options
    tasks = (
        delayed(_work)(*made, some, is_pilot, *game.arrays)
        for some in _cut(units, size)
    )
    results = make_parallel(n_jobs=n_jobs, mmap_mode="c")(tasks)
    try:
        for batch in results:
            for values, profile in batch:
                yield torch.from_numpy(values), profile
    except PicklingError as error:
        raise ValueError(
            f"n_jobs={n_workers} sends work to other processes, but scoring reads what "
            "cannot be pickled, as a lock; keep that out of it, or pass n_jobs=1. "
            f"joblib says: {error}"
        ) from error
    finally:
        with warnings.catch_warnings():
            # joblib tells that what was begun ahead of a stop is thrown away.
            warnings.filterwarnings("ignore", ".*tasks which were still being")
            results.close()


def _units_a_task(sampler, n_workers, n_units):
    """Return how many parts are sent to a worker at once."""
    flops = sampler.flops() / len(sampler.parts)
    returned = sampler.problem.size * 8
    size = min(TASK_FLOPS / flops, TASK_BYTES / returned, n_units / n_workers)
    together = count_together(sampler)
    return max(1, int(size / together)) * together


def _cut(units, size):
    """Cut a range of parts where their numbers are multiples of `size`."""
    bounds = range(units.start - units.start % size, units.stop, size)
    return [range(max(i, units.start), min(i + size, units.stop)) for i in bounds]


def _compute_all(sampler, units, is_pilot):
    """Compute some parts, together where that pays; see `compute_parts`."""
    size = 1 if is_pilot else count_together(sampler)
    if size == 1:
        for unit in units:
            yield _compute(sampler, unit, is_pilot)
        return
    for some in _cut(units, size):
        # Those before are computed again: bits may depend on what is together.
        first = some.start - some.start % size
        values = run_together(sampler, range(first, some.stop))
        yield from ((own, None) for own in values[some.start - first :])


def _compute(sampler, unit, is_pilot):
    draw, part = divmod(unit, len(sampler.parts))
    if not is_pilot:
        return sampler.run(draw, part).cpu(), None
    values, *profile = sampler.profile(draw, part)
    return values.cpu(), profile


def _work(game_kind, game_options, kind, options, units, is_pilot, *arrays):
    """Compute some parts in a worker."""
    sampler = kind(game_kind(arrays, **game_options), **options)
    results = _compute_all(sampler, units, is_pilot)
    return [(values.numpy(), profile) for values, profile in results]
