"""What many tests ask libraries for is computed once: the same question has the same answer."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest


def once(search: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function, asked once for each bit pattern of its arguments.

    Every caller gets a copy of the answer.  Arrays given by keyword are not answered in.
    """
    answers: dict[Any, tuple[Any, list[Any]]] = {}

    @functools.wraps(search)
    def ask(*arguments: Any, **options: Any) -> Any:
        key = (*map(_key, arguments), *((name, _key(word)) for name, word in options.items()))
        if key not in answers:
            answer = search(*arguments, **options)
            answers[key] = copy.deepcopy((answer, list(arguments)))
            return answer
        answer, after = answers[key]
        # Some searches answer in the arrays that they are given.
        for word, changed in zip(arguments, after, strict=True):
            if isinstance(word, np.ndarray):
                word[...] = changed
        return copy.deepcopy(answer)

    return ask


def _key(word: Any) -> Any:
    if isinstance(word, np.ndarray):
        return word.shape, word.dtype.str, word.tobytes()
    # 1, 1.0 and True are equal, and need not mean the same.
    return type(word), tuple(word) if isinstance(word, list) else word


def search_symmetry_once() -> None:
    """Ask spglib once for each cell and tolerance: of a face-centred crystal it takes 35 ms."""
    from spglib import _spglib

    for name in ("dataset", "refine_cell", "standardize_cell"):
        setattr(_spglib, name, once(getattr(_spglib, name)))


def permute_atoms_once() -> None:
    """Ask phonopy and symfc once which atom an operation of a supercell puts where.

    Each of their models asks anew: of 32 atoms of copper, with 1536 operations, it takes 0.2 s.
    """
    from phonopy.structure import cells, symmetry
    from symfc.spg_reps import spg_reps_base

    permutations = once(cells.compute_all_sg_permutations)
    for module in (cells, symmetry):
        module.compute_all_sg_permutations = permutations
    symmetry.collect_unique_rotations = once(symmetry.collect_unique_rotations)
    spg_reps_base.compute_sg_permutations = once(spg_reps_base.compute_sg_permutations)
    representations = spg_reps_base.SpgRepsBase
    distinct = once(functools.partial(representations._get_unique_rotation_indices, None))
    representations._get_unique_rotation_indices = lambda self, rotations: distinct(rotations)


def build_space_groups_once() -> None:
    """Build each of pymatgen's space groups once, and without half a second of comparisons.

    It forgets a group with the last crystal that was built of it, and compares each operation with
    all others when it builds one, although the operations of its table are all different.
    """
    from pymatgen.core.operations import SymmOp
    from pymatgen.symmetry.groups import SpaceGroup

    build = SpaceGroup.__new__

    @functools.cache
    def build_once(*arguments: object, **options: object) -> SpaceGroup:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(SymmOp, "__eq__", object.__eq__)
            return build(*arguments, **options)

    SpaceGroup.__new__ = build_once
