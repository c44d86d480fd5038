"""Checks of devices."""

import pytest

from skshap.utils._device import check_device


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "meta"])
def test_a_device_that_is_not_there_is_named(device):
    with pytest.raises(ValueError, match=f"device='{device}'.*None"):
        check_device(device)
    check_device(None)
    check_device("cpu")
