"""Small real tables, and one tuned result for each kind of task."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes, load_wine

from argrad.report import TuneResult, tune_table


@pytest.fixture(scope="session")
def wine() -> pd.DataFrame:
    """Three classes; a category with missing entries, missing numbers, a flag, a constant."""
    data = load_wine(as_frame=True)
    random = np.random.default_rng(0)
    frame = data.data.assign(kind=data.target.map({0: "barolo", 1: "grignolino", 2: "barbera"}))
    frame["shop"] = random.choice(["north", "south", None], len(frame))
    frame["flag"] = random.random(len(frame)) > 0.5
    frame["constant"] = 1.0
    frame.loc[3:9, "ash"] = np.nan
    return frame


@pytest.fixture(scope="session")
def diabetes() -> pd.DataFrame:
    """Ten numbers and a target of many whole numbers."""
    return load_diabetes(as_frame=True).frame


@pytest.fixture(scope="session")
def wine_result(wine: pd.DataFrame) -> TuneResult:
    """The wine table tuned with every search."""
    return tune_table(wine, "kind", granularity="shared", folds=3)


@pytest.fixture(scope="session")
def diabetes_result(diabetes: pd.DataFrame) -> TuneResult:
    """The diabetes table tuned with one penalty per feature, and compared."""
    return tune_table(diabetes, "target", granularity="per-feature", folds=3)
