"""Searches for penalties: what they cost, and what they lose on rows that they have not seen.

    python benchmarks/tuning.py [--splits 10] [--part TABLE] [--clock processor] [--json FILE]

See README.md beside this file for what is run and for the latest results.
"""

import session

LIBRARIES = ("argrad", "jax", "scikit-learn", "optuna", "statsmodels")


def main() -> None:
    from searches.tables import TABLES

    arguments = session.arguments(
        __doc__.splitlines()[0],
        tuple(TABLES),
        10,
        "splits into rows to tune and to test on",
        "--splits",
    )
    from searches.printing import table
    from searches.race import race

    versions = session.versions(LIBRARIES)
    print(", ".join(f"{name} {version}" for name, version in versions.items()))
    print(
        f"one thread, median {arguments.clock} time of {arguments.rounds} splits and of the first"
    )
    parts = {}
    for name in arguments.part or TABLES:
        try:
            parts[name] = race(TABLES[name], arguments.rounds)
        except ImportError as error:
            print(f"\n{TABLES[name].title}\n  not installed: {error.name}", flush=True)
            continue
        print("\n" + table(parts[name], arguments.clock), flush=True)
    if arguments.json:
        session.write(arguments.json, arguments.rounds, versions, parts)


if __name__ == "__main__":
    main()
