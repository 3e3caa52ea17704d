"""One result with all that belongs to it: numbers, structures, curves, force constants.

Small values are in the document of ``results``; large ones are fetched from GridFS when asked for,
and force constants are fitted again from the forces that are stored, as the product fitted them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from screening.candidates.crystal import bare_structure
from screening.messages.errors import ScreenError
from screening.results.phonons import (
    Spectrum,
    Transport,
    bands_of,
    phono3py_of,
    phonopy_of,
    spectrum_of,
    transport_of,
)

if TYPE_CHECKING:
    from pandas import DataFrame
    from phono3py import Phono3py
    from phonopy import Phonopy
    from phonopy.phonon.band_structure import BandStructure
    from pymatgen.core.structure import Structure

    from screening.campaigns.campaign import Campaign
    from screening.ranking.entries import RankedRow
    from screening.store.database import Database
    from screening.targets.objectives import Objective


class Result:
    """A finished calculation of one candidate.

    Parameters
    ----------
    database
        Where its large values are.
    objective
        What its campaign optimises.
    document
        Its document in ``results``, with outcome and reason as the campaign judges them.
    find_row
        Finds its row of the campaign's ranking, which knows its total error.
    """

    def __init__(
        self,
        database: Database,
        objective: Objective,
        document: Mapping[str, Any],
        find_row: Callable[[], RankedRow | None] | None = None,
    ) -> None:
        self._database = database
        self._find_row = find_row
        self.objective = objective
        self.document = dict(document)

    @classmethod
    def of(cls, campaign: Campaign, candidate_id: str, engine: str | None = None) -> Result:
        """Return the result of a candidate that a campaign ranks by.

        Parameters
        ----------
        candidate_id
            As in ``candidates``; `screening.candidates.find.find_candidate` knows other names.
        engine
            Name of the engine that computed it; None takes the one of highest fidelity that has.

        Raises
        ------
        ScreenError
            When the candidate was not computed, or not by this engine.
        """
        document = campaign.result(candidate_id, engine)
        if document is None:
            by = "" if engine is None else f" with engine '{engine}'"
            raise ScreenError(
                f"candidate '{candidate_id}': campaign '{campaign.name}' has no result of it{by}; "
                f"`matscreen status {campaign.name}` tells what is computed"
            )

        def find_row() -> RankedRow | None:
            from screening.ranking.cache import cached_ranking

            rows, _ = cached_ranking(campaign)
            return next((row for row in rows if row.candidate_id == candidate_id), None)

        return cls(campaign.database, campaign.objective, document, find_row)

    def __repr__(self) -> str:
        said = "" if self.value is None else f", {self.objective.label} = {self._value_text()}"
        return f"Result({self.candidate_id!r}, {self.outcome}{said}, {self.engine})"

    def _value_text(self) -> str:
        error = "" if self.error is None else f" ± {self.error:.2g}"
        return f"{self.value:.4g}{error} {self.unit}".strip()

    # ------------------------------------------------------------------------------- identity

    @property
    def candidate_id(self) -> str:
        """Id of the candidate, of a crystal ``formula-spacegroup-fingerprint``."""
        return str(self.document["candidate_id"])

    @property
    def formula(self) -> str:
        """Reduced formula.

        Raises
        ------
        ScreenError
            When candidates of this objective are no crystals.
        """
        return str(self._needed("formula"))

    @property
    def campaign(self) -> str:
        """Name of the campaign that computed it, which may be another than the one asked."""
        return str(self.document["campaign"])

    @property
    def engine(self) -> str:
        """Name of the engine."""
        return str(self.document["engine"])

    @property
    def outcome(self) -> str:
        """``computed``, ``unstable``, or ``infeasible`` where it breaks a constraint."""
        return str(self.document["outcome"])

    @property
    def reason(self) -> str:
        """Why it is unstable or infeasible; empty for ``computed``."""
        return str(self.document.get("reason") or "")

    # -------------------------------------------------------------------------------- numbers

    @property
    def value(self) -> float | None:
        """The value to rank by, in `unit`; None for the unstable."""
        value = self.document.get(self.objective.value_field)
        return None if value is None else float(value)

    @property
    def error(self) -> float | None:
        """Its error bar by mesh, fit or ordering, in `unit`; None where the objective has none.

        What the engine itself is wrong by is in `total_std`.
        """
        error = self.objective.error_of(self.document)
        return None if error is None else float(error)

    @functools.cached_property
    def _row(self) -> RankedRow | None:
        """Its row of the ranking, None where that stands by another engine's result."""
        row = None if self._find_row is None else self._find_row()
        return row if row is not None and row.engine == self.engine else None

    @property
    def total_std(self) -> float | None:
        """Its total standard error, the engine's bias included; None where the engine has no table.

        Of the decimal logarithm of the value where the objective is logarithmic, else in `unit`.
        For an unstable crystal it belongs to the estimate without the imaginary modes.
        """
        return None if self._row is None else self._row.total_std

    @property
    def expected_value(self) -> float | None:
        """What first principles, or a better engine, are expected to find, in `unit`."""
        return None if self._row is None else self._row.expected_value

    @property
    def expected_std(self) -> float | None:
        """Standard deviation of that, on the scale of `total_std`."""
        return None if self._row is None else self._row.expected_std

    @property
    def error_basis(self) -> str:
        """What total error and expectation rest on, or why there are none."""
        return "" if self._row is None else self._row.error_basis

    @property
    def unit(self) -> str:
        """Unit of value and error; empty for numbers without."""
        return self.objective.unit

    # ----------------------------------------------------------------------------- structures

    @property
    def structure(self) -> Structure:
        """The relaxed crystal; of an electrode the discharged one.

        Raises
        ------
        ScreenError
            When the flow of this objective stores no structure.
        """
        return self._structure("structure")

    @property
    def charged_structure(self) -> Structure:
        """Of an electrode, the relaxed charged crystal."""
        return self._structure("charged_structure")

    @property
    def path(self) -> DataFrame:
        """Of an electrode, its compositions, charged first, one a row.

        Columns are those of ``path`` in the data model, for a formula unit of the host:
        ``working_ions``, ``energy_ev``, ``volume_a3``, …; `path_structures` has the crystals.
        """
        from pandas import DataFrame

        states = self._needed("path")
        return DataFrame(
            [
                {field: value for field, value in state.items() if field != "structure"}
                for state in states
            ]
        )

    @property
    def path_structures(self) -> list[Structure]:
        """Of an electrode, the relaxed crystals in the order of `path`."""
        return [bare_structure(state["structure"]) for state in self._needed("path")]

    def _structure(self, field: str) -> Structure:
        return bare_structure(self._needed(field))

    # --------------------------------------------------------------------------------- phonons

    @functools.cached_property
    def spectrum(self) -> Spectrum:
        """Density of states and bands, also of unstable crystals.

        Raises
        ------
        ScreenError
            When the result has none.
        """
        return spectrum_of(self._large("spectrum"))

    @functools.cached_property
    def transport(self) -> Transport:
        """κ accumulated against frequency and mean free path.

        Raises
        ------
        ScreenError
            When the result has none.
        """
        return transport_of(self._large("transport"))

    @functools.cached_property
    def phono3py_params(self) -> str:
        """phono3py's parameter file with all displacements and forces, as text.

        Raises
        ------
        ScreenError
            When the result has none.
        """
        return str(self._large("phono3py_params"))

    def phonopy(self) -> Phonopy:
        """Return phonopy's object with harmonic force constants and Born charges.

        Each call makes a new one, which is the caller's to change.

        Raises
        ------
        ScreenError
            When the result has no forces.
        """
        return phonopy_of(
            self.phono3py_params, self._cutoff_a, self.candidate_id, self._force_constants
        )

    def band_structure(self, points: int = 51) -> BandStructure:
        """Return phonopy's bands along seekpath's path.

        Parameters
        ----------
        points
            q-points on each segment.
        """
        return bands_of(self.phonopy(), points)

    def phono3py(self) -> Phono3py:
        """Return phono3py's object with second- and third-order force constants, ready for κ.

        They are fitted to the stored forces as they were for the result, which takes from a
        second to a minute; those of the route few-shot are stored.

        Raises
        ------
        ScreenError
            When the result has no forces.
        """
        return phono3py_of(
            self.phono3py_params, self._cutoff_a, self.candidate_id, self._force_constants
        )

    @property
    def _force_constants(self) -> dict[str, Any] | None:
        # Only the route few-shot stores them.
        if self.document.get("force_constants") is None:
            return None
        content: dict[str, Any] = self._large("force_constants")
        return content

    @property
    def _cutoff_a(self) -> float | None:
        return self.document.get("third_order_cutoff_a")

    # --------------------------------------------------------------------------------- fetching

    def _large(self, field: str) -> Any:
        """Return a value that is in the document, or in GridFS with a reference to it there."""
        content = self._needed(field)
        if not isinstance(content, Mapping) or "blob_uuid" not in content:
            return content
        store: Any = self._database.job_store
        blob = store.additional_stores["data"].query_one(
            {"blob_uuid": content["blob_uuid"]}, ["blob_uuid", "data"]
        )
        if blob is None:
            raise ScreenError(
                f"candidate '{self.candidate_id}': {field} is no longer in the database; compute "
                "it again in a campaign with another recipe, or restore the GridFS bucket job_blobs"
            )
        return blob["data"]

    def _needed(self, field: str) -> Any:
        content = self.document.get(field)
        if content is None or content == []:
            why = f": {self.reason}" if self.reason else ""
            raise ScreenError(
                f"candidate '{self.candidate_id}' ({self.outcome}{why}): a result of objective "
                f"'{self.objective.name}' with engine '{self.engine}' that has no {field}"
            )
        return content


def with_large_values(
    database: Database, documents: dict[str, dict[str, Any]], fields: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Return results with large values in the documents; what is gone stays a reference."""
    references = {
        (key, field): str(document[field]["blob_uuid"])
        for key, document in documents.items()
        for field in fields
        if isinstance(document.get(field), Mapping) and "blob_uuid" in document[field]
    }
    if not references:
        return documents
    values = database.large_values(list(references.values()))
    filled = {key: dict(document) for key, document in documents.items()}
    for (key, field), reference in references.items():
        if reference in values:
            filled[key][field] = values[reference]
    return filled
