"""Checks of devices that torch is to compute on."""

import torch

__all__ = ["check_device"]


def check_device(device):
    """Raise if torch cannot compute on a device.

    Parameters
    ----------
    device : str, torch.device or None
        What the user passed; None is the CPU.

    Raises
    ------
    ValueError
        If there is no such device, or not on this machine.
    """
    try:
        is_real = torch.empty(0, device=device).device.type != "meta"
        error = "it holds shapes without numbers"
    except (RuntimeError, AssertionError) as caught:
        is_real, error = False, caught
    if not is_real:
        raise ValueError(
            f"device={device!r} cannot be used: {error}; use device=None for the CPU."
        )
