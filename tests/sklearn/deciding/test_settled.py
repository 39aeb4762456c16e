"""The default search: its decision, what it reports of it, and what it spends."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from argrad.sklearn import Auto, GradientSearchCV, PerFeature, PerLayer, Shared
from argrad.sklearn.deciding import settled
from argrad.sklearn.deciding.candidates import GROUPED, PER_LAYER
from argrad.sklearn.deciding.granularity import Decision
from argrad.sklearn.place import find_place
from argrad.sklearn.refit import refit

from ..reference import reference_loss, ridge, standardised


@pytest.fixture(scope="module")
def noisy():
    """Three columns that matter among fifteen."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 15))
    return X, X[:, :3] @ [1.0, -1.0, 1.0] + 0.5 * rng.normal(size=120)


@pytest.fixture(scope="module")
def search(noisy):
    return GradientSearchCV(standardised(ridge())).fit(*noisy)


def test_without_params_the_granularity_is_decided(noisy, search):
    X, y = noisy
    table = search.granularity_results_.set_index("candidate")
    assert list(table.columns) == ["cv_loss", "unseen_loss", "standard_error"]
    assert search.granularity_ == "per-feature"
    name = "per-feature"
    if search.prior_strength_ > 0:
        name += f", prior {search.prior_strength_:g}"
    assert table.loc[name, "unseen_loss"] == table["unseen_loss"].min()
    assert search.optimism_ == pytest.approx(
        table.loc[name, "unseen_loss"] - table.loc[name, "cv_loss"], rel=1e-12
    )
    # The search goes on from where the decision's tuning ended, so it can only end lower.
    assert -search.best_score_ == pytest.approx(table.loc[name, "cv_loss"], rel=1e-2)
    alpha = search.best_params_["model__alpha"]
    splits = list(KFold(5).split(X))
    assert -search.best_score_ == pytest.approx(
        reference_loss(ridge(), alpha, X, y, splits), rel=1e-8
    )
    assert clone(search).params is None


def test_the_best_point_is_that_of_the_lowest_objective(noisy, search):
    """With a prior: the CV loss and the prior's share, in which the last point need not be best."""
    assert search.cv_results_["rank_test_score"][search.best_index_] == 1
    alphas = [row["model__alpha"] for row in search.cv_results_["params"]]
    scale = search.granularity_results_["cv_loss"].iloc[0]
    shares = [search.prior_strength_ * scale * np.var(np.log(alpha)) for alpha in alphas]
    objective = search.history_["cv_loss"] + shares
    assert objective.idxmin() == search.best_index_


def test_fits_of_the_decision_count(search):
    history = search.history_
    assert history["fits"].iloc[0] > 5 * len(search.granularity_results_)
    assert history["fits"].diff().dropna().eq(5).all()
    assert search.n_fits_ == history["fits"].iloc[-1] + 1


def test_a_limit_in_fits_holds_with_a_decision(noisy):
    X, y = noisy
    for most in (6, 61, 400):
        found = GradientSearchCV(Ridge(), max_fits=most).fit(X, y)
        assert found.n_fits_ <= most
    assert GradientSearchCV(Ridge(), max_fits=6).fit(X, y).granularity_ == "shared"


def test_explicit_hyperparameters_are_what_they_were(noisy):
    X, y = noisy
    search = GradientSearchCV(Ridge()).fit(X, y)
    assert search.granularity_
    search.set_params(params={"alpha": PerFeature(1e-2, 1e4)}, nested=False).fit(X, y)
    assert not hasattr(search, "granularity_")
    assert not hasattr(search, "optimism_")


def test_a_single_split_keeps_the_shared_penalty(noisy):
    X, y = noisy
    rows = np.arange(len(y))
    found = GradientSearchCV(Ridge(), cv=[(rows[:80], rows[80:])]).fit(X, y)
    assert found.granularity_ == "shared"
    assert np.isnan(found.optimism_)
    wanted = {"alpha": Shared(1e-4, 1e4)}
    shared = GradientSearchCV(Ridge(), wanted, cv=[(rows[:80], rows[80:])]).fit(X, y)
    assert found.best_score_ == pytest.approx(shared.best_score_, rel=1e-5)


