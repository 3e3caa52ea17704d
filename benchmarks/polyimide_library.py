"""How long the virtual library of polyimides takes on one core, and how much memory.

    python benchmarks/polyimide_library.py            # the shipped library, whole
    python benchmarks/polyimide_library.py --max 5000 --features

Every polymer is generated, standardised to its canonical repeat unit and named, as a campaign does
it, in one process. ``--features`` describes each to the surrogate, too.
"""

from __future__ import annotations

import argparse
import resource
import time

from screening.candidates.candidate import Origin
from screening.candidates.kinds import candidate_kind
from screening.messages.refusal import RefusedError
from screening.sources import open_source

KIB_PER_MIB = 1024


def main() -> None:
    """Generate the library and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--source", default="polyimides", help="as campaigns name it")
    parser.add_argument("--max", type=int, default=None, help="polymers, all without it")
    parser.add_argument("--features", action="store_true", help="describe them, too")
    arguments = parser.parse_args()

    kind = candidate_kind("polymer")
    wall, cpu = time.perf_counter(), time.process_time()
    source = open_source(arguments.source)
    ids: set[str] = set()
    n_read = n_refused = 0
    for record in source.records():
        if arguments.max is not None and n_read >= arguments.max:
            break
        n_read += 1
        try:
            candidate = kind.read(record.content, Origin(source="b", material_id="x"))
        except RefusedError as error:
            n_refused += 1
            print(f"{record.location}: {error}")
            continue
        if arguments.features:
            candidate = kind.with_features(candidate)
        ids.add(candidate.candidate_id)
    memory_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB_PER_MIB
    print(f"{n_read} entries, {len(ids)} different polymers, {n_refused} refused")
    print(f"{time.process_time() - cpu:.1f} s of one core, {time.perf_counter() - wall:.1f} s")
    print(f"{memory_mib:.0f} MiB at most")


if __name__ == "__main__":
    main()
