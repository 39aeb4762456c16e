"""What the scripts share: one thread, arguments, versions, the file that is written.

Import this before anything that reads the variables below.
"""

import argparse
import datetime
import json
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

os.environ |= {
    "NPROC": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
    "JAX_PLATFORMS": "cpu",
}


def versions(libraries: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for name in libraries:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def arguments(
    description: str,
    parts: tuple[str, ...],
    rounds: int = 15,
    meaning: str = "runs a median is taken over",
    name: str = "--rounds",
) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(name, type=int, default=rounds, help=meaning, dest="rounds")
    parser.add_argument("--part", choices=parts, action="append", help="only this part")
    parser.add_argument(
        "--clock",
        choices=("wall", "processor"),
        default="wall",
        help="processor time is steadier where others use the machine",
    )
    parser.add_argument("--json", type=Path, help="write everything measured to this file")
    found = parser.parse_args()
    if found.rounds < 1:
        parser.error(f"{name} {found.rounds}: at least 1 is needed")
    if found.json and not found.json.parent.is_dir():
        parser.error(f"--json {found.json}: there is no folder {found.json.parent}")
    return found


def write(path: Path, rounds: int, libraries: dict[str, str], parts: dict[str, Any]) -> None:
    record = {
        "date": datetime.date.today().isoformat(),
        "machine": {"architecture": platform.machine(), "cores": os.cpu_count()},
        "python": platform.python_version(),
        "versions": libraries,
        "rounds": rounds,
        "parts": parts,
    }
    path.write_text(json.dumps(record, indent=1) + "\n")