def test_groups_by_name_of_column(noisy):
    X, y = noisy
    table = pd.DataFrame(X, columns=[f"c{j}" for j in range(15)])
    groups = {"signal": list(table.columns[:3]), "noise": list(table.columns[3:])}
    found = GradientSearchCV(Ridge(), {"alpha": Auto(groups=groups)}).fit(table, y)
    assert "grouped" in set(found.granularity_results_["candidate"])
    assert found.granularity_ == "grouped"
    signal, noise = found.best_params_["alpha"]
    assert noise > 100 * signal


def test_units_do_not_matter(noisy):
    """Of the columns, all alike, and of the target: the same decision and predictions."""
    X, y = noisy
    one = GradientSearchCV(Ridge()).fit(X, y)
    other = GradientSearchCV(Ridge()).fit(1e3 * X, 1e-4 * y)
    assert one.granularity_ == other.granularity_
    assert one.prior_strength_ == other.prior_strength_
    np.testing.assert_allclose(1e4 * other.predict(1e3 * X), one.predict(X), rtol=1e-2, atol=1e-2)


def test_a_part_of_the_rows_where_all_cost_too_much(noisy, monkeypatch):
    X, y = noisy[0][:, :4], noisy[1]
    looked_at = []

    def rows(coefficients, one_gram):
        looked_at.append((coefficients, one_gram))
        return 60

    monkeypatch.setattr(settled, "affordable_rows", rows)
    found = GradientSearchCV(LogisticRegression(), cv=3).fit(X, y > 0)
    assert looked_at == [(4, False)]
    assert found.granularity_results_["unseen_loss"].notna().all()
    monkeypatch.setattr(settled, "affordable_rows", lambda p, one: 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = GradientSearchCV(LogisticRegression(), cv=3).fit(X, y > 0)
    assert found.granularity_ == "shared"
    assert found.granularity_results_.empty


def test_groups_and_classes_are_compared_where_columns_cost_too_much(rng, noisy, monkeypatch):
    monkeypatch.setattr(settled, "affordable_rows", lambda p, one: 0)
    X, y = noisy
    groups = [0] * 3 + [1] * (X.shape[1] - 3)
    found = GradientSearchCV(Ridge(), {"alpha": Auto(groups=groups)}).fit(X, y)
    assert list(found.granularity_results_["candidate"]) == ["shared", "grouped"]
    assert found.granularity_ == "grouped"
    several = np.argmax(X[:, :3] + rng.gumbel(size=(len(y), 3)), axis=1)
    found = GradientSearchCV(LogisticRegression(), cv=3).fit(X[:, :3], several)
    assert found.granularity_ in ("shared", "per-class")
    assert set(found.granularity_results_["candidate"]) <= {"shared", "per-class"}
    monkeypatch.setattr(settled, "affordable_rows_of_few", lambda p, one: 0)
    found = GradientSearchCV(Ridge(), {"alpha": Auto(groups=groups)}).fit(X, y)
    assert found.granularity_results_.empty
    assert "too many to compare" in found.granularity_reason_


def test_a_decision_tells_what_it_tries(noisy, capsys):
    X, y = noisy
    told = []
    search = GradientSearchCV(Ridge(), cv=3, callback=told.append, verbose=1).fit(X, y)
    tried = [each for each in told if each["evaluation"] == 0]
    points = [each for each in told if each["evaluation"]]
    assert told == tried + points
    assert [each["evaluation"] for each in points] == search.history_["evaluation"].tolist()
    assert {each["trying"] for each in points} == {None}
    named = list(dict.fromkeys(each["trying"] for each in tried))
    assert named[:2] == ["shared", "per-feature, prior 1"]
    assert "shared, without fold 2" in named
    fits = [each["fits"] for each in told]
    assert fits == sorted(fits)
    assert all(np.isfinite(each["cv_loss"]) for each in tried)
    said = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in said[: len(named)]] == [f"trying {x}" for x in named]
    assert said[len(named)].startswith("evaluation 1:")


