"""Support vector machines tuned: by gradient, and on the grids that are usual.

    python benchmarks/margin_tuning.py [--splits 10] [--part TABLE] [--clock C] [--json FILE]

See README.md beside this file for what is run and for the latest results.
"""

import session

LIBRARIES = ("argrad", "scikit-learn", "numpy", "scipy")


def main() -> None:
    from searches.machines import MACHINES, race, table

    arguments = session.arguments(
        __doc__.splitlines()[0],
        tuple(MACHINES),
        10,
        "splits into rows to tune and to test on",
        "--splits",
    )
    versions = session.versions(LIBRARIES)
    print(", ".join(f"{name} {version}" for name, version in versions.items()))
    print(f"one thread, median {arguments.clock} time, means over {arguments.rounds} splits")
    parts = {}
    for name in arguments.part or MACHINES:
        parts[name] = race(MACHINES[name], arguments.rounds)
        print("\n" + table(parts[name], arguments.clock), flush=True)
    if arguments.json:
        session.write(arguments.json, arguments.rounds, versions, parts)


if __name__ == "__main__":
    main()
