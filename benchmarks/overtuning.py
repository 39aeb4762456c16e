"""Rules for how much freedom penalties are given, on the ridge regressions of tuning.py.

    python benchmarks/overtuning.py [--rounds 30] [--part TABLE] [--json FILE]

The splits are those of tuning.py and further ones. See docs/overtuning.md for the results.
"""

import session

LIBRARIES = ("argrad", "numpy", "scikit-learn")
PARTS = ("diabetes", "diabetes_noise", "diabetes_squared", "sparse_300", "sparse_1000")


def main() -> None:
    arguments = session.arguments(
        __doc__.splitlines()[0], PARTS, 30, "splits into rows to tune and to test on"
    )
    import numpy as np

    from argrad.sklearn.deciding.candidates import STRENGTHS
    from printing import aligned
    from searches.rules import RULES, measure
    from searches.tables import TABLES

    names = ("shared", *(f"prior {strength:g}" for strength in STRENGTHS))
    versions = session.versions(LIBRARIES)
    print(", ".join(f"{name} {version}" for name, version in versions.items()))
    header = ("", "test loss", "of the best", "less shared, se", "better", "worse")
    parts = {}
    for part in arguments.part or PARTS:
        found = [measure(split) for split in TABLES[part].splits(arguments.rounds)]
        test = np.array([losses for _, losses in found])
        shared, best = test[:, 0], test.mean(axis=0).min()
        lines = []
        for name, rule in RULES.items():
            got = np.array([losses[rule(known)] for known, losses in found])
            # Ten splits are what a standard error is taken over, as in tuning.py.
            error = shared.std(ddof=1) / np.sqrt(10)
            excess = (got.mean() - shared.mean()) / error
            wins, losses = np.sum(got < shared), np.sum(got > shared)
            ratio = got.mean() / best
            lines.append(
                (
                    name,
                    f"{got.mean():.4f}",
                    f"{ratio:.3f}",
                    f"{excess:+.2f}",
                    f"{wins}",
                    f"{losses}",
                )
            )
            parts.setdefault(part, {})[name] = got.tolist()
        fixed = zip(names, test.mean(axis=0), strict=True)
        print("\n" + TABLES[part].title)
        print("  " + ", ".join(f"{name} {loss:.4f}" for name, loss in fixed))
        print("\n".join(aligned(header, lines)), flush=True)
    if arguments.json:
        session.write(arguments.json, arguments.rounds, versions, parts)


if __name__ == "__main__":
    main()
