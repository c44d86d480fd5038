"""Batches that go through a network one after the other, or in joblib's workers."""

import copy
from functools import partial
from itertools import cycle
from queue import SimpleQueue

import torch
from joblib import delayed, effective_n_jobs

from skshap.utils._parallel import make_parallel

__all__ = ["count_workers", "find_devices", "map_batches", "map_tasks"]

TASK_ROWS = 256  # that a copy of the network is sent for, about


def find_devices(device):
    """Return where copies of a network may run.

    Parameters
    ----------
    device : str, torch.device or None
        What the user passed.

    Returns
    -------
    list of torch.device or None
        All GPUs for "cuda" without a number; None is where the network is.
    """
    device = None if device is None else torch.device(device)
    if device is not None and device.type == "cuda" and device.index is None:
        return [torch.device("cuda", i) for i in range(torch.cuda.device_count())]
    return [device]


def map_batches(function, capture, batches, devices):
    """Call a function on batches, in joblib's workers if it is told to have several.

    They are what :func:`joblib.parallel_config` says. Without it, several devices are
    used each from a thread of its own.

    Parameters
    ----------
    function : callable
        Takes a `GradientCapture`, a batch and the lengths of its rows. It returns
        numpy arrays or a list of them, or a tuple of tensors.
    capture : GradientCapture
        Itself with one worker, else a copy for each task.
    batches : iterable of (ndarray, ndarray or None, batch)
        Positions of rows, their lengths, and what the network reads.
    devices : sequence of torch.device or None
        From `find_devices`.

    Yields
    ------
    positions : ndarray
        In the order of `batches`.
    result : object
        What the function returned; tensors from a worker are on the CPU.
    """
    if count_workers(devices) == 1:
        for positions, lengths, batch in batches:
            yield positions, function(capture, batch, lengths)
        return
    # The same batches as without workers, so that numbers differ by no padding.
    results = map_tasks(
        partial(_run_batches, function), capture, _tasks(batches), devices
    )
    for _, found in results:
        yield from found


def count_workers(devices):
    """Return how many workers there are: what joblib is told, or one a device."""
    n_workers = effective_n_jobs(None)
    return len(devices) if n_workers == 1 else n_workers


def map_tasks(function, capture, tasks, devices):
    """Call a function on tasks, in joblib's workers or in a thread for each device.

    Parameters
    ----------
    function : callable
        Takes a `GradientCapture` and a task.
    capture : GradientCapture
        Itself with one worker, else a copy for each task.
    tasks : iterable
    devices : sequence of torch.device or None
        From `find_devices`.

    Yields
    ------
    task, result : object
        In the order of `tasks`.
    """
    if count_workers(devices) == 1:
        for task in tasks:
            yield task, function(capture, task)
        return
    given = []
    if effective_n_jobs(None) > 1:
        calls = (
            delayed(_run_task)(function, capture, task, device)
            for task, device in zip(
                _remembered(tasks, given), cycle(devices), strict=False
            )
        )
        for result in make_parallel()(calls):
            yield given.pop(0), result
        return
    free = SimpleQueue()
    for device in devices:
        free.put(device)
    calls = (
        delayed(_run_where_free)(function, capture, task, free)
        for task in _remembered(tasks, given)
    )
    try:
        for result in make_parallel(n_jobs=len(devices), backend="threading")(calls):
            yield given.pop(0), result
    except RuntimeError:
        for _ in devices:  # threads that are still at work are waited for
            free.get()
        raise


def _remembered(tasks, given):
    for task in tasks:
        given.append(task)
        yield task


def _tasks(batches):
    """Yield lists of batches, of about `TASK_ROWS` rows."""
    task, n_rows = [], 0
    for batch in batches:
        task.append(batch)
        n_rows += len(batch[0])
        if n_rows >= TASK_ROWS:
            yield task
            task, n_rows = [], 0
    if task:
        yield task


def _run_task(function, capture, task, device):
    """Call a function on a task, with a network of the worker's own."""
    # In threads the others use the same objects; hooks change a network, and sketches
    # move their projections to the network's device.
    function, capture = copy.deepcopy((function, capture))
    if device is not None:
        capture.network.to(device)
    return function(capture, task)


def _run_where_free(function, capture, task, free):
    """Call a function on a task, on a device that no other thread works on."""
    device = free.get()
    try:
        return _run_task(function, capture, task, device)
    finally:
        free.put(device)


def _run_batches(function, capture, task):
    """Call a function on each batch of a task."""
    return [
        (positions, _to_cpu(function(capture, batch, lengths)))
        for positions, lengths, batch in task
    ]


def _to_cpu(result):
    if isinstance(result, tuple):
        return tuple(part.cpu() for part in result)
    return result
