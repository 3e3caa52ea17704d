"""How best to learn what DFT would say from a potential's κ and a few DFT values.

    python benchmarks/fidelity_replay.py [--trained 4 8 12] [--repeats 40]

Replays confirmation on the compounds of PhononDB whose κ the potential has computed (files
``results/kappa_against_phonondb-ENGINE*.json``): DFT values of a random few are known, those of the
rest are predicted.  Prints the root mean square error of log10 κ for each way:

- ``DFT alone``: a Gaussian process on the crystals' features, the potential not asked;
- ``potential``: its value, as it is;
- ``shift``: its value and the mean difference;
- ``difference``: its value and a Gaussian process on the difference (what campaigns do);
- ``feature``: a Gaussian process on DFT values with the potential's value as one more feature.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def compounds(engine: str) -> tuple[Any, Any, Any]:
    """Return features, log10 κ of the potential, and log10 κ of DFT, one row a compound."""
    import numpy as np

    from screening.candidates.candidate import Origin
    from screening.candidates.crystal import crystal_from_structure
    from screening.candidates.crystal_features import features
    from screening.sources import open_source

    rows = {}
    for path in sorted(RESULTS.glob(f"kappa_against_phonondb-{engine}*.json")):
        for row in json.loads(path.read_text()):
            if row["outcome"] == "computed":
                rows[row["material_id"]] = row
    vectors, cheap, better = [], [], []
    for record in open_source("phonondb-103").records():
        if record.material_id not in rows:
            continue
        origin = Origin(source="phonondb-103", material_id=record.material_id)
        structure = crystal_from_structure(record.content, origin).content()
        vectors.append(features(structure))
        row = rows[record.material_id]
        cheap.append(np.log10(row["kappa_300k_w_per_m_k"]))
        better.append(np.log10(row["reference_w_per_m_k"]))
    return np.array(vectors), np.array(cheap), np.array(better)


def errors(vectors: Any, cheap: Any, better: Any, train: Any, test: Any) -> dict[str, Any]:
    """Return each way's errors on the compounds that were not trained on."""
    import numpy as np

    from screening.choosing.config import SurrogateConfig
    from screening.choosing.observations import Observations
    from screening.choosing.prediction import fit_predict

    def fit(inputs: Any, values: Any) -> Any:
        seen = Observations([str(i) for i in train], inputs[train], values[train])
        mean, _ = fit_predict(SurrogateConfig(), seen, [str(i) for i in test], inputs[test], 0)
        return mean

    difference = better - cheap
    with_cheap = np.column_stack([vectors, cheap])
    predictions = {
        "DFT alone": fit(vectors, better),
        "potential": cheap[test],
        "shift": cheap[test] + difference[train].mean(),
        "difference": cheap[test] + fit(vectors, difference),
        "feature": fit(with_cheap, better),
    }
    return {name: predicted - better[test] for name, predicted in predictions.items()}


def main() -> None:
    """Replay and print the table."""
    import numpy as np

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--engine", default="sevennet-l3i5")
    parser.add_argument("--trained", type=int, nargs="*", default=[4, 8, 12])
    parser.add_argument("--repeats", type=int, default=40)
    arguments = parser.parse_args()
    vectors, cheap, better = compounds(arguments.engine)
    print(f"{len(better)} compounds, {arguments.engine}; RMS error of log10 κ")
    table: dict[int, dict[str, float]] = {}
    for count in arguments.trained:
        collected: dict[str, list[float]] = {}
        for seed in range(arguments.repeats):
            order = np.random.default_rng(seed).permutation(len(better))
            found = errors(vectors, cheap, better, order[:count], order[count:])
            for name, each in found.items():
                collected.setdefault(name, []).extend(each)
        table[count] = {
            name: float(np.sqrt(np.mean(np.square(each)))) for name, each in collected.items()
        }
    names = list(next(iter(table.values())))
    print(f"| DFT values known | {' | '.join(names)} |\n|---{'|---' * len(names)}|")
    for count, row in table.items():
        print(f"| {count} | {' | '.join(f'{row[name]:.3f}' for name in names)} |")


if __name__ == "__main__":
    main()
