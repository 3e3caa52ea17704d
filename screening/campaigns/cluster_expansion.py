"""The cluster expansion that a campaign of ordered structures has come to; ground states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from screening.alloys.cluster_features import N_CONCENTRATIONS, interactions
from screening.alloys.lattice import AlloyLattice
from screening.campaigns.training_data import feature_matrix, training_data
from screening.candidates.ordering import Ordering
from screening.choosing.bayesian_linear import BayesianLinear
from screening.choosing.config import SurrogateConfig
from screening.choosing.convex_hull import hull_energies
from screening.choosing.hull_sampler import left_out_rms
from screening.choosing.pool import Pool
from screening.messages.errors import ScreenError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from screening.campaigns.campaign import Campaign
    from screening.campaigns.snapshot import Snapshot

ON_HULL_EV = 1e-7


@dataclass(frozen=True)
class ClusterExpansion:
    """A cluster expansion of mixing energies, fitted to all results of a campaign.

    Attributes
    ----------
    lattice : AlloyLattice
    constant_ev : float
    of_concentrations_ev : ndarray, shape (concentrations,)
        Linear terms, which are constant at a composition.
    interactions_ev : ndarray, shape (clusters,)
        Factors of the cluster vector in the mixing energy of an atom.
    left_out_rms_ev : float
        Root mean square error of the mixing energies of structures that are left out, one by one;
        end members, which are exact, are not.
    end_member_error_ev : float
        Largest mixing energy that it gives an end member, which has none.
    n_structures : int
        That it was fitted to.
    predicted_ev : dict
        Mixing energy of every structure of the pool, by id.
    """

    lattice: AlloyLattice
    constant_ev: float
    of_concentrations_ev: NDArray[np.float64]
    interactions_ev: NDArray[np.float64]
    left_out_rms_ev: float
    end_member_error_ev: float
    n_structures: int
    predicted_ev: Mapping[str, float]

    def interactions_at(self, shares: Mapping[str, float]) -> NDArray[np.float64]:
        """Return the interactions, with all that is constant at a composition in the first."""
        found = self.interactions_ev.copy()
        independent = [shares[symbol] for symbol in self.lattice.mixed[1:]]
        found[0] += self.constant_ev + float(
            self.of_concentrations_ev[: len(independent)] @ np.array(independent)
        )
        return found


@dataclass(frozen=True)
class GroundStates:
    """What is on the hull of what is computed, and on that of the cluster expansion.

    Attributes
    ----------
    computed : list of str
        Ids on the hull of what is computed, end members among them.
    missed : list of str
        Those of them that are not on the hull of the expansion.
    false : list of str
        Ids on the hull of the expansion, over all structures of the pool, that were computed and
        are above the hull.
    unconfirmed : list of str
        Ids on the hull of the expansion that were not computed.
    """

    computed: list[str]
    missed: list[str]
    false: list[str]
    unconfirmed: list[str]


def cluster_expansion(campaign: Campaign, snapshot: Snapshot | None = None) -> ClusterExpansion:
    """Fit a cluster expansion to the results of the engine that explores.

    Raises
    ------
    ScreenError
        When the campaign is not one of ordered structures, or has too few results.
    """
    snapshot = snapshot or campaign.snapshot()
    if campaign.kind.name != "ordering":
        raise ScreenError(
            f"campaign '{campaign.name}' is one of {campaign.kind.plural}; a cluster expansion "
            "takes ordered structures: matscreen submit --target ordering"
        )
    seen = training_data(snapshot)
    if len(seen.ids) < 3:
        raise ScreenError(
            f"campaign '{campaign.name}' has {len(seen.ids)} mixing energies; compute more: "
            f"matscreen work {campaign.name}"
        )
    candidate = campaign.candidate(seen.ids[0])
    assert isinstance(candidate, Ordering)
    lattice = AlloyLattice.model_validate(candidate.alloy_lattice)
    model = BayesianLinear(SurrogateConfig(kind=BayesianLinear.name), snapshot.config.seed)
    told = Pool.of(seen, [], np.empty((0, seen.features.shape[1])), raw=True)
    model.fit(told.evaluated[: told.n_valued], told.values, told.value_std)
    left_out = left_out_rms(model, told)
    constant, coefficients = model.coefficients()
    ids = list(snapshot.pool_features)
    predicted, _ = model.predict(feature_matrix(snapshot.pool_features, ids))
    exact = np.array([] if told.value_std is None else told.value_std == 0.0, dtype=bool)
    ends, _ = model.predict(told.evaluated[: told.n_valued][exact])
    return ClusterExpansion(
        lattice=lattice,
        constant_ev=constant,
        of_concentrations_ev=coefficients[:N_CONCENTRATIONS],
        interactions_ev=interactions(lattice, coefficients[N_CONCENTRATIONS:]),
        left_out_rms_ev=left_out,
        end_member_error_ev=float(np.abs(ends).max()) if len(ends) else np.nan,
        n_structures=len(seen.ids),
        predicted_ev=dict(zip(ids, predicted.tolist(), strict=True)),
    )


def ground_states(snapshot: Snapshot, expansion: ClusterExpansion) -> GroundStates:
    """Compare the hull of what is computed with that of the cluster expansion."""
    value = snapshot.objective.value_field
    above = {
        key: float(result[value])
        for key, result in snapshot.explored.items()
        if key in snapshot.pool and snapshot.objective.is_usable(result)
    }
    gone = {key for key, result in snapshot.explored.items() if result["outcome"] == "unstable"}
    # Structures that left the lattice are none of it, whatever the expansion says.
    ids = [key for key in expansion.predicted_ev if key not in gone]
    energies = np.array([expansion.predicted_ev[key] for key in ids])
    places = feature_matrix(snapshot.pool_features, ids)[:, :N_CONCENTRATIONS]
    places = places[:, np.ptp(places, axis=0) > 0]
    own = energies - hull_energies(places, energies, places)
    expected = {key for key, height in zip(ids, own.tolist(), strict=True) if height < ON_HULL_EV}
    computed = [key for key, height in above.items() if height < ON_HULL_EV]
    return GroundStates(
        computed=sorted(computed),
        missed=sorted(set(computed) - expected),
        false=sorted(key for key in expected if above.get(key, 0.0) >= ON_HULL_EV),
        unconfirmed=sorted(expected - above.keys()),
    )
