"""Pictures of a search: what is in them."""

import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge

from argrad.sklearn import (
    GradientSearchCV,
    PerFeature,
    Shared,
    plot_history,
    plot_optimism,
    plot_path,
    plot_penalties,
)

figure = pytest.importorskip("matplotlib.figure")
pyplot = pytest.importorskip("matplotlib.pyplot")

PLOTS = [plot_history, plot_path, plot_penalties, plot_optimism]


@pytest.fixture
def ax():
    return figure.Figure().subplots()


@pytest.fixture(scope="module")
def shared(diabetes):
    return GradientSearchCV(Ridge(), {"alpha": Shared(1e-4, 1e4)}, cv=3).fit(*diabetes)


@pytest.fixture(scope="module")
def each(diabetes):
    X = pd.DataFrame(diabetes[0]).rename(columns=lambda j: f"${j}")
    search = GradientSearchCV(Ridge(), {"alpha": PerFeature(1e-4, 1e4)}, cv=3, max_fits=31)
    return search.fit(X, diabetes[1])


def line(ax, label):
    (found,) = [each for each in ax.get_lines() if each.get_label() == label]
    return found


def test_history(shared, ax):
    assert plot_history(shared, ax=ax) is ax
    losses = line(ax, "CV loss")
    np.testing.assert_array_equal(losses.get_xdata(), shared.history_["fits"])
    np.testing.assert_array_equal(losses.get_ydata(), shared.history_["cv_loss"])
    lowest = line(ax, "lowest so far").get_ydata()
    np.testing.assert_array_equal(lowest, shared.history_["cv_loss"].cummin())
    assert lowest[-1] == -shared.best_score_


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
def test_history_leaves_out_what_has_no_solution(unsolvable, ax):
    plot_history(unsolvable, ax=ax)
    assert np.isnan(line(ax, "CV loss").get_ydata()).any()
    assert not np.isnan(line(ax, "lowest so far").get_ydata()).any()


def test_path_of_one_number(shared, ax):
    assert plot_path(shared, ax=ax) is ax
    np.testing.assert_array_equal(line(ax, "alpha").get_ydata(), shared.history_["alpha"])
    assert set(line(ax, "best").get_xdata()) == {shared.best_index_ + 1}
    assert ax.get_yscale() == "log"
    assert ax.get_ylabel() == "alpha"


def test_path_of_many_numbers(each, ax):
    plot_path(each, ax=ax)
    found = line(ax, r"alpha[\$3]").get_ydata()
    np.testing.assert_array_equal(found, each.history_["alpha[$3]"])
    assert len(ax.get_lines()) == 11
    ax.figure.canvas.draw()  # the dollars are not taken for formulas


def test_more_lines_than_can_be_told_apart_have_no_names(rng, ax):
    X = rng.normal(size=(60, 12))
    search = GradientSearchCV(Ridge(), {"alpha": PerFeature(1e-4, 1e4)}, cv=3, max_fits=7)
    plot_path(search.fit(X, X @ rng.normal(size=12) + rng.normal(size=60)), ax=ax)
    assert len(ax.get_lines()) == 13
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["best"]


def test_penalties(each, ax):
    assert plot_penalties(each, ax=ax) is ax
    np.testing.assert_array_equal(ax.get_lines()[0].get_xdata(), each.best_params_["alpha"])
    assert ax.get_yticklabels()[0].get_text() == r"alpha[\$0]"
    assert {bound.get_xdata()[0] for bound in ax.get_lines()[1:]} == {1e-4, 1e4}


def test_optimism(shared, ax):
    with pytest.raises(ValueError, match="did not compare granularities"):
        plot_optimism(shared, ax=ax)
    chosen = GradientSearchCV(Ridge(), {"alpha": Shared(1e-4, 1e4)})
    chosen.history_ = shared.history_
    chosen.bounds_ = shared.bounds_
    chosen.optimism_ = 0.0625
    chosen.granularity_results_ = pd.DataFrame(
        {
            "candidate": ["shared", "per feature"],
            "cv_loss": [0.5, 0.4],
            "unseen_loss": [0.5625, 0.75],
            "standard_error": [0.125, 0.25],
        }
    )
    assert plot_optimism(chosen, ax=ax) is ax
    assert [label.get_text() for label in ax.get_yticklabels()] == ["shared", "per feature"]
    (tuned_on,) = [each for each in ax.get_lines() if "tuned on" in str(each.get_label())]
    assert tuned_on.get_xdata().tolist() == [0.5, 0.4]
    (bars,) = ax.containers
    assert bars.lines[0].get_xdata().tolist() == [0.5625, 0.75]
    assert bars.lines[2][0].get_segments()[1][:, 0].tolist() == [0.5, 1.0]
    assert "0.0625" in ax.get_title()


def test_axes_of_its_own(shared):
    made = plot_history(shared)
    assert made in made.figure.axes
    pyplot.close(made.figure)


@pytest.mark.parametrize("plot", PLOTS)
def test_there_is_nothing_to_see_before_fit(plot):
    with pytest.raises(NotFittedError):
        plot(GradientSearchCV(Ridge(), {"alpha": Shared(1e-4, 1e4)}))


def test_without_matplotlib(shared, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    monkeypatch.delattr(sys.modules["matplotlib"], "pyplot")
    with pytest.raises(ImportError, match=r"argrad\[report\]"):
        plot_history(shared)
