from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from argrad.report.catalogue import CATALOGUE, named
from argrad.report.columns import MOST_CATEGORIES, Columns, conform
from argrad.report.preprocessing import build_pipeline, prepared_columns


@pytest.fixture
def train() -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "a": [1.0, np.nan, 3.0, 4.0] * 5,
            "city": ["x", "y", None, "z"] * 5,
        }
    )
    return conform(frame, ["a"], ["city"])


def test_each_fold_is_encoded_to_the_same_width(train):
    pipeline = build_pipeline(Columns(["a"], ["city"]), named("ridge"), train)
    prepare = pipeline.named_steps["prepare"]
    without_y_and_z = train[train["city"] == "x"]
    assert prepare.fit_transform(without_y_and_z).shape == (5, 5)
    assert prepare.fit_transform(train).shape == (20, 5)


def test_missing_entries_are_filled_and_unknown_categories_are_none(train):
    pipeline = build_pipeline(Columns(["a"], ["city"]), named("ridge"), train)
    prepare = pipeline.named_steps["prepare"].fit(train)
    names = list(prepare.get_feature_names_out())
    new = conform(pd.DataFrame({"a": [np.nan, 1.0], "city": ["w", None]}), ["a"], ["city"])
    prepared = pd.DataFrame(prepare.transform(new), columns=names)
    cities = [name for name in names if name.startswith("categories__")]
    assert prepared.loc[0, cities].sum() == 0.0
    assert prepared.loc[1, "categories__city_missing"] == 1.0
    median_scaled = (3.0 - train["a"].fillna(3.0).mean()) / train["a"].fillna(3.0).std(ddof=0)
    assert prepared.loc[0, "numbers__a"] == pytest.approx(median_scaled)


def test_only_the_commonest_categories_are_told_apart():
    many = pd.DataFrame({"city": [f"city {place}" for place in range(300)] + ["city 299"] * 5})
    pipeline = build_pipeline(Columns([], ["city"]), named("ridge"), many)
    assert pipeline.named_steps["prepare"].fit_transform(many).shape[1] == MOST_CATEGORIES


@pytest.mark.parametrize("choice", CATALOGUE, ids=lambda choice: choice.name)
def test_the_last_step_is_the_model_with_its_penalty(train, choice):
    pipeline = build_pipeline(Columns(["a"], []), choice, train)
    assert type(pipeline.named_steps["model"]).__name__ == choice.estimator
    assert f"model__{choice.parameter}" in pipeline.get_params()
    assert prepared_columns(pipeline) == (["a"], [])
