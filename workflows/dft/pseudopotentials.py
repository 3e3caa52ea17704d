"""A folder of UPF pseudopotentials: which element has which file, and with what cut-offs."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from workflows.errors import EngineError

RYDBERG_EV = 13.605693122994
HARTREE_EV = 2 * RYDBERG_EV
HEADER_BYTES = 60_000
"""The header of a UPF file comes after a comment that may be long."""


@dataclass(frozen=True)
class Pseudopotential:
    """One UPF file.

    Parameters
    ----------
    element
        Chemical symbol.
    path
        The file.
    norm_conserving
        Whether it is norm-conserving: its density then needs four times the cut-off.
    z_valence
        Electrons it leaves.
    cutoff_ev, density_cutoff_ev
        Recommended cut-offs; None where the library states none.
    """

    element: str
    path: Path
    norm_conserving: bool
    z_valence: float
    cutoff_ev: float | None
    density_cutoff_ev: float | None


@functools.lru_cache(maxsize=8)
def read_library(folder: Path) -> dict[str, Pseudopotential]:
    """Return element → pseudopotential of a folder.

    Cut-offs come from the UPF header, from a table like SSSP's (``*.json``: element →
    ``filename``, ``cutoff_wfc``, ``cutoff_rho`` in Ry, which also chooses among files), or from
    PseudoDojo's ``*.djrepo`` beside the file (the ``normal`` hint, in Hartree).

    Raises
    ------
    EngineError
        When the folder has no UPF file, or several for one element and no table to choose.
    """
    if not folder.is_dir():
        raise EngineError(f"pseudopotential folder '{folder}' does not exist")
    table = _table(folder)
    found: dict[str, Pseudopotential] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() != ".upf":
            continue
        pseudo = _read(path, table)
        chosen = table.get(pseudo.element, {}).get("filename")
        if chosen is not None and chosen != path.name:
            continue
        if pseudo.element in found:
            raise EngineError(
                f"pseudopotential folder '{folder}' has both {found[pseudo.element].path.name} and "
                f"{path.name} for {pseudo.element}; leave one"
            )
        found[pseudo.element] = pseudo
    if not found:
        raise EngineError(f"pseudopotential folder '{folder}' has no UPF file")
    return found


@functools.lru_cache(maxsize=8)
def library_fingerprint(folder: Path) -> str:
    """Return a hash of a library: elements, stated cut-offs, contents of the files."""
    library = read_library(folder)
    digest = hashlib.sha256()
    for element in sorted(library):
        pseudo = library[element]
        digest.update(f"{element} {pseudo.cutoff_ev} {pseudo.density_cutoff_ev} ".encode())
        digest.update(pseudo.path.read_bytes())
    return digest.hexdigest()[:12]


def _table(folder: Path) -> dict[str, dict[str, str]]:
    for path in sorted(folder.glob("*.json")):
        content = json.loads(path.read_text())
        if isinstance(content, dict) and all(
            isinstance(entry, dict) and "filename" in entry for entry in content.values()
        ):
            return content
    return {}


def _read(path: Path, table: dict[str, dict[str, str]]) -> Pseudopotential:
    with path.open(errors="replace") as file:
        text = file.read(HEADER_BYTES)
    header = re.search(r"<PP_HEADER(.*?)/?>", text, re.DOTALL)
    fields = dict(re.findall(r'(\w+)\s*=\s*"([^"]*)"', header.group(1))) if header else {}
    if "element" not in fields:
        raise EngineError(f"'{path}' is no UPF file of version 2: it has no PP_HEADER with element")
    element = fields["element"].strip()
    cutoff, density_cutoff = _cutoffs(path, fields, table.get(element, {}))
    return Pseudopotential(
        element=element,
        path=path.resolve(),
        norm_conserving=fields.get("pseudo_type", "NC").strip() in {"NC", "SL"},
        z_valence=float(fields.get("z_valence", "0")),
        cutoff_ev=cutoff,
        density_cutoff_ev=density_cutoff,
    )


def _cutoffs(
    path: Path, fields: dict[str, str], entry: dict[str, str]
) -> tuple[float | None, float | None]:
    if "cutoff_wfc" in entry:
        density = float(entry["cutoff_rho"]) * RYDBERG_EV if "cutoff_rho" in entry else None
        return float(entry["cutoff_wfc"]) * RYDBERG_EV, density
    dojo = path.with_suffix(".djrepo")
    if dojo.exists():
        hints = json.loads(dojo.read_text()).get("hints", {})
        if "normal" in hints:
            return float(hints["normal"]["ecut"]) * HARTREE_EV, None
    wave = float(fields.get("wfc_cutoff", "0") or 0)
    # Generators that know no cut-off write 0; a density cut-off alone says nothing here.
    if wave > 0:
        density_ry = float(fields.get("rho_cutoff", "0") or 0)
        return wave * RYDBERG_EV, density_ry * RYDBERG_EV or None
    return None, None
