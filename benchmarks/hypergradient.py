"""What a hypergradient costs and how wrong it is: argrad, its peers, and code by hand.

    python benchmarks/hypergradient.py [--rounds 15] [--part PART] [--clock wall] [--json FILE]

See README.md beside this file for what is run and for the latest results.
"""

import argparse
import datetime
import json
import os
import platform
from importlib import metadata
from pathlib import Path

# One thread, before anything that reads these is imported.
os.environ |= {
    "NPROC": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
    "JAX_PLATFORMS": "cpu",
}

PARTS = ("logistic", "chain", "outside_jit")
LIBRARIES = ("argrad", "jax", "optimistix", "lineax", "jaxopt", "torch", "torchopt")


def _versions() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15, help="runs a median is taken over")
    parser.add_argument("--part", choices=PARTS, action="append", help="only this part")
    parser.add_argument(
        "--clock",
        choices=("wall", "processor"),
        default="wall",
        help="processor time is steadier where others use the machine",
    )
    parser.add_argument("--json", type=Path, help="write everything measured to this file")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error(f"--rounds {arguments.rounds}: at least 1 is needed")
    if arguments.json and not arguments.json.parent.is_dir():
        parser.error(f"--json {arguments.json}: there is no folder {arguments.json.parent}")
    return arguments


def main() -> None:
    arguments = _arguments()

    import jax

    import printing
    import races

    jax.config.update("jax_enable_x64", True)
    versions = _versions()
    print(", ".join(f"{name} {version}" for name, version in versions.items()))
    print(f"float64, one thread, median {arguments.clock} time of {arguments.rounds} rounds")
    parts = {}
    for name in arguments.part or PARTS:
        found = getattr(races, name)(arguments.rounds)
        for key, part in found.items():
            print("\n" + printing.table(key, part, arguments.clock), flush=True)
        parts |= found
    if arguments.json:
        record = {
            "date": datetime.date.today().isoformat(),
            "machine": {"architecture": platform.machine(), "cores": os.cpu_count()},
            "python": platform.python_version(),
            "versions": versions,
            "rounds": arguments.rounds,
            "parts": parts,
        }
        arguments.json.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