@pytest.mark.parametrize("ctrl_c", [False, True])
def test_a_decision_can_be_ended(noisy, ctrl_c):
    """What has been measured until then is the result, after a single point."""

    def enough(told):
        if told["fits"] < 60:
            return False
        if ctrl_c and told["evaluation"] == 0:
            raise KeyboardInterrupt
        return True

    X, y = noisy
    search = GradientSearchCV(Ridge(), cv=3, callback=enough).fit(X, y)
    assert len(search.history_) == 1
    assert search.interrupted_ is ctrl_c
    assert search.granularity_ == "shared"
    assert "before the decision ended" in search.granularity_reason_
    whole = GradientSearchCV(Ridge(), {"alpha": Shared(1e-4, 1e4)}, cv=3).fit(X, y)
    assert search.best_score_ == pytest.approx(whole.best_score_, rel=1e-4)


def test_classes_are_considered(wine):
    """Of three classes; the penalties of the one candidate that is left are one a class."""
    X, y = wine[0][::2, :4], wine[1][::2]
    pipeline = standardised(LogisticRegression())
    search = GradientSearchCV(pipeline, cv=3).fit(X, y)
    assert "per-class" in set(search.granularity_results_["candidate"])
    losses = search.granularity_results_.set_index("candidate")["unseen_loss"]
    assert search.granularity_reason_.startswith(f"{search.granularity_}")
    assert f"{losses['shared']:.4g}" in search.granularity_reason_


def test_a_decision_for_one_penalty_is_what_asking_for_it_finds():
    X, y = load_wine(return_X_y=True)
    model = make_pipeline(StandardScaler(), LogisticRegression())
    decided = GradientSearchCV(model).fit(X, y)
    assert decided.granularity_ == "shared"
    asked = GradientSearchCV(model, {"logisticregression__C": Shared(1e-4, 1e4)}).fit(X, y)
    assert decided.best_params_ == asked.best_params_
    assert decided.best_score_ == asked.best_score_


def curve(rng, n=50):
    """A sine of one of two columns, with noise."""
    X = rng.normal(size=(n, 2))
    return X, np.sin(2 * X[:, 0]) + 0.2 * rng.normal(size=n)


def network(*hidden, kind=MLPRegressor):
    return kind(hidden_layer_sizes=hidden, activation="tanh", random_state=0)


def chooses(candidate, log_values, monkeypatch):
    """Let comparisons come to this; a list of what they were given, and the rule of each."""
    given = []

    def compare(criterion_for, splits, several, start, doubt, *rest, **early):
        given.append((several, doubt, criterion_for(splits)(np.zeros(len(start)))))
        nothing = pd.DataFrame(columns=["candidate", "cv_loss", "unseen_loss", "standard_error"])
        return Decision(candidate, np.array(log_values), np.nan, nothing, "because")

    monkeypatch.setattr(settled, "compare", compare)
    return given


def test_layers_of_a_network_are_compared_with_one_decay(rng):
    X, y = curve(rng)
    search = GradientSearchCV(network(2), cv=3).fit(X, y)
    assert search.granularity_ in ("shared", "per-layer")
    assert search.granularity_reason_.startswith(search.granularity_)
    assert set(search.granularity_results_["candidate"]) in (set(), {"shared", "per-layer"})
    if search.granularity_ == "shared":
        low, high = search.bounds_["alpha"]
        asked = GradientSearchCV(network(2), {"alpha": Shared(low, high)}, cv=3).fit(X, y)
        assert search.best_params_ == asked.best_params_
        assert search.best_score_ == asked.best_score_


