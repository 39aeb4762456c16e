"""What a hypergradient costs and how wrong it is: argrad, its peers, and code by hand.

    python benchmarks/hypergradient.py [--rounds 15] [--part PART] [--clock wall] [--json FILE]

See README.md beside this file for what is run and for the latest results.
"""

import session

PARTS = ("logistic", "chain", "outside_jit")
LIBRARIES = ("argrad", "jax", "optimistix", "lineax", "jaxopt", "torch", "torchopt")


def main() -> None:
    arguments = session.arguments(__doc__.splitlines()[0], PARTS)

    import jax

    import printing
    import races

    jax.config.update("jax_enable_x64", True)
    versions = session.versions(LIBRARIES)
    print(", ".join(f"{name} {version}" for name, version in versions.items()))
    print(f"float64, one thread, median {arguments.clock} time of {arguments.rounds} rounds")
    parts = {}
    for name in arguments.part or PARTS:
        found = getattr(races, name)(arguments.rounds)
        for key, part in found.items():
            print("\n" + printing.table(key, part, arguments.clock), flush=True)
        parts |= found
    if arguments.json:
        session.write(arguments.json, arguments.rounds, versions, parts)


if __name__ == "__main__":
    main()
