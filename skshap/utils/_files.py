"""Archives of arrays: written all or nothing, read without pickle."""

import errno
import glob
import io
import os
import struct
import time
import uuid
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np

__all__ = [
    "DAMAGE",
    "LEFT_OVER",
    "is_damage",
    "read_arrays",
    "remove_leftovers",
    "write_arrays",
]

LEFT_OVER = 3600.0  # seconds after which nobody is writing a file any more

# What reading a damaged archive raises: an unknown compression or a flag of encryption
# come as the last two.
DAMAGE = (
    OSError,
    ValueError,
    KeyError,
    EOFError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
    RuntimeError,
)


def is_damage(error):
    """Whether a file is damaged: not where reading failed, as of too many open ones."""
    return getattr(error, "errno", None) in (None, errno.EINVAL)


def read_arrays(path):
    """Read all arrays of an archive.

    Parameters
    ----------
    path : path
        The file.

    Returns
    -------
    dict of str to ndarray

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    Exception
        One of `DAMAGE`, if the file is damaged: zip archives carry a checksum.
    """
    with zipfile.ZipFile(path) as archive:
        # Whole members, since only their end is compared with the checksum.
        members = {name: archive.read(name) for name in archive.namelist()}
    return {
        name.removesuffix(".npy"): np.lib.format.read_array(
            io.BytesIO(content), allow_pickle=False
        )
        for name, content in members.items()
    }


def write_arrays(path, **arrays):
    """Write arrays to an archive under another name, and rename it.

    Parameters
    ----------
    path : path
        The file; its folder is made if missing. Readers see all of it or, until it is
        complete, what was there before.
    **arrays : ndarray
        By name; of no Python objects.
    """
    path = Path(path).resolve()  # what a link points to, not the link
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "xb") as file:
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())  # else a crash may leave the name without content
        os.replace(temporary, path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error.__context__, KeyboardInterrupt):
            raise error.__context__ from None  # zipfile cannot close what it broke off
        raise


def remove_leftovers(path):
    """Remove what processes that were killed had written of an archive.

    Parameters
    ----------
    path : path
        The file, of which other processes may be writing.
    """
    path, digits = Path(path).resolve(), 32 * "[0-9a-f]"
    for part in path.parent.glob(f".{glob.escape(path.name)}.{digits}.tmp"):
        with suppress(OSError):  # another process was faster, or may not be disturbed
            if time.time() - part.stat().st_mtime > LEFT_OVER:
                part.unlink()
