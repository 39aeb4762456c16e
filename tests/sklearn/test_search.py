"""What GradientSearchCV owes its user."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from argrad.sklearn import GradientSearchCV, PerFeature, Shared

from .reference import logistic, reference_loss, ridge, standardised

WIDE = (1e-4, 1e4)


def scoring(model):
    return "neg_mean_squared_error" if isinstance(model, Ridge) else "neg_log_loss"


@pytest.fixture(scope="module")
def fitted(breast):
    X, y = breast
    pipeline = standardised(LogisticRegression())
    return GradientSearchCV(pipeline, {"model__C": Shared(*WIDE)}).fit(X, y)


# Against scikit-learn's own search


@pytest.mark.parametrize("in_pipeline", [False, True])
def test_score_is_what_grid_search_finds_at_the_same_value(task, in_pipeline):
    model, name, X, y, splits = task
    X = StandardScaler().fit_transform(X)
    estimator = standardised(model) if in_pipeline else model
    name = f"model__{name}" if in_pipeline else name
    search = GradientSearchCV(estimator, {name: Shared(*WIDE)}, cv=splits).fit(X, y)
    values = [params[name] for params in search.cv_results_["params"]]
    grid = GridSearchCV(estimator, {name: values}, cv=splits, scoring=scoring(model)).fit(X, y)
    for key in [*(f"split{i}_test_score" for i in range(3)), "mean_test_score", "std_test_score"]:
        np.testing.assert_allclose(search.cv_results_[key], grid.cv_results_[key], rtol=1e-8)
    assert search.best_params_ == grid.best_params_
    assert search.best_score_ == pytest.approx(grid.best_score_, rel=1e-9)
    assert search.cv_results_["rank_test_score"][search.best_index_] == 1
    np.testing.assert_allclose(search.predict(X), grid.predict(X))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # scikit-learn's, of weak penalties at a tolerance of 1e-13
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("data", "most"), [("breast", 25), ("wine", 25), ("iris", 25), ("diabetes", 31)]
)
def test_few_fits_reach_what_a_grid_of_fifty_reaches(request, data, most, seed):
    if data == "iris":
        X, y = load_iris(return_X_y=True)
    else:
        X, y = request.getfixturevalue(data)
    model, name, folds = logistic(), "C", StratifiedKFold(5, shuffle=True, random_state=seed)
    if data == "diabetes":
        model, name, folds = ridge(), "alpha", KFold(5, shuffle=True, random_state=seed)
    pipeline, name = standardised(model), f"model__{name}"
    search = GradientSearchCV(pipeline, {name: Shared(*WIDE)}, cv=folds).fit(X, y)
    grid = GridSearchCV(
        pipeline, {name: np.geomspace(*WIDE, 50)}, cv=folds, scoring=scoring(model)
    ).fit(X, y)
    assert search.n_fits_ <= most
    assert -search.best_score_ <= -grid.best_score_ * (1 + 2e-6)


def test_default_splits_are_scikit_learns(breast):
    """Stratified for classes, in order, not shuffled."""
    X, y = breast
    search = GradientSearchCV(
        standardised(logistic()), {"model__C": Shared(0.5, 0.6)}, cv=4, max_fits=5
    ).fit(X, y)
    at = standardised(logistic()).set_params(**search.best_params_)
    expected = cross_val_score(at, X, y, cv=4, scoring="neg_log_loss")
    assert search.n_splits_ == 4
    found = [search.cv_results_[f"split{i}_test_score"][0] for i in range(4)]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


# One penalty a feature


def test_a_penalty_a_feature_is_scikit_learn_on_scaled_columns(task):
    model, name, X, y, splits = task
    name = f"model__{name}"
    search = GradientSearchCV(
        standardised(model), {name: PerFeature(1e-3, 1e3)}, cv=splits, max_fits=19
    ).fit(X, y)
    values = search.best_params_[name]
    assert values.shape == (X.shape[1],)
    assert -search.best_score_ == pytest.approx(
        reference_loss(model, values, X, y, splits), rel=1e-9
    )
    shared = GradientSearchCV(
        standardised(model), {name: Shared(1e-3, 1e3)}, cv=splits, refit=False
    ).fit(X, y)
    longer = clone(search).set_params(max_fits=None).fit(X, y)
    assert longer.best_score_ > shared.best_score_


def test_units_of_the_columns_do_not_matter(diabetes):
    X, y = diabetes
    scale = 10.0 ** np.linspace(-1, 1, 10)
    losses = []
    for each, middle in ((X * 20, 1.0), (X * 20 * scale, 1.0)):
        search = GradientSearchCV(
            Ridge(), {"alpha": PerFeature(1e-12, 1e12)}, max_fits=40, refit=False
        )
        losses.append(search.fit(each, y).history_["cv_loss"] * middle)
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-6)


# What is reported


def test_attributes(fitted, breast):
    X, y = breast
    evaluations = len(fitted.history_)
    assert fitted.n_splits_ == 5
    assert fitted.n_fits_ == 5 * evaluations + 1 <= 25
    assert fitted.interrupted_ is False
    assert fitted.refit_time_ > 0
    assert fitted.best_score_ == -fitted.history_["cv_loss"].min()
    assert fitted.best_index_ == fitted.history_["cv_loss"].argmin()
    assert fitted.best_params_ == fitted.cv_results_["params"][fitted.best_index_]
    assert fitted.best_estimator_.get_params()["model__C"] == fitted.best_params_["model__C"]
    assert fitted.classes_.tolist() == [0, 1]
    assert fitted.n_features_in_ == 30
    best = fitted.best_estimator_
    np.testing.assert_array_equal(fitted.predict(X), best.predict(X))
    np.testing.assert_array_equal(fitted.predict_proba(X), best.predict_proba(X))
    np.testing.assert_array_equal(fitted.predict_log_proba(X), best.predict_log_proba(X))
    np.testing.assert_array_equal(fitted.decision_function(X), best.decision_function(X))
    assert fitted.score(X, y) == best.score(X, y) > 0.95


def test_history_is_a_table_of_evaluations(fitted):
    history = fitted.history_
    assert history.columns.tolist() == [
        "evaluation",
        "fits",
        "seconds",
        "cv_loss",
        "gradient_norm",
        "model__C",
    ]
    assert history["evaluation"].tolist() == list(range(1, len(history) + 1))
    assert history["fits"].tolist() == (5 * history["evaluation"]).tolist()
    assert history["seconds"].is_monotonic_increasing
    assert history["gradient_norm"].iloc[-1] < history["gradient_norm"].iloc[0] / 10
    results = pd.DataFrame(fitted.cv_results_)
    np.testing.assert_array_equal(results["param_model__C"].astype(float), history["model__C"])
    np.testing.assert_allclose(-results["mean_test_score"], history["cv_loss"], rtol=1e-12)


def test_history_names_every_feature(wine):
    X = pd.DataFrame(wine[0][:, :3], columns=["alcohol", "acid", "ash"])
    search = GradientSearchCV(
        standardised(LogisticRegression()),
        {"model__C": PerFeature(*WIDE)},
        max_fits=11,
    ).fit(X, wine[1])
    names = ["model__C[alcohol]", "model__C[acid]", "model__C[ash]"]
    assert search.history_.columns[-3:].tolist() == names
    np.testing.assert_array_equal(
        search.history_[names].iloc[search.best_index_], search.best_params_["model__C"]
    )
    assert search.feature_names_in_.tolist() == list(X.columns)


def test_callback_and_verbose_tell_of_each_evaluation(diabetes, capsys):
    told = []
    search = GradientSearchCV(
        Ridge(), {"alpha": Shared(*WIDE)}, cv=3, callback=told.append, verbose=1
    ).fit(*diabetes)
    keys = [
        "evaluation",
        "fits",
        "seconds",
        "cv_loss",
        "gradient_norm",
        "params",
        "scores",
        "trying",
        "seconds_left",
    ]
    assert [list(each) for each in told] == [keys] * len(search.history_)
    assert all(each["seconds_left"] >= 0 for each in told)
    assert [each["fits"] for each in told] == search.history_["fits"].tolist()
    assert told[0]["params"] == search.cv_results_["params"][0]
    assert capsys.readouterr().out.count("CV loss") == len(told)


# Running


@pytest.mark.parametrize("hyperparameter", [Shared(*WIDE), PerFeature(*WIDE)])
def test_interruption_keeps_the_best_so_far(diabetes, hyperparameter):
    def interrupt(told):
        if told["evaluation"] == 2:
            raise KeyboardInterrupt

    X, y = diabetes
    search = GradientSearchCV(Ridge(), {"alpha": hyperparameter}, callback=interrupt).fit(X, y)
    assert search.interrupted_ is True
    assert len(search.history_) == 2
    assert search.n_fits_ == 11
    assert search.best_score_ == -search.history_["cv_loss"].min()
    search.predict(X)


def test_interruption_before_the_first_evaluation_is_passed_on(diabetes, monkeypatch):
    from argrad.sklearn.criteria.criterion import Criterion

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Criterion, "__call__", interrupt)
    with pytest.raises(KeyboardInterrupt):
        GradientSearchCV(Ridge(), {"alpha": Shared(*WIDE)}).fit(*diabetes)


def test_at_most_so_many_evaluations(diabetes):
    search = GradientSearchCV(Ridge(), {"alpha": Shared(*WIDE)}, max_fits=12)
    assert len(search.fit(*diabetes).history_) == 2


def test_bounds_hold_and_are_reached(breast):
    """The optimum lies below: the search ends at the bound."""
    search = GradientSearchCV(standardised(logistic()), {"model__C": Shared(10.0, 1e3)})
    search.fit(*breast)
    assert search.history_["model__C"].min() == search.best_params_["model__C"] == 10.0


def test_without_refit(diabetes):
    X, y = diabetes
    search = GradientSearchCV(Ridge(), {"alpha": Shared(*WIDE)}).fit(X, y)
    search.set_params(refit=False).fit(X, y)
    assert search.n_fits_ == 5 * len(search.history_)
    assert not hasattr(search, "best_estimator_")
    with pytest.raises(AttributeError, match="has no attribute 'predict'") as error:
        search.predict(X)
    assert "set refit=True" in str(error.value.__cause__)


def test_same_data_same_result(breast):
    pipeline = standardised(LogisticRegression())
    searches = [
        GradientSearchCV(pipeline, {"model__C": Shared(*WIDE)}).fit(*breast) for _ in range(2)
    ]
    assert searches[0].best_params_ == searches[1].best_params_


# Kinds of data


def test_a_data_frame_through_a_column_transformer():
    random = np.random.default_rng(0)
    kind = random.choice(["red", "green", "blue"], 150)
    size = np.where(random.random(150) < 0.1, np.nan, random.normal(size=150))
    y = np.where(np.nan_to_num(size) + (kind == "red") + random.normal(size=150) > 0.5, "yes", "no")
    X = pd.DataFrame({"kind": kind, "size": size})
    prepare = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), ["size"]),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["kind"]),
    )
    pipeline = make_pipeline(prepare, logistic())
    params = {"logisticregression__C": Shared(*WIDE)}
    search = GradientSearchCV(pipeline, params).fit(X, y)
    at = clone(pipeline).set_params(**search.best_params_)
    expected = cross_val_score(at, X, y, cv=5, scoring="neg_log_loss").mean()
    assert search.best_score_ == pytest.approx(expected, rel=1e-9)
    assert search.classes_.tolist() == ["no", "yes"]
    assert search.feature_names_in_.tolist() == ["kind", "size"]
    assert set(search.predict(X)) == {"no", "yes"}


def test_groups_reach_the_splitter(diabetes):
    X, y = diabetes
    groups = np.arange(len(y)) % 7
    search = GradientSearchCV(Ridge(), {"alpha": Shared(1.0, 1.1)}, cv=GroupKFold(3))
    search.set_params(max_fits=4).fit(X, y, groups=groups)
    at = Ridge(**search.best_params_)
    expected = cross_val_score(
        at, X, y, groups=groups, cv=GroupKFold(3), scoring="neg_mean_squared_error"
    ).mean()
    assert search.best_score_ == pytest.approx(expected, rel=1e-9)


def test_lists_and_a_column_as_target(diabetes):
    X, y = diabetes
    params = {"alpha": Shared(1e-2, 1e2)}
    expected = GradientSearchCV(Ridge(), params).fit(X, y).best_params_
    assert GradientSearchCV(Ridge(), params).fit(X.tolist(), y.tolist()).best_params_ == expected
    assert GradientSearchCV(Ridge(), params).fit(X, y[:, None]).best_params_ == expected
    assert GradientSearchCV(Ridge(), params).fit(X, pd.Series(y)).best_params_ == expected


# A scikit-learn estimator


def test_clone_and_parameters():
    search = GradientSearchCV(standardised(Ridge()), {"model__alpha": Shared(1, 2)}, cv=3)
    copy = clone(search)
    assert copy.get_params(deep=False).keys() == search.get_params(deep=False).keys()
    assert copy.params == search.params
    assert copy.cv == 3
    copy.set_params(cv=4, estimator__model__fit_intercept=False)
    assert copy.estimator["model"].fit_intercept is False
    assert search.estimator["model"].fit_intercept is True


def test_kind_and_methods_are_those_of_the_estimator(diabetes):
    classifier = GradientSearchCV(LogisticRegression(), {"C": Shared(1, 2)})
    regressor = GradientSearchCV(Ridge(), {"alpha": Shared(1, 2)})
    assert is_classifier(classifier)
    assert is_regressor(regressor)
    assert hasattr(classifier, "predict_proba")
    assert not hasattr(regressor, "predict_proba")
    assert not hasattr(regressor, "n_features_in_")
    with pytest.raises(NotFittedError):
        regressor.predict(diabetes[0])


def test_within_cross_validation(diabetes):
    """Nested: the search inside, the estimate of its worth outside."""
    search = GradientSearchCV(Ridge(), {"alpha": Shared(*WIDE)}, cv=3)
    scores = cross_val_score(search, *diabetes, cv=3)
    assert scores.mean() > 0.4


def test_pickle(fitted, breast):
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict(breast[0]), fitted.predict(breast[0]))
    assert again.best_params_ == fitted.best_params_


# Errors


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"max_fits": 0}, "max_fits must be a whole number.*got 0"),
        ({"max_fits": 20.5}, r"got 20\.5"),
        ({"max_fits": 5}, "that takes 5 fits, and 1 on all rows.*Set max_fits to 6 or more"),
        ({"timeout": -1.0}, r"timeout must be a positive number of seconds, or None, got -1\.0"),
        ({"timeout": True}, "got True"),
        ({"refit": "accuracy"}, "refit must be True or False, got 'accuracy'"),
        ({"error_score": "ignore"}, "error_score must be 'raise' or a number, got 'ignore'"),
        ({"error_score": None}, "got None"),
        ({"tol": 0.0}, r"tol must be positive, or None, got 0\.0"),
        ({"tol": np.nan}, "tol must be positive"),
        ({"cv": 500}, "cv=500 asks for 500 folds, but there are only 442 rows"),
        ({"params": {"alhpa": Shared(1, 2)}}, "do you mean 'alpha'"),
    ],
)
def test_settings_that_cannot_be_used(diabetes, settings, said):
    search = GradientSearchCV(Ridge(), {"alpha": Shared(*WIDE)}).set_params(**settings)
    with pytest.raises(ValueError, match=said):
        search.fit(*diabetes)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda X, y: (X, None), "y is None"),
        (lambda X, y: (X[:-1], y), "inconsistent numbers of samples"),
        (lambda X, y: (X[:0], y[:0]), "0 rows"),
        (lambda X, y: (np.where(X[5, 2] == X, np.nan, X), y), "NaN in row 5, column 2"),
        (lambda X, y: (X, np.full(442, 1.5)), "nothing to learn"),
        (lambda X, y: (X, np.where(y > 100, "a", "b")), "use LogisticRegression"),
    ],
)
def test_data_that_cannot_be_learnt_from(diabetes, change, said):
    with pytest.raises(ValueError, match=said):
        GradientSearchCV(Ridge(), {"alpha": Shared(*WIDE)}).fit(*change(*diabetes))


def test_a_failed_fit_leaves_nothing_fitted(diabetes):
    X, y = diabetes
    search = GradientSearchCV(Ridge(), {"alpha": Shared(*WIDE)}).fit(X, y)
    with pytest.raises(ValueError, match="shape"):
        search.fit(X[:, 0], y)
    with pytest.raises(NotFittedError):
        search.predict(X)
