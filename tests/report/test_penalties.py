from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from argrad.report.penalties import by_name, draw_named
from argrad.report.searches import SearchOutcome


def test_several_penalties_by_the_names_that_a_search_gave_them(rng):
    values = np.exp(rng.normal(size=3))
    names = ["hidden 1", "hidden [2]", "output"]
    history = pd.DataFrame({"fits": [3], "cv_loss": [0.1]})
    for name, value in zip(names, values, strict=True):
        history[f"model__alpha[{name}]"] = value
    params = {"model__alpha": values}
    outcome = SearchOutcome("gradient", "per-layer", 4, 0.1, 0.1, 0.2, None, params, None, history)
    penalties = by_name(outcome, "model__alpha")
    assert penalties == dict(zip(names, values, strict=True))
    axes = Figure().subplots()
    draw_named(axes, penalties, "alpha", "layer")
    assert [label.get_text() for label in axes.get_yticklabels()] == names
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), values)
