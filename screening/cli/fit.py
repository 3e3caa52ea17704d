"""`matscreen fit`: a potential from another engine's forces, as an engine of its own."""

from __future__ import annotations

from typing import Annotated, Any, Optional

import typer

from screening.cli.options import WorkersOption
from screening.messages.errors import ScreenError
from screening.messages.stderr import say


def fit(
    name: Annotated[str, typer.Argument(help="Of the potential: the engine is fitted:NAME.")],
    label: Annotated[
        str,
        typer.Option(help="Engine whose forces it is fitted to, as for submit."),
    ],
    source: Annotated[str, typer.Option(help="Where the crystals are, as for submit.")],
    elements: Annotated[
        str, typer.Option(help="Take only crystals of these, as Na,Cl. [default: all]")
    ] = "",
    after: Annotated[
        Optional[str],
        typer.Option(
            help="Earlier potential: its labels are taken over, what it refused is labelled first."
        ),
    ] = None,
    labels_of: Annotated[
        Optional[list[str]],
        typer.Option(
            help="Campaign of the engine that labels: what it has computed is taken over. Repeat."
        ),
    ] = None,
    budget: Annotated[
        Optional[int], typer.Option(min=2, help="Cells to label at most. [default: 40]")
    ] = None,
    target_error: Annotated[
        Optional[float],
        typer.Option(
            min=1e-6, help="Force error in eV/Å below which cells are trusted. [default: 0.01]"
        ),
    ] = None,
    largest_error: Annotated[
        Optional[float],
        typer.Option(
            min=1e-6,
            help="Expected error in eV/Å above which a cell is refused. [default: 0.2]",
        ),
    ] = None,
    substitutions: Annotated[
        Optional[float],
        typer.Option(min=0, max=1, help="Share of cells with ions exchanged in the family."),
    ] = None,
    vacancies: Annotated[
        Optional[float], typer.Option(min=0, max=1, help="Share of cells with an atom missing.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of all that is drawn.")] = 0,
    wait: Annotated[bool, typer.Option("--wait", help="Work the queue here, to the end.")] = False,
    workers: WorkersOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read and count, submit nothing.")
    ] = False,
) -> None:
    """Fit a potential to cells that another engine labels; then submit --engine fitted:NAME."""
    from screening.campaigns.config import load_campaign_config
    from screening.cli.submit import start_campaign

    exploration = {"substitutions": substitutions, "vacancies": vacancies}
    recipe: dict[str, Any] = {
        "max_labels": budget,
        "trusted_force_error_ev_per_a": target_error,
        "largest_force_error_ev_per_a": largest_error,
        "seed": seed,
        "exploration": {key: value for key, value in exploration.items() if value is not None},
    }
    if budget is not None:
        recipe["first_labels"] = min(5, budget)
    given = _given(labels_of or [], label, elements)
    overrides = {
        "sources": [f"family:{elements}@{source}{_after(after, label)}{given}"],
        "engine": label,
        "recipe": {key: value for key, value in recipe.items() if value is not None},
        "budget": 1,
    }
    config = load_campaign_config("fitted-potential", overrides)
    start_campaign(config, name, wait=wait, workers=workers, dry_run=dry_run)
    if not dry_run:
        say(f"then: matscreen submit --target low-kappa --engine fitted:{name}")


def _after(name: str | None, label: str) -> str:
    """Return how a source names the potential whose labels are taken over."""
    if name is None:
        return ""
    from screening.machine.settings import Settings
    from screening.potentials.stored import label_engine_of
    from screening.sources.family import AFTER
    from screening.store.database import open_database
    from screening.targets.engines import FittedEngineConfig, engine_config

    earlier = engine_config(f"fitted:{name.removeprefix('fitted:')}")
    assert isinstance(earlier, FittedEngineConfig)
    with open_database(Settings(), must_exist=True) as database:
        of_earlier = label_engine_of(database, name.removeprefix("fitted:"))
    if of_earlier.fingerprint() != engine_config(label).fingerprint():
        raise ScreenError(
            f"--after {name}: its labels are of '{of_earlier.name}', and those of '{label}' have "
            f"other energies; give --label the engine that campaign '{name}' was started with"
        )
    return f"{AFTER}{earlier.potential}"


def _given(names: list[str], label: str, elements: str) -> str:
    """Return how a source names the labels that campaigns have paid for."""
    if not names:
        return ""
    from screening.machine.settings import Settings
    from screening.potentials.paid_labels import labels_of
    from screening.sources.family import GIVEN
    from screening.store.database import open_database
    from screening.store.fitted_potentials import GIVEN_FRAMES, keep_given
    from screening.targets.engines import engine_config

    with open_database(Settings(), must_exist=True) as database:
        symbols = frozenset(filter(None, (each.strip() for each in elements.split(","))))
        found = labels_of(database, names, engine_config(label), symbols)
        say(found.said())
        digits = keep_given(database, GIVEN_FRAMES, (frame.in_json() for frame in found.frames))
    return f"{GIVEN}{digits}"
