"""Parameter files of phonopy and phono3py, read so that nothing in them can run.

Their own readers take YAML's full loader, which builds any Python object that a file names.
"""

from __future__ import annotations

import os
from typing import Any, TextIO

import yaml

# The compiled loader, where there is one: files with forces have many megabytes.
_SAFE_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def phonopy_record(params: str | os.PathLike[str] | TextIO) -> Any:
    """Return what a phonopy parameter file holds: cells, displacements, forces, Born charges.

    Parameters
    ----------
    params
        Path (which may end in ``.xz`` or ``.gz``) or open file.

    Raises
    ------
    ValueError
        When it is no YAML of plain values.
    """
    from phonopy.interface.phonopy_yaml import load_phonopy_yaml

    return load_phonopy_yaml(_content(params))


def phono3py_record(params: str | os.PathLike[str] | TextIO) -> Any:
    """Return what a phono3py parameter file holds, as `phonopy_record` does."""
    from phono3py.interface.phono3py_yaml import load_phono3py_yaml

    return load_phono3py_yaml(_content(params))


def _content(params: str | os.PathLike[str] | TextIO) -> dict[str, Any]:
    try:
        if isinstance(params, str | os.PathLike):
            from phonopy.file_IO import get_io_module_to_decompress

            with get_io_module_to_decompress(params).open(params, "rb") as file:
                content = yaml.load(file, Loader=_SAFE_LOADER)
        else:
            content = yaml.load(params, Loader=_SAFE_LOADER)
    except yaml.YAMLError as error:
        raise ValueError(f"the parameter file is no YAML of plain values: {error}") from None
    if not isinstance(content, dict):
        raise ValueError("the parameter file holds no fields of phonopy's")
    return content
