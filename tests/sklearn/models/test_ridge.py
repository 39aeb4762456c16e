import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from argrad.sklearn import GradientSearchCV, Shared
from argrad.sklearn.models.ridge import RidgeModel


def test_validation_loss_is_the_squared_error():
    z, u = np.array([[1.0], [2.0]]), np.array([[3.0], [2.5]])
    np.testing.assert_allclose(RidgeModel().validation_loss(z, u, np), [4.0, 0.25])
    np.testing.assert_allclose(RidgeModel().loss(z, u, np), [2.0, 0.125])


def test_gradient_and_curvature_are_derivatives_of_the_loss():
    z, u = np.array([[1.0], [-2.0]]), np.array([[3.0], [2.5]])
    slope = (RidgeModel().loss(z + 1e-5, u, np) - RidgeModel().loss(z - 1e-5, u, np)) / 2e-5
    np.testing.assert_allclose(RidgeModel().gradient(z, u).ravel(), slope, atol=1e-9)
    assert RidgeModel().curvature(z, z).tolist() == [[[1.0]], [[1.0]]]


def test_several_targets():
    y = np.random.default_rng(0).normal(size=(5, 2))
    model, encoded = RidgeModel().for_target(y)
    assert encoded.outputs == ["y0", "y1"]
    z = np.zeros((5, 2))
    np.testing.assert_allclose(model.validation_loss(z, y, np), (y**2).mean(axis=1))
    with pytest.raises(ValueError, match="column 1 of y is 3 in all 5 rows"):
        RidgeModel().for_target(np.column_stack([y[:, 0], np.full(5, 3.0)]))


@pytest.mark.parametrize(
    ("y", "said"),
    [
        (np.array(["low", "high"], dtype=object), "'low'.*use LogisticRegression"),
        (np.array([1.0, np.inf, 2.0]), "inf in row 1"),
        (np.array([1.0, 2.0, np.nan]), "nan in row 2"),
        (np.full(5, 2.5), r"2\.5 in all 5 rows"),
    ],
)
def test_targets_that_cannot_be_learnt(y, said):
    with pytest.raises(ValueError, match=said):
        RidgeModel().for_target(y)


def test_positive_coefficients_cannot_be_honoured():
    with pytest.raises(ValueError, match=r"positive=True.*Set positive=False"):
        RidgeModel.of(Ridge(positive=True))
    RidgeModel.of(Ridge(solver="svd"))


SOLVERS = ["auto", "svd", "cholesky", "lsqr", "sparse_cg", "sag", "saga", "lbfgs"]


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("solver", SOLVERS)
def test_a_solver_that_cannot_fit_a_sparse_x_is_refused_before_the_search(
    rng, solver, fit_intercept
):
    """Those that scikit-learn's Ridge itself refuses, and no others."""
    X = sparse.random_array((60, 4), density=0.5, rng=rng).tocsr()
    y = rng.normal(size=60)
    estimator = Ridge(solver=solver, fit_intercept=fit_intercept, tol=1e-2)
    try:
        estimator.fit(X, y)
        refused = False
    except (ValueError, TypeError):
        refused = True
    told = []
    search = GradientSearchCV(estimator, {"alpha": Shared(1e-2, 1e2)}, cv=2, callback=told.append)
    if refused:
        with pytest.raises(ValueError, match=f"Ridge.solver='{solver}'. cannot be tuned.* Set"):
            search.fit(X, y)
        assert not told
    else:
        assert search.fit(X, y).best_params_["alpha"] > 0


def test_nor_where_it_is_the_pipeline_that_makes_it_sparse(rng):
    X = rng.integers(0, 3, size=(60, 2))
    search = GradientSearchCV(make_pipeline(OneHotEncoder(), Ridge(solver="cholesky")), cv=3)
    with pytest.raises(ValueError, match=r"solver='cholesky'.*sparse X.*Set solver='auto'"):
        search.fit(X, rng.normal(size=60))
