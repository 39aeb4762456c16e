"""Penalties of sparse regressions: searches by gradient, and scikit-learn's paths.

    python benchmarks/sparse_tuning.py [--seeds 3] [--rows 1000] [--many | --classes]

2000 columns of a correlated design, 20 with coefficients, a target of variance 1 of which 0.033
are noise; test losses on 5000 rows more. The same five folds for all; processor time on one
thread; see README.md for the latest results. With `--many` it is the lasso alone, with one penalty
and by default, which decides on one for each of the columns. With `--classes` the target is one of
two classes, drawn with log odds of standard deviation 2.5, and losses are log losses.
"""

import argparse
import time

import session  # noqa: F401  first: it pins the threads

ODDS = 2.5
COLUMNS, INFORMATIVE, TEST, NOISE, CORRELATION = 2000, 20, 5000, 0.033, 0.5
RATIOS = [0.1, 0.5, 0.7, 0.9, 0.95, 0.99, 1]


def data(seed, rows, classes):
    import numpy as np
    from scipy.signal import lfilter

    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(rows + TEST, COLUMNS))
    noise[:, 1:] *= np.sqrt(1 - CORRELATION**2)
    X = lfilter([1.0], [1.0, -CORRELATION], noise, axis=1)
    w = np.zeros(COLUMNS)
    chosen = rng.choice(COLUMNS, INFORMATIVE, replace=False)
    w[chosen] = rng.choice([-1.0, 1.0], INFORMATIVE)
    if classes:
        z = ODDS * (X @ w) / (X @ w).std()
        y = (rng.uniform(size=rows + TEST) < 1 / (1 + np.exp(-z))).astype(int)
        return X[:rows], y[:rows], X[rows:], y[rows:]
    w *= np.sqrt((1 - NOISE) / (X @ w).var())
    y = X @ w + np.sqrt(NOISE) * rng.normal(size=rows + TEST)
    return X[:rows], y[:rows], X[rows:], y[rows:]


def contestants(many):
    from sklearn.linear_model import ElasticNet, ElasticNetCV, Lasso, LassoCV

    from argrad.sklearn import GradientSearchCV, Shared

    shared = {"alpha": Shared(1e-5, 1e2)}
    if many:
        return {
            "LassoCV": lambda: LassoCV(cv=5),
            "argrad, by default": lambda: GradientSearchCV(Lasso()),
        }
    return {
        "LassoCV": lambda: LassoCV(cv=5),
        "argrad, Lasso": lambda: GradientSearchCV(Lasso(), shared),
        "ElasticNetCV": lambda: ElasticNetCV(l1_ratio=RATIOS, cv=5),
        "argrad, ElasticNet": lambda: GradientSearchCV(ElasticNet()),
    }


def classifiers():
    import numpy as np
    from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
    from sklearn.model_selection import GridSearchCV

    from argrad.sklearn import GradientSearchCV, Shared

    given = {"cv": 5, "scoring": "neg_log_loss"}
    saga = LogisticRegression(l1_ratio=1, solver="saga")
    liblinear = LogisticRegression(l1_ratio=1, solver="liblinear")
    path = {"l1_ratios": [1.0], "solver": "liblinear", "use_legacy_attributes": False, **given}
    net = LogisticRegression(l1_ratio=0.5, solver="saga")
    return {
        "LogisticRegressionCV": lambda: LogisticRegressionCV(Cs=10, **path),
        "GridSearchCV": lambda: GridSearchCV(liblinear, {"C": np.logspace(-4, 4, 21)}, **given),
        "argrad, C": lambda: GradientSearchCV(saga, {"C": Shared(1e-4, 1e4)}),
        "argrad, C and l1_ratio": lambda: GradientSearchCV(net),
    }


def loss_of(found):
    """The CV loss, and how often the criterion was evaluated."""
    if hasattr(found, "history_"):
        return -found.best_score_, len(found.history_)
    if hasattr(found, "cv_results_"):
        return -found.best_score_, len(found.cv_results_["params"])
    if hasattr(found, "C_"):
        mean = -found.scores_.mean(axis=0)
        return mean.min(), mean.size
    mean = found.mse_path_.mean(axis=-1)
    return mean.min(), mean.size


def exact_loss(found, X, y):
    """The CV loss of what was chosen, of fits that are exact to more digits than are shown."""
    from sklearn.linear_model import ElasticNet
    from sklearn.model_selection import cross_val_score

    if hasattr(found, "classes_"):  # saga would take thousands of passes
        C = found.C_ if hasattr(found, "C_") else found.best_params_["C"]
        return f"{exact_log_loss(C, getattr(found, 'best_params_', {}), X, y):.6f}"
    best = found.best_estimator_ if hasattr(found, "history_") else found
    alpha = found.best_params_["alpha"] if hasattr(found, "history_") else found.alpha_
    if not isinstance(alpha, float):
        return "one a column"
    ratio = getattr(found, "l1_ratio_", getattr(best, "l1_ratio", 1.0))
    model = ElasticNet(alpha=alpha, l1_ratio=ratio, tol=1e-9, max_iter=100_000)
    score = cross_val_score(model, X, y, cv=5, scoring="neg_mean_squared_error").mean()
    return f"{-score:.6f}"


def exact_log_loss(C, params, X, y):
    """By a search that may not leave C: the tests hold its losses against scikit-learn's."""
    from sklearn.linear_model import LogisticRegression

    from argrad.sklearn import GradientSearchCV, Shared

    model = LogisticRegression(l1_ratio=params.get("l1_ratio", 1.0), solver="saga")
    there = {"C": Shared(C * (1 - 1e-9), C * (1 + 1e-9))}
    return -GradientSearchCV(model, there, max_fits=5, refit=False).fit(X, y).best_score_


def test_loss(found, X, y):
    from sklearn.metrics import log_loss

    if hasattr(found, "classes_"):
        return log_loss(y, found.predict_proba(X))
    return ((found.predict(X) - y) ** 2).mean()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=1000)
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("--many", action="store_true")
    kinds.add_argument("--classes", action="store_true")
    given = parser.parse_args()
    print("| data | | its CV loss | exactly | evaluations | processor s | test loss | decision |")
    print("|---|---|---|---|---|---|---|---|")
    for seed in range(given.seeds):
        X, y, X_test, y_test = data(seed, given.rows, given.classes)
        makers = classifiers() if given.classes else contestants(given.many)
        for name, make in makers.items():
            begun = time.process_time()
            found = make().fit(X, y)
            seconds = time.process_time() - begun
            loss, evaluations = loss_of(found)
            test = test_loss(found, X_test, y_test)
            decided = ""
            if hasattr(found, "granularity_"):
                decided = f"{found.granularity_}, prior {found.prior_strength_:g}"
            row = f"| {seed} | {name} | {loss:.6f} | {exact_loss(found, X, y)} | {evaluations} |"
            print(f"{row} {seconds:.2f} | {test:.4f} | {decided} |", flush=True)


if __name__ == "__main__":
    import warnings

    warnings.filterwarnings("ignore", module="sklearn")
    main()
