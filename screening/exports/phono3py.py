"""Folders in which phono3py's own command line gives the stored κ again.

Force constants are fitted here, as for the result, and written down: phono3py's program reads them
and fits nothing.  It is then run with the settings of the result, which both makes the ``kappa``
file and tells whether the folder does what it promises.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.candidates.crystal import bare_structure
from screening.exports import ExportForm
from screening.messages.errors import ScreenError

if TYPE_CHECKING:
    from screening.exports.selection import Item, Selection

TEMPERATURE_K = 300.0
TOLERANCE_FRACTION = 0.005
"""Deviation from the stored κ beyond which the person is told."""


FITTED = {
    "random-pairs": (
        "finite differences, symmetrised",
        "symfc, from mirrored random displacements",
    ),
    "finite-displacements": ("finite differences, symmetrised",) * 2,
    "few-shot": ("few random snapshots and a prior: the forces alone say less",) * 2,
}
"""Where second- and third-order force constants are from, by route."""


def write(selection: Selection, folder: Path, name: str) -> None:
    """Write a folder for each candidate.

    Raises
    ------
    ScreenError
        When the result of a candidate has no forces, or phono3py fails.
    """
    for number, row in enumerate(selection.rows, start=1):
        item = selection.item(row)
        selection.tell(f"{number}/{len(selection.rows)} {row.candidate_id}: force constants and κ")
        place = folder / row.candidate_id
        place.mkdir()
        deviation = _write(item, selection.facts(item), place)
        if deviation > TOLERANCE_FRACTION:
            selection.tell(
                f"{row.candidate_id}: phono3py's κ differs from the stored one by "
                f"{100 * deviation:.1f} %; its README.md says more"
            )


def _write(item: Item, facts: dict[str, Any], folder: Path) -> float:
    """Write one folder; return by how much its κ differs from the stored one."""
    from workflows.lattice_dynamics import phono3py_folder
    from workflows.lattice_dynamics.transport import in_frame_of

    result = item.result
    if result is None or not result.document.get("meshes"):
        raise ScreenError(
            f"candidate '{item.row.candidate_id}': has no κ on a q-mesh and no stored forces; "
            "--as phono3py is for results of the objective lattice-thermal-conductivity"
        )
    document = result.document
    model = result.phono3py()
    phono3py_folder.write_files(model, folder)
    mesh = [int(divisions) for divisions in document["meshes"][-1]["mesh"]]
    command = phono3py_folder.kappa_command(
        mesh, document["temperatures_k"], isotopes=bool(document["isotope_scattering"])
    )
    line = shlex.join(command)
    (folder / "run.sh").write_text(f'#!/bin/sh\ncd "$(dirname "$0")" || exit\n{line}\n', "utf-8")
    (folder / "run.sh").chmod(0o755)
    try:
        phono3py_folder.run_kappa(folder, command)
    except RuntimeError as error:
        raise ScreenError(
            f"candidate '{item.row.candidate_id}': phono3py failed: {error}"
        ) from None
    found = in_frame_of(
        bare_structure(document["structure"]),
        model,
        phono3py_folder.read_kappa(folder / phono3py_folder.kappa_file(mesh), TEMPERATURE_K),
    )
    index = int(np.argmin(np.abs(np.asarray(document["temperatures_k"]) - TEMPERATURE_K)))
    stored = np.asarray(document["kappa_tensor_w_per_m_k"][index], dtype=float)
    deviation = float(np.abs(found - stored).max() / np.abs(stored).max())
    text = _readme(facts, document, line, mesh, stored, found)
    (folder / "README.md").write_text(text, "utf-8")
    return deviation


def _readme(
    facts: dict[str, Any],
    document: dict[str, Any],
    line: str,
    mesh: list[int],
    stored: np.ndarray[Any, np.dtype[np.float64]],
    found: np.ndarray[Any, np.dtype[np.float64]],
) -> str:
    divisions = "×".join(map(str, mesh))
    rows = zip(("xx", "yy", "zz", "yz", "xz", "xy"), stored, found, strict=True)
    table = "\n".join(f"| {name} | {_plain(one)} | {_plain(other)} |" for name, one, other in rows)
    nac = (
        f"Born charges are in `phono3py_params.yaml` and `BORN` (from {document['nac_source']})."
        if document.get("nac")
        else f"Without the non-analytical term correction ({document.get('nac_reason')})."
    )
    said = "\n".join(f"- `{key}`: {value}" for key, value in facts.items())
    second, third = FITTED.get(str(document.get("third_order_route")), FITTED["random-pairs"])
    cutoff_a = document.get("third_order_cutoff_a")
    cutoff = "without a cut-off" if cutoff_a is None else f"with a cut-off of {cutoff_a} Å"
    return f"""# {facts["formula"]}, {facts["candidate_id"]}

{said}

In this folder,

    {line}

solves for κ on the densest q-mesh of the result, {divisions}, in the relaxation-time approximation
with the tetrahedron method. `run.sh` is this line; `kappa-m….hdf5` and `phono3py.yaml` are what it
wrote when the folder was made. κ at 300 K in W/m/K, stored and by that line:

| | stored | phono3py |
|---|---|---|
{table}

Where frequencies match by symmetry, the tetrahedron method lets round-off decide: the two may
differ by some tenths of a per cent, on coarse meshes by more. The value that is ranked,
`kappa_300k_w_per_m_k`, is extrapolated from several meshes.

phono3py reads `fc2.hdf5` and `fc3.hdf5` because they lie here; it fits nothing. They were fitted to
the forces in `phono3py_params.yaml`:

- second order: {second};
- third order: {third}, {cutoff}.

{nac}

`phonopy_params.yaml` is for phonopy (`phonopy.load("phonopy_params.yaml")`); `FORCE_CONSTANTS` are
the same force constants as text, of the supercell that `phonopy_params.yaml` names.
"""


def _plain(value: float) -> str:
    # Without the sign of what rounds to zero.
    return f"{round(value, 4) + 0.0:.4f}"


FORM = ExportForm(
    name="phono3py",
    help="Force constants and parameter files that phono3py and phonopy go on with.",
    place="folder",
    content="forces",
    write=write,
    kinds=("crystal",),
)
