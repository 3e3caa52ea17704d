"""What a YAML of a library of polyimides states."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    field_validator,
    model_validator,
)

from screening.molecules.chemical_groups import GroupName

Role = Literal["dianhydride", "diamine", "diol"]
REACTIVE: dict[Role, GroupName] = {
    "dianhydride": "cyclic_anhydride",
    "diamine": "primary_amine",
    "diol": "hydroxyl",
}
"""The group that a molecule of each role has twice."""


class StatedMonomer(BaseModel):
    """A molecule as a list has it.

    Parameters
    ----------
    smiles
        With counter-ions and water or without.
    name
        For people.
    cid
        Number in PubChem, with or without ``CID`` before it.
    """

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    smiles: str
    name: str = ""
    cid: str = ""


class Columns(BaseModel):
    """Names of the columns of a table of monomers; None for one that is not there."""

    model_config = ConfigDict(extra="forbid")

    smiles: str = "smiles"
    name: str | None = "name"
    cid: str | None = None


class MonomerList(BaseModel):
    """Molecules to choose from.

    Parameters
    ----------
    file
        Table with a header (CSV, packed or not): beside the YAML, or shipped.
    columns
        Which of its columns are read.
    entries
        Molecules written in the YAML itself.
    role
        What all of them are meant to be: one that is not is refused with the reason. Without it
        each is what its groups make it.
    buyable
        Whether they can be bought, as far as the list says; null where it does not.
    """

    model_config = ConfigDict(extra="forbid")

    file: str | None = None
    columns: Columns = Columns()
    entries: list[StatedMonomer] = Field(default_factory=list)
    role: Role | None = None
    buyable: bool | None = None

    @model_validator(mode="after")
    def _has_one(self) -> Self:
        if (self.file is None) == (not self.entries):
            raise ValueError("give either file or entries")
        return self


class Route(BaseModel):
    """How a diol becomes a monomer.

    Parameters
    ----------
    name
        For people.
    code
        A few letters, for names of polymers.
    makes
        What it becomes.
    attach
        SMILES of what each oxygen atom of the diol, written ``*``, is bonded to afterwards.
    steps
        What each reaction does.
    exclude
        Groups that a diol must not have in this route.
    """

    model_config = ConfigDict(extra="forbid")

    name: str
    code: str = Field(pattern=r"^[A-Za-z]+$")
    makes: Literal["dianhydride", "diamine"]
    attach: str
    steps: list[str] = Field(min_length=1)
    exclude: list[GroupName] = Field(default_factory=list)

    @field_validator("attach")
    @classmethod
    def _has_one_single_bond(cls, attach: str) -> str:
        from rdkit import Chem, rdBase

        with rdBase.BlockLogs():
            piece = Chem.MolFromSmiles(attach)
        dummies = [a for a in piece.GetAtoms() if a.GetAtomicNum() == 0] if piece else []
        bonds = [bond.GetBondType() for dummy in dummies for bond in dummy.GetBonds()]
        if bonds != [Chem.BondType.SINGLE]:
            raise ValueError(f"'{attach}' is no SMILES with one * at a single bond")
        return attach


class PolyimideConfig(BaseModel):
    """A library of polyimides: every dianhydride with every diamine.

    Parameters
    ----------
    monomers
        Lists of molecules; of equal ones the first counts.
    exclude
        Groups that a molecule of each role must not have.
    routes
        How further monomers are made of the diols.
    max_polymers
        So many are drawn at random; null takes all.
    seed
        Decides which are drawn.
    names
        Short names by CID.
    """

    model_config = ConfigDict(extra="forbid")

    monomers: list[MonomerList] = Field(min_length=1)
    exclude: dict[Role, list[GroupName]] = Field(default_factory=dict)
    routes: list[Route] = Field(default_factory=list)
    max_polymers: PositiveInt | None = None
    seed: int = Field(0, ge=0)
    names: dict[str, str] = Field(default_factory=dict)
