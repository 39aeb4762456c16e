"""The command run in this process, and tables on disk for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from argrad.cli.app import app

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path, monkeypatch) -> Run:
    """Run `argrad` with these arguments in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def houses(tmp_path) -> Path:
    """A small CSV file: prices by area, zone and age, and whether the house was sold."""
    random = np.random.default_rng(1)
    area = random.uniform(40.0, 200.0, 80)
    zone = random.choice(["north", "south", "west"], 80)
    frame = pd.DataFrame({"area": area, "zone": zone, "age": random.integers(0, 90, 80)})
    frame["price"] = 2.5 * area + 40.0 * (zone == "south") + random.normal(0.0, 10.0, 80)
    frame["sold"] = np.where(frame["price"] + random.normal(0.0, 40.0, 80) > 300.0, "yes", "no")
    frame.loc[[2, 5], "age"] = np.nan
    frame.to_csv(tmp_path / "houses.csv", index=False)
    return tmp_path / "houses.csv"
