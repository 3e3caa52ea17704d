"""A sampler that looks for the convex hull of energies over compositions, and knows when to stop.

A campaign with it is the usual loop of cluster expansions: fit, predict all structures, compute
those predicted on or near the hull, fit again, until no prediction is new (A. van de Walle and G.
Ceder, J. Phase Equilib. 23, 348 (2002)).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from pydantic import Field

from screening.choosing.config import SamplerConfig
from screening.choosing.convex_hull import hull_energies
from screening.choosing.observations import Floats, Observations, Proposal, SearchEndedError
from screening.choosing.pool import Pool
from screening.choosing.prediction import surrogate_for
from screening.choosing.prior import takes_raw
from screening.choosing.surrogates import Model

N_CONCENTRATIONS = 3
"""Leading features that are concentrations; those that are the same in the whole pool do not
count."""


class HullConfig(SamplerConfig):
    """Options of the search for the hull.

    Attributes
    ----------
    window_ev_per_atom : float
        A structure is computed when it is predicted no higher above the hull than this.
    confidence : float
        And when, so many standard deviations better than its prediction, it would be below the
        hull of what is computed.
    accuracy_ev_per_atom : float
        The search goes on, with what the model is least certain of, until predictions of results
        that are left out are as good as this, root mean square.
    """

    window_ev_per_atom: float = Field(default=0.005, ge=0)
    confidence: float = Field(default=1.0, ge=0)
    accuracy_ev_per_atom: float = Field(default=0.005, gt=0)


class HullSampler:
    """End members, then what teaches the model most, then what may be on the hull.

    The features must begin with concentrations and the values be energies of mixing.  Proposes
    nothing once no structure that is not computed is predicted on the hull or near it, and
    predictions are accurate.
    """

    name: ClassVar = "convex-hull"
    help: ClassVar = "Looks for the convex hull of mixing energies, and stops when it is found."
    Options: ClassVar[type[SamplerConfig]] = HullConfig
    reasons: ClassVar[Mapping[str, str]] = {
        "end-member": "energies of mixing are relative to it",
        "leverage": "its prediction was least certain",
        "hull": "it was predicted on the convex hull, or near it",
        "may-be-hull": "it may be on the convex hull, as far as the model knows",
    }

    def __init__(self, options: HullConfig) -> None:
        self.options = options

    def propose(
        self,
        observations: Observations,
        available_ids: list[str],
        available_features: Floats,
        n: int,
        seed: int,
    ) -> list[Proposal]:
        """Pick end members, then `initial` candidates by leverage, then those near the hull.

        Their batch is filled up; what comes later waits until they have values, without which
        no other structure has one.

        Raises
        ------
        SearchEndedError
            When an end member has ended without a value.
        """
        told = observations, available_ids, available_features
        pool = Pool.of(*told, raw=True)
        n = min(n, len(pool.ids))
        if n <= 0:
            return []
        picks = _end_members(pool.available)[:n]
        if not picks:
            if _end_members(pool.pending):
                return []
            if lost := _lost_end_members(pool, observations.infeasible_ids):
                raise SearchEndedError(
                    f"at least one of the end members {', '.join(lost)} has no energy, and "
                    "energies of mixing are relative to them"
                )
        model = surrogate_for(self.options.surrogate, observations, seed)
        proposals = [Proposal(pool.ids[i], "end-member") for i in picks]
        n_spread = max(0, self.options.initial - len(pool.seen) - len(picks))
        if pool.n_valued < 2:
            n_spread = n
        spread = _by_leverage(pool, picks, min(n - len(picks), n_spread))
        proposals += [Proposal(pool.ids[i], "leverage") for i in spread]
        if len(proposals) < n and pool.n_valued >= 2:
            rows = pool if takes_raw(self.options.surrogate) else Pool.of(*told)
            model.fit(rows.evaluated[: rows.n_valued], rows.values, rows.value_std)
            taken = [*picks, *spread]
            near = self._near_hull(pool, rows, model, taken, n - len(proposals))
            proposals += near
            if not proposals:
                return self._least_certain(pool, rows, model, n)
        return proposals

    def _near_hull(
        self, pool: Pool, told: Pool, model: Model, taken: list[int], n: int
    ) -> list[Proposal]:
        """Pick what is predicted on the hull, then what may be on it, the most likely first.

        Parameters
        ----------
        pool, told
            The same candidates, with raw features and with those that the model takes.
        """
        places = _concentrations(pool.available, pool)
        known = _concentrations(pool.evaluated[: pool.n_valued], pool)
        hull = hull_energies(known, pool.values, places)
        mean, std = model.predict(told.available)
        above = mean - hull
        # Beyond the compositions that are computed there is no hull yet: look there first.
        above[np.isnan(above)] = -np.inf
        spread = np.maximum(np.hypot(std, model.noise_std), 1e-12)
        near = above <= self.options.window_ev_per_atom
        possible = above <= self.options.confidence * spread
        free = np.ones(len(pool.ids), dtype=bool)
        free[taken] = False
        wanted = np.flatnonzero((near | possible) & free)
        order = np.lexsort((wanted, above[wanted] / spread[wanted], ~near[wanted]))
        best = [int(i) for i in wanted[order][:n]]
        return [
            Proposal(
                candidate_id=pool.ids[i],
                reason="hull" if near[i] else "may-be-hull",
                predicted_mean=float(mean[i]),
                predicted_std=float(std[i]),
                acquisition=float(-above[i]) if np.isfinite(above[i]) else None,
                rank=rank,
                fitted_on=pool.n_valued,
                neighbours=neighbours,
            )
            for rank, (i, neighbours) in enumerate(
                zip(best, told.neighbours(best) if best else [], strict=True), start=1
            )
        ]

    def _least_certain(self, pool: Pool, told: Pool, model: Model, n: int) -> list[Proposal]:
        """Pick what teaches the model most, unless it is accurate already."""
        if left_out_rms(model, told) <= self.options.accuracy_ev_per_atom:
            return []
        mean, std = model.predict(told.available)
        order = np.argsort(-std.round(12), kind="stable")[:n]
        neighbours = told.neighbours([int(i) for i in order])
        return [
            Proposal(
                candidate_id=pool.ids[i],
                reason="leverage",
                predicted_mean=float(mean[i]),
                predicted_std=float(std[i]),
                rank=rank,
                fitted_on=pool.n_valued,
                neighbours=near,
            )
            for rank, (i, near) in enumerate(zip(order, neighbours, strict=True), start=1)
        ]


def left_out_rms(model: Model, told: Pool) -> float:
    """Return the root mean square error of predictions of results that are left out, one by one.

    Those that are exact by definition, whose error bar is nil, are never left out.

    Parameters
    ----------
    model
        Fitted; it is left as it was.
    """
    rows, values, std = told.evaluated[: told.n_valued], told.values, told.value_std
    uncertain = np.arange(len(values)) if std is None else np.flatnonzero(std != 0.0)
    if not len(uncertain):
        return np.inf
    errors = []
    for left_out in uncertain:
        rest = np.arange(len(values)) != left_out
        model.update(rows[rest], values[rest], None if std is None else std[rest])
        errors.append(float(model.predict(rows[[left_out]])[0][0] - values[left_out]))
    model.update(rows, values, std)
    return float(np.sqrt(np.square(errors).mean()))


def _concentrations(rows: Floats, pool: Pool) -> Floats:
    """Return the concentrations that differ within the pool, shape (rows, d)."""
    everything = np.vstack([pool.evaluated, pool.pending, pool.available])
    everything = np.nan_to_num(everything[:, :N_CONCENTRATIONS], posinf=0.0, neginf=0.0)
    differ = np.ptp(everything, axis=0) > 0
    finite: Floats = np.nan_to_num(rows[:, :N_CONCENTRATIONS], posinf=0.0, neginf=0.0)[:, differ]
    return finite


def _lost_end_members(pool: Pool, infeasible_ids: list[str]) -> list[str]:
    """Return the end members that ended without a value, unless another has their composition."""
    valued, ended = np.split(pool.evaluated[:, :N_CONCENTRATIONS], [pool.n_valued])
    known = {tuple(valued[i]) for i in _end_members(valued)}
    return [infeasible_ids[i] for i in _end_members(ended) if tuple(ended[i]) not in known]


def _end_members(rows: Floats) -> list[int]:
    """Return candidates with one species on all sites that are shared."""
    shares = rows[:, :N_CONCENTRATIONS]
    pure = np.isin(shares, (0.0, 1.0)).all(axis=1) & (shares.sum(axis=1) <= 1.0)
    return [int(i) for i in np.flatnonzero(pure)]


def _by_leverage(pool: Pool, taken: list[int], n: int) -> list[int]:
    """Return candidates whose features are least explained by those of the others (D-optimal).

    Of each, the part at right angles to what is known; the largest first.
    """
    if n <= 0:
        return []
    rows = np.nan_to_num(pool.places(pool.available), posinf=0.0, neginf=0.0)
    seen = np.nan_to_num(np.vstack([pool.seen, rows[taken]]), posinf=0.0, neginf=0.0)
    scale = max(float((rows**2).sum(1).mean()), 1e-12)
    ridge = 1e-3 * scale
    precision = np.eye(rows.shape[1]) * ridge + seen.T @ seen
    covariance = np.linalg.inv(precision)
    chosen: list[int] = []
    free = np.ones(len(rows), dtype=bool)
    free[taken] = False
    while len(chosen) < n and free.any():
        leverage = np.einsum("ij,jk,ik->i", rows, covariance, rows)
        leverage[~free] = -np.inf
        best = int(np.argmax(leverage.round(12)))
        chosen.append(best)
        free[best] = False
        image = covariance @ rows[best]
        covariance -= np.outer(image, image) / (1 + rows[best] @ image)
    return chosen
