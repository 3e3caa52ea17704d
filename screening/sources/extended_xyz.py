"""Frames of an extended XYZ file, cut apart here and parsed by ASE one by one.

ASE's own reader of many frames ends at the first that it cannot read.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from screening.sources.record import EntryError

if TYPE_CHECKING:
    from ase import Atoms

_COUNT = re.compile(r"\s*\d+\s*")
_PARTS = re.compile(
    r"""("[^"]*"|'[^']*'|\{[^}]*\}|\[[^]]*\])|\b(lattice|properties|pbc)\s*=\s*""", re.IGNORECASE
)
"""What is in quotes, and the names that mean something, in any case."""
_NAMES = {"lattice": "Lattice", "properties": "Properties", "pbc": "pbc"}


def frames(text: str) -> Iterator[str]:
    """Cut a file into frames, each from its number of atoms to the next.

    A line of one number alone begins a frame wherever it stands: a line of an atom holds more.  So
    a frame with too few or too many lines costs none of the others.
    """
    lines = text.split("\n")
    first = 0
    while first < len(lines):
        if not lines[first].strip():
            first += 1
            continue
        # The comment line may be any text, also a number.
        after = next(
            (i for i in range(first + 2, len(lines)) if _COUNT.fullmatch(lines[i])), len(lines)
        )
        yield "\n".join(lines[first:after]).rstrip()
        first = after


def frame_atoms(text: str) -> Atoms:
    """Parse one frame.

    Raises
    ------
    EntryError
        When it is incomplete, or not periodic in three dimensions.
    """
    import numpy as np
    from ase.io import read
    from ase.io.extxyz import key_val_str_to_dict

    count, *lines = text.split("\n")
    if not _COUNT.fullmatch(count):
        raise EntryError("a frame should begin with a line that holds the number of atoms alone")
    there = len(lines[1:])
    if there != int(count) or not there:
        plural = "" if there == 1 else "s"
        cut_off = "; is it truncated?" if there < int(count) else ""
        raise EntryError(
            f"it lists {{there}} atom{plural} where its first line says {{n_atoms}}{cut_off}",
            there=there,
            n_atoms=int(count),
        )
    comment = _PARTS.sub(_canonical, lines[0])
    if "Lattice=" not in comment:
        raise EntryError(
            'it is not periodic: its second line states no Lattice="…", which is the cell'
        )
    whole = "\n".join([count, comment, *lines[1:], ""])
    stated = key_val_str_to_dict(comment.replace("Lattice=", "lattice=", 1)).get("lattice")
    if np.shape(stated) != (9,):
        raise EntryError("its Lattice should be nine numbers, the Cartesian ones of three vectors")
    try:
        atoms = read(io.StringIO(whole), index=0, format="extxyz")
    except KeyError as error:
        raise EntryError("{symbol} is no symbol of an element", symbol=str(error)) from None
    assert not isinstance(atoms, list)
    _refuse_shares(atoms)
    if not atoms.pbc.all():
        said = " ".join("T" if axis else "F" for axis in atoms.pbc)
        raise EntryError(
            "it is not periodic in three dimensions: its pbc is {said}, as of a slab or molecule",
            said=said,
        )
    if not atoms.cell.volume > 0:
        raise EntryError("the three vectors of its Lattice span no volume")
    return atoms


def _refuse_shares(atoms: Atoms) -> None:
    """Raise `EntryError` where a column says that sites are occupied in part."""
    for name, column in atoms.arrays.items():
        if not name.lower().startswith("occup") or column.dtype.kind not in "fi":
            continue
        partial = next((k for k, share in enumerate(column.ravel()) if share != 1), None)
        if partial is not None:
            share = column.ravel()[partial]
            raise EntryError(
                "it is disordered: its atom {number} is occupied by {share:g}",
                number=partial + 1,
                share=share,
            )


def _canonical(part: re.Match[str]) -> str:
    return part[1] or f"{_NAMES[part[2].lower()]}="
