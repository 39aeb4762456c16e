"""scikit-learn's callback protocol, where scikit-learn has it."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV

from argrad.sklearn import GradientSearchCV, Shared

sklearn_callback = pytest.importorskip("sklearn.callback", reason="scikit-learn before 1.9")


class Listener:
    """Keeps what it is told, and ends the search after an evaluation of its choice."""

    def __init__(self, stop_after=None):
        self.stop_after = stop_after
        self.heard = []

    def setup(self, estimator, context):
        self.heard.append("setup")

    def teardown(self, estimator, context):
        self.heard.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.heard.append(f"begin {context.task_name} {context.task_id}")

    def on_fit_task_end(self, estimator, context):
        self.heard.append(f"end {context.task_name} {context.task_id}")
        return context.task_name == "evaluation" and context.task_id == self.stop_after


class Asks(Listener):
    """Asks for data and a fitted estimator as well."""

    def on_fit_task_end(self, estimator, context, *, X, y, metadata, fitted_estimator):
        if fitted_estimator is not None:
            self.heard.append((context.task_name, fitted_estimator.score(X, y), metadata))


def search_of(**settings):
    return GradientSearchCV(Ridge(), {"alpha": Shared(1e-4, 1e4)}, cv=3, **settings)


def test_tasks_in_their_order(diabetes):
    listener = Listener()
    search = search_of(max_fits=7).set_callbacks(listener).fit(*diabetes)
    assert len(search.history_) == 2
    assert listener.heard == [
        "setup",
        "begin fit 0",
        "begin search 0",
        "begin evaluation 0",
        "end evaluation 0",
        "begin evaluation 1",
        "end evaluation 1",
        "end search 0",
        "begin refit 1",
        "end refit 1",
        "end fit 0",
        "teardown",
    ]


def test_without_refit_there_is_no_such_task(diabetes):
    listener = Listener()
    search_of(refit=False).set_callbacks(listener).fit(*diabetes)
    assert listener.heard[-3:] == ["end search 0", "end fit 0", "teardown"]


def test_a_callback_ends_the_search(diabetes):
    search = search_of().set_callbacks(Listener(stop_after=1)).fit(*diabetes)
    assert len(search.history_) == 2
    assert search.interrupted_ is False
    search.predict(diabetes[0])


def test_torn_down_after_an_error(diabetes):
    listener = Listener()
    search = search_of(tol=-1.0).set_callbacks(listener)
    with pytest.raises(ValueError, match="tol must be positive"):
        search.fit(*diabetes)
    assert listener.heard == []  # not yet set up

    def fail(told):
        raise RuntimeError("enough")

    search = search_of(callback=fail).set_callbacks(listener)
    with pytest.raises(RuntimeError, match="enough"):
        search.fit(*diabetes)
    assert listener.heard[0] == "setup"
    assert listener.heard[-1] == "teardown"


def test_fitted_estimators_are_those_of_the_best_so_far(diabetes):
    X, y = diabetes
    listener = Asks()
    search = search_of().set_callbacks(listener).fit(X, y)
    evaluations = [told for told in listener.heard if told[0] == "evaluation"]
    assert len(evaluations) == len(search.history_)
    best = search.history_["cv_loss"].cummin()
    for (_, score, metadata), lowest in zip(evaluations, best, strict=True):
        alpha = search.history_["alpha"][search.history_["cv_loss"] == lowest].iloc[0]
        assert score == pytest.approx(Ridge(alpha=alpha).fit(X, y).score(X, y), rel=1e-12)
        assert metadata is None
    assert ("fit", search.score(X, y), None) in listener.heard


def test_scoring_monitor(diabetes):
    monitor = sklearn_callback.ScoringMonitor(scoring="r2")
    search = search_of().set_callbacks(monitor).fit(*diabetes)
    log = monitor.get_logs().data_as_pandas
    assert (log["task_name"] == "evaluation").sum() == len(search.history_)
    assert log["r2"].iloc[-1] == pytest.approx(search.score(*diabetes))


def test_progress_bar(diabetes, capsys):
    pytest.importorskip("rich")
    search_of().set_callbacks(sklearn_callback.ProgressBar()).fit(*diabetes)
    out = capsys.readouterr().out
    assert "GradientSearchCV - fit" in out
    assert "GradientSearchCV - search" in out
    assert "100%" in out


def test_inside_another_search(diabetes):
    """The tasks of the inner searches are attached to those of the outer one."""
    listener = Listener()
    outer = GridSearchCV(search_of(max_fits=4), {"estimator__fit_intercept": [True, False]}, cv=2)
    outer.estimator.set_callbacks(listener)
    outer.fit(*diabetes)
    # Two candidates on two splits, and the refit of the outer search.
    assert listener.heard.count("begin search 0") == 5
    assert listener.heard.count("setup") == listener.heard.count("teardown") == 5


def test_clones_keep_their_callbacks(diabetes):
    listener = Listener()
    clone(search_of().set_callbacks(listener)).fit(*diabetes)
    assert "begin search 0" in listener.heard


def test_nothing_is_left_behind(diabetes):
    search = search_of().fit(*diabetes)
    assert not [name for name in vars(search) if "callback" in name and name != "callback"]
    assert np.isfinite(search.best_score_)


def test_without_the_protocol_searches_work_and_say_so():
    """As with scikit-learn before 1.9, whose place is taken by a module that is not there."""
    program = """
import importlib, sys
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
import argrad.sklearn
protocol = sys.modules["sklearn.callback"]
sys.modules["sklearn.callback"] = None
importlib.reload(sys.modules["argrad.sklearn.reporting.tasks"])
sys.modules["sklearn.callback"] = protocol  # scikit-learn itself has need of it
importlib.reload(sys.modules["argrad.sklearn.search"])
from argrad.sklearn import Shared
from argrad.sklearn.search import GradientSearchCV
search = GradientSearchCV(Ridge(), {"alpha": Shared(1e-4, 1e4)}).set_callbacks()
try:
    search.set_callbacks(object())
except ImportError as error:
    print(error)
print(search.fit(*load_diabetes(return_X_y=True)).score(*load_diabetes(return_X_y=True)) > 0.5)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "has no callbacks: install scikit-learn>=1.9, or use" in done.stdout, done.stderr
    assert done.stdout.splitlines()[1:] == ["True"], done.stderr
