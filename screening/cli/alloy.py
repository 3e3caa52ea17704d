"""`matscreen alloy`: what a campaign of ordered structures says of its alloy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from screening.cli.opening import opened_campaign
from screening.cli.options import CampaignOrNewest, Format, FormatOption
from screening.cli.output import print_json, stdout, title_of, with_error
from screening.messages.stderr import counted, say

if TYPE_CHECKING:
    from screening.alloys.thermodynamics import Thermodynamics
    from screening.campaigns.campaign import Campaign
    from screening.campaigns.cluster_expansion import ClusterExpansion, GroundStates
    from screening.campaigns.snapshot import Snapshot


def alloy(
    name: CampaignOrNewest = None,
    composition: Annotated[
        Optional[str],
        typer.Option(help="Run Monte Carlo at this composition, as Cu3Au, and keep the result."),
    ] = None,
    sites: Annotated[int, typer.Option(min=8, help="Sites of its supercell, at least.")] = 400,
    sweeps: Annotated[
        int, typer.Option(min=2, help="Exchanges tried for each site at each temperature.")
    ] = 400,
    seeds: Annotated[int, typer.Option(min=3, help="Runs, for error bars.")] = 4,
    format: FormatOption = Format.table,
) -> None:
    """Show ground states and cluster expansion of an alloy; with a composition, run Monte Carlo."""
    from screening.alloys.need_icet import need_icet
    from screening.campaigns.alloy_thermodynamics import (
        computed_thermodynamics,
        kept_thermodynamics,
        shares_of,
    )
    from screening.campaigns.cluster_expansion import cluster_expansion, ground_states

    with opened_campaign(name) as campaign:
        need_icet("alloy")
        snapshot = campaign.snapshot()
        expansion = cluster_expansion(campaign, snapshot)
        if composition is not None:
            shares_of(expansion.lattice, composition)
            say(f"Monte Carlo of {composition}: {counted(seeds, 'run')} …")
            computed_thermodynamics(campaign, composition, sites=sites, sweeps=sweeps, seeds=seeds)
        kept = kept_thermodynamics(campaign, expansion)
        states = ground_states(snapshot, expansion)
        if format is Format.json:
            print_json(_facts(campaign, snapshot, expansion, states, kept))
            return
        _print_tables(campaign, snapshot, expansion, states, kept)
        if not kept:
            say("short-range order and free energies: matscreen alloy --composition FORMULA")


def _facts(
    campaign: Campaign,
    snapshot: Snapshot,
    expansion: ClusterExpansion,
    states: GroundStates,
    kept: list[Thermodynamics],
) -> dict[str, Any]:
    """Return all that is known of the alloy, for programs."""
    mixing = "mixing_energy_ev_per_atom"
    return {
        "campaign": campaign.name,
        "lattice": expansion.lattice.name,
        "species": list(expansion.lattice.mixed),
        "structures_fitted": expansion.n_structures,
        "structures_in_pool": len(snapshot.pool),
        "left_out_rms_ev_per_atom": expansion.left_out_rms_ev,
        "end_member_error_ev_per_atom": expansion.end_member_error_ev,
        "ground_states": [
            {
                "candidate_id": key,
                "formula": snapshot.pool[key].label,
                mixing: snapshot.explored[key][mixing],
            }
            for key in states.computed
        ],
        "missed_ground_states": states.missed,
        "false_ground_states": states.false,
        "unconfirmed_ground_states": states.unconfirmed,
        "thermodynamics": [found.model_dump() for found in kept],
    }


def _print_tables(
    campaign: Campaign,
    snapshot: Snapshot,
    expansion: ClusterExpansion,
    states: GroundStates,
    kept: list[Thermodynamics],
) -> None:
    from rich.table import Table

    def named(ids: list[str]) -> str:
        return ", ".join(ids) or "none"

    table = Table(title=title_of(campaign), show_header=False)
    rows = {
        "lattice": f"{expansion.lattice.name}, {' and '.join(expansion.lattice.mixed)}",
        "cluster expansion": f"of {counted(expansion.n_structures, 'structure')}",
        "error, left out": f"{1e3 * expansion.left_out_rms_ev:.2f} meV/atom, root mean square",
        "error, end members": f"{1e3 * expansion.end_member_error_ev:.1g} meV/atom",
        "missed ground states": named(states.missed),
        "false ground states": named(states.false),
        "not confirmed": named(states.unconfirmed),
    }
    for label, value in rows.items():
        table.add_row(label, value)
    stdout().print(table)
    hull = Table(title="on the convex hull of what is computed")
    for heading in ("structure", "formula", "space group", "mixing energy / (meV/atom)"):
        hull.add_column(heading)
    for key in states.computed:
        facts = snapshot.pool[key].facts or {}
        energy = 1e3 * snapshot.explored[key]["mixing_energy_ev_per_atom"]
        hull.add_row(
            key, snapshot.pool[key].label, str(facts["space_group_number"]), f"{energy:.2f}"
        )
    stdout().print(hull)
    for found in kept:
        stdout().print(_thermodynamics_table(found))


def _thermodynamics_table(found: Thermodynamics) -> Any:
    from rich.table import Table

    shares = ", ".join(f"{symbol} {share:.4g}" for symbol, share in found.composition.items())
    table = Table(
        title=f"{shares}: {counted(found.seeds, 'run')}, {found.sites} sites",
        caption="\n".join(_order_in_words(found)),
    )
    for heading in (
        "T / K",
        "mixing energy / (meV/atom)",
        "free energy of mixing / (meV/atom)",
        "heat capacity / k an atom",
        "order, 1st shell",
        "2nd shell",
    ):
        table.add_column(heading, justify="right")
    for k, temperature in enumerate(found.temperatures_k):
        columns = (
            (found.mixing_energy_ev_per_atom, found.mixing_energy_error_ev_per_atom, 1e3),
            (
                found.mixing_free_energy_ev_per_atom,
                found.mixing_free_energy_error_ev_per_atom,
                1e3,
            ),
            (found.heat_capacity_k_per_atom, found.heat_capacity_error_k_per_atom, 1.0),
            (found.short_range_order[0], found.short_range_order_error[0], 1.0),
            (found.short_range_order[1], found.short_range_order_error[1], 1.0),
        )
        cells = [with_error(unit * v[k], unit * e[k]) for v, e, unit in columns]
        table.add_row(f"{temperature:.0f}", *cells)
    return table


def _order_in_words(found: Thermodynamics) -> list[str]:
    """Return what is said of the temperature of ordering."""
    if not found.ordered_from:
        return ["no ground state has this composition: nothing to order into"]

    def temperature(value: float | None, error: float | None) -> str:
        return "not found" if value is None else f"{with_error(value, error)} K"

    hysteresis = "not known" if found.hysteresis_k is None else f"{found.hysteresis_k:.0f} K"
    return [
        "orders at "
        + temperature(
            found.order_temperature_heat_capacity_k,
            found.order_temperature_heat_capacity_error_k,
        )
        + " by the heat capacity, at "
        + temperature(
            found.order_temperature_free_energy_k, found.order_temperature_free_energy_error_k
        )
        + " by free energies",
        f"hysteresis of the peaks {hysteresis}; error bars are those of sampling",
    ]