@pytest.mark.parametrize("kind", [MLPRegressor, MLPClassifier])
def test_a_decay_a_layer_that_is_chosen_is_tuned_from_where_it_was_compared(kind, rng, monkeypatch):
    X, y = curve(rng)
    y = y if kind is MLPRegressor else y > 0
    at = np.log([2.0, 0.5])
    given = chooses(PER_LAYER, at, monkeypatch)
    search = GradientSearchCV(network(2, kind=kind), cv=3, max_fits=20).fit(X, y)
    ((several, doubt, _),) = given
    assert list(several.ways) == [PER_LAYER]
    np.testing.assert_array_equal(several.ways[PER_LAYER], [0, 1])
    assert doubt == 3.0
    assert search.granularity_ == "per-layer"
    assert list(search.bounds_) == ["alpha[hidden 1]", "alpha[output]"]
    np.testing.assert_allclose(search.history_.iloc[0][list(search.bounds_)], np.exp(at))
    assert search.history_["fits"].iloc[0] == 3 + 3


def test_groups_of_layers_are_considered(rng, monkeypatch):
    X, y = curve(rng)
    given = chooses(GROUPED, [1.0, 1.0, 3.0], monkeypatch)
    groups = Auto(groups=["in", "in", "out"])
    search = GradientSearchCV(network(2, 2), {"alpha": groups}, cv=3, max_fits=20).fit(X, y)
    np.testing.assert_array_equal(given[0][0].ways[GROUPED], [0, 0, 1])
    assert list(search.bounds_) == ["alpha[in]", "alpha[out]"]
    first = search.history_.iloc[0]
    assert np.log([first["alpha[in]"], first["alpha[out]"]]) == pytest.approx([1.0, 3.0])


def test_networks_that_are_dear_have_one_decay_and_are_told(rng, monkeypatch):
    X, y = curve(rng)
    asked = GradientSearchCV(network(2), {"alpha": Shared(1e-3, 1e3)}, cv=3, max_fits=10).fit(X, y)

    def search():
        return GradientSearchCV(network(2), {"alpha": Auto(1e-3, 1e3)}, cv=3, max_fits=10).fit(X, y)

    with monkeypatch.context() as patched:
        patched.setattr(settled, "affordable_rows_of_network", lambda weights, seconds: 0)
        found = search()
    assert found.granularity_reason_.startswith("shared: 9 weights are too many to compare")
    assert (found.best_params_, found.n_fits_) == (asked.best_params_, asked.n_fits_)
    monkeypatch.setattr(settled, "_PATIENCE", 0.0)
    assert "within 0 s of processor time" in search().granularity_reason_
    monkeypatch.setattr(settled, "affordable_rows_of_network", lambda weights, seconds: 99)
    found = search()
    assert "per-layer takes more than 0 s of processor time" in found.granularity_reason_
    assert (found.granularity_, found.best_params_) == ("shared", asked.best_params_)


def test_of_many_rows_of_a_network_a_part_is_looked_at(rng, monkeypatch):
    X, y = curve(rng, 90)
    monkeypatch.setattr(settled, "affordable_rows_of_network", lambda weights, seconds: 45)
    given = chooses(PER_LAYER, [0.0, 0.0], monkeypatch)
    GradientSearchCV(network(2), cv=3, max_fits=12).fit(X, y)
    drawn = settled.draw(90, 45, None)
    place = find_place(network(2), {"alpha": PerLayer(0.5, 2.0)})
    losses = []
    for train, valid in settled.among(list(KFold(3).split(X)), drawn):
        rows, others = drawn[train], drawn[valid]
        fitted = refit(network(2), place, np.zeros(2), X[rows], y[rows])
        losses.append(np.mean((fitted.predict(X[others]) - y[others]) ** 2))
    np.testing.assert_allclose(given[0][2].split_losses, losses, rtol=1e-5)


def test_a_network_without_hidden_layers_has_nothing_to_compare(rng):
    X, y = curve(rng)
    search = GradientSearchCV(network(), cv=3, max_fits=10).fit(X, y)
    assert not hasattr(search, "granularity_")
    assert list(search.bounds_) == ["alpha"]
