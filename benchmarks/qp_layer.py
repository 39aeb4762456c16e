"""What a layer that solves quadratic programmes costs, how wrong its gradients are, how it fails.

    python benchmarks/qp_layer.py [--rounds 15] [--part PART] [--clock wall] [--json FILE]

See README.md beside this file for what is run and for the latest results.
"""

import session

PARTS = ("layer", "resolve", "infeasible")
LIBRARIES = ("argrad", "jax", "jaxopt", "qpax", "torch", "qpth", "proxsuite", "cvxpylayers")
LIBRARIES += ("cvxpy", "diffcp", "scs", "moreau")


def main() -> None:
    arguments = session.arguments(__doc__.splitlines()[0], PARTS)

    import jax

    import qp.printing
    import qp.races

    jax.config.update("jax_enable_x64", True)
    versions = session.versions(LIBRARIES)
    print(", ".join(f"{name} {version}" for name, version in versions.items()))
    print(f"float64, one thread, median {arguments.clock} time of {arguments.rounds} rounds")
    parts = {}
    for name in arguments.part or PARTS:
        found = getattr(qp.races, name)(arguments.rounds)
        for key, part in found.items():
            print("\n" + qp.printing.table(part, arguments.clock), flush=True)
            parts[key] = part
    if arguments.json:
        session.write(arguments.json, arguments.rounds, versions, parts)


if __name__ == "__main__":
    main()
