"""Dispersion on top of a calculator that knows none."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ase.calculators.calculator import BaseCalculator


def with_d3(calculator: str, arguments: dict[str, Any], functional: str = "pbe") -> BaseCalculator:
    """Return a calculator with D3(BJ) dispersion added to its energies, forces and stresses.

    S. Grimme, S. Ehrlich and L. Goerigk, J. Comput. Chem. 32, 1456 (2011), with the
    parameters of the functional that the calculator stands for.

    Parameters
    ----------
    calculator
        Import path of an ASE calculator.
    arguments
        Its keyword arguments.
    functional
        As torch-dftd names it.
    """
    from ase.calculators.mixing import SumCalculator
    from torch_dftd.torch_dftd3_calculator import TorchDFTD3Calculator

    module, _, name = calculator.rpartition(".")
    bare = getattr(importlib.import_module(module), name)(**arguments)
    dispersion = TorchDFTD3Calculator(device="cpu", damping="bj", xc=functional, abc=False)
    return SumCalculator([bare, dispersion])
