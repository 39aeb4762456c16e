"""Find wrong labels by what the weight of each row does to the loss of rows that are known right.

    python examples/data_cleaning.py [--seeds 10]

Half of the labels of 900 handwritten digits are wrong, and 449 others are known to be right. Each
of the 900 rows has a weight σ(xᵢ) in the training of a multinomial logistic regression, and the
weights are what makes the trained model best on the rows that are right, held near 1/2 by a prior:

    minimise over x   mean loss on the right rows of w*(x) + τ mean(x²)
    w*(x) = argmin over w of   mean of σ(xᵢ) lossᵢ(w) + λ |w|²/2

The rows are then ranked by weight; those below 1/2 are named as wrong. What that gains is told
beside what is to be had without: training on the right rows alone, and naming the rows to whose
label such a model gives the least probability.

Source: Franceschi, Donini, Frasconi and Pontil 2017, arXiv:1703.01785, section 5.1.
"""

import argparse
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd
from jaxtyping import Array, Float, Int
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

import argrad as ag

TRAIN, RIGHT = 900, 449
PENALTY, PRIOR = 1e-3, 0.1


class Rows(NamedTuple):
    X: Float[np.ndarray, "rows pixels"]
    y: Int[np.ndarray, " rows"]

    def and_also(self, other: "Rows") -> "Rows":
        return Rows(np.concatenate([self.X, other.X]), np.concatenate([self.y, other.y]))

    def __getitem__(self, rows) -> "Rows":
        return Rows(self.X[rows], self.y[rows])


class Task(NamedTuple):
    """Rows with labels half of which are `wrong`, rows that are right, and rows to test on."""

    doubtful: Rows
    wrong: np.ndarray
    right: Rows
    test: Rows


def task(seed: int) -> Task:
    rng = np.random.default_rng(seed)
    images, digits = load_digits(return_X_y=True)
    rows = Rows(images / 16, digits)[rng.permutation(len(digits))]
    doubtful, right, test = np.split(np.arange(len(digits)), [TRAIN, TRAIN + RIGHT])
    wrong = rng.permutation(TRAIN) < TRAIN // 2
    labels = rows.y[doubtful].copy()
    labels[wrong] = (labels[wrong] + rng.integers(1, 10, TRAIN // 2)) % 10
    return Task(Rows(rows.X[doubtful], labels), wrong, rows[right], rows[test])


def losses(w: Float[Array, "pixels 10"], rows: Rows) -> Float[Array, " rows"]:
    return optax.softmax_cross_entropy_with_integer_labels(rows.X @ w, rows.y)


def training(w, x, doubtful: Rows, right: Rows):
    """The lower objective."""
    weighted = jnp.mean(jax.nn.sigmoid(x) * losses(w, doubtful))
    return weighted + PENALTY / 2 * jnp.sum(w**2)


def validation(w, x, doubtful: Rows, right: Rows):
    """The upper objective."""
    return jnp.mean(losses(w, right)) + PRIOR * jnp.mean(x**2)


def suspects(doubtful: Rows, right: Rows, progress: bool = False) -> pd.DataFrame:
    """All doubtful rows by their weight, the most doubtful first: `row`, `label`, `weight`."""
    start = np.zeros((doubtful.X.shape[1], 10))
    rows = Rows(*map(jnp.asarray, doubtful)), Rows(*map(jnp.asarray, right))
    problem = ag.Bilevel(validation, training)
    found = ag.minimise(problem, np.zeros(len(doubtful.y)), start, *rows, progress=progress)
    weights = np.asarray(jax.nn.sigmoid(found.x))
    order = np.argsort(weights)
    return pd.DataFrame({"row": order, "label": doubtful.y[order], "weight": weights[order]})


def suspects_of_a_model(doubtful: Rows, right: Rows) -> np.ndarray:
    """The rows by the probability that a model of the right rows alone gives to their label."""
    model = LogisticRegression(max_iter=1000).fit(*right)
    given = model.predict_proba(doubtful.X)[np.arange(len(doubtful.y)), doubtful.y]
    return np.argsort(given)


def accuracy(train: Rows, test: Rows) -> float:
    return LogisticRegression(max_iter=1000).fit(*train).score(*test)


def measure(seed: int) -> dict[str, float]:
    """Precision and recall of what is named, and accuracies on the rows to test on."""
    doubtful, wrong, right, test = task(seed)
    ranking = suspects(doubtful, right)
    named = ranking.row[ranking.weight < 0.5].to_numpy()
    kept = np.setdiff1d(np.arange(TRAIN), named)
    by_model = suspects_of_a_model(doubtful, right)[: len(named)]
    return {
        "named as wrong": len(named),
        "precision": wrong[named].mean(),
        "recall": wrong[named].sum() / wrong.sum(),
        "precision, rows a model of the right ones finds unlikely": wrong[by_model].mean(),
        "accuracy, all doubtful rows": accuracy(doubtful, test),
        "accuracy, those that are not named": accuracy(doubtful[kept], test),
        "accuracy, right rows alone": accuracy(right, test),
        "accuracy, right rows and those not named": accuracy(doubtful[kept].and_also(right), test),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    seeds = parser.parse_args().seeds
    with jax.enable_x64(True):
        doubtful, wrong, right, _ = task(0)
        ranking = suspects(doubtful, right, progress=True)
        ranking["is wrong"] = wrong[ranking.row]
        print("The first and last suspects of the first split:")
        print(pd.concat([ranking.head(5), ranking.tail(5)]).to_string(index=False))
        found = pd.DataFrame([measure(seed) for seed in range(seeds)])
    print(f"\nOver {seeds} random splits:")
    for name, numbers in found.items():
        print(f"  {name:58s} {numbers.mean():8.3f} ± {numbers.sem():.3f}")


if __name__ == "__main__":
    main()
