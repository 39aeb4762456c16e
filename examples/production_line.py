"""The best feed rate of a production line, known only by its records, and what moves it.

    python examples/production_line.py

Boosted trees are fitted to records of the yield of a line at many feed rates and settings. They
jump: their derivative is zero or does not exist, and so is that of the best feed rate. Seen
through the scatter ε with which feed and settings vary in operation, both are smooth:

    Y(u, s) = E model(u + ε₀z₀, s + εz),   z normal,      u*(s) = argmax over u of Y(u, s)

`ag.black_box` estimates Y and its derivatives from predictions alone, `ag.implicit` the
derivative of the u* that a search found; standard errors are those over independent samples. Two
lines are looked at: one that is simulated, so that the truth is known, steps and branches
included; and a real one, the 21 days of Brownlee's ammonia plant (`stackloss`), too few for much.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Float
from scipy.optimize import minimize_scalar
from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingRegressor

import argrad as ag

SETTINGS = ("heat", "moisture", "wear")
SCATTER = np.array([0.4, 0.3, 0.3, 0.3])  # of feed and settings
FEED = (0.5, 6.0)
SAMPLES, REPEATS = 40_000, 6


def line(feed: Float[np.ndarray, " n"], settings: Float[np.ndarray, "n 3"]) -> np.ndarray:
    """The simulated line's yield an hour, in tonnes.

    Above the dryer's capacity product is lost; a second one, started at a feed of 2.2, costs 0.4;
    moisture is paid for by steps.
    """
    heat, moisture, wear = settings.T
    excess = np.maximum(feed - (3 + 0.8 * heat - 0.6 * moisture), 0)
    dryer, penalty = 0.4 * (feed > 2.2), 0.15 * np.floor(2 * moisture) / 2
    return feed * (1 - 0.1 * wear) - 0.8 * excess**2 - dryer - penalty


def records(rng: np.random.Generator, n: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Feed and settings in columns, and the measured yield."""
    settings = rng.uniform([-1, -1, 0], [1, 1, 2], (n, 3))
    feed = rng.uniform(*FEED, n)
    return np.column_stack([feed, settings]), line(feed, settings) + 0.1 * rng.normal(size=n)


class Line:
    """A line as seen through its scatter; `predict` is given feed and settings in columns."""

    def __init__(self, predict: Callable[[np.ndarray], np.ndarray]):
        self.box = ag.black_box(
            predict,
            scale=jnp.asarray(SCATTER),
            budget=SAMPLES,
            directions="gaussian",  # the ones that have second derivatives
            batched=True,
        )
        self.value = jax.jit(self.seen)
        self.slope = jax.jit(jax.grad(self._loss))
        self.curvature = jax.jit(jax.grad(jax.grad(self._loss)))
        self.gain = jax.jit(jax.grad(self.seen, argnums=1))
        # The search is done before; of what it returned the slope is noise of the sample.
        taken = ag.implicit(lambda _, feed, key: feed, ag.stationarity(self._loss), tol=0.1)
        self.move = jax.jit(jax.jacobian(taken))

    def seen(self, feed, settings, key) -> Array:
        """Y."""
        return self.box(jnp.concatenate([jnp.reshape(feed, 1), settings]), key)

    def _loss(self, feed, settings, key):
        return -self.seen(feed, settings, key)

    def best_feed(self, settings: np.ndarray, key: int) -> float:
        found = minimize_scalar(
            lambda u: -float(self.value(u, settings, key)),
            bounds=FEED,
            method="bounded",
            options={"xatol": 1e-2},
        ).x
        for _ in range(3):  # Newton's steps, by slopes, which tell more than values
            slope, curvature = (f(found, settings, key) for f in (self.slope, self.curvature))
            found -= float(slope / curvature)
        return found

    def sensitivity(self, settings: np.ndarray) -> pd.DataFrame:
        """The best feed and its yield, and their derivatives by the settings, with errors."""
        found = []
        for key in range(REPEATS):
            feed = self.best_feed(settings, key)
            moves = self.move(settings, feed, key)
            gains = self.gain(feed, settings, key)  # the envelope theorem: the feed stays
            best = self.value(feed, settings, key)
            found.append(np.stack([np.r_[feed, moves], np.r_[best, gains]]))
        mean, error = np.mean(found, axis=0), np.std(found, axis=0, ddof=1) / REPEATS**0.5
        columns = {"best feed": mean[0], "±": error[0], "its yield": mean[1], "± ": error[1]}
        return pd.DataFrame(columns, index=["at these settings", *(f"d/d {s}" for s in SETTINGS)])


def true_sensitivity(settings: np.ndarray, h: float = 0.05) -> pd.DataFrame:
    """The same of the simulated line itself, by differences of optima over many samples."""
    z = np.random.default_rng(1).normal(size=(200_000, 4)) * SCATTER
    z = np.concatenate([z, -z])

    def best(settings):
        seen = lambda u: -np.mean(line(u + z[:, 0], settings + z[:, 1:]))
        found = minimize_scalar(seen, bounds=FEED, method="bounded", options={"xatol": 1e-7})
        return np.array([found.x, -found.fun])

    steps = h * np.eye(3)
    slopes = [(best(settings + e) - best(settings - e)) / (2 * h) for e in steps]
    rows = ["at these settings", *(f"d/d {s}" for s in SETTINGS)]
    return pd.DataFrame([best(settings), *slopes], rows, ["best feed", "its yield"])


def stack_loss() -> pd.DataFrame:
    """What moves the loss of ammonia of a real plant: by trees, and by a straight line."""
    try:
        from statsmodels.api import OLS, add_constant
        from statsmodels.datasets import stackloss
    except ImportError as error:
        raise ImportError(
            'the records of the plant come with statsmodels: pip install "argrad[examples]".'
        ) from error

    data = stackloss.load_pandas()
    spread = data.exog.std()
    trees = GradientBoostingRegressor(max_depth=2, subsample=0.7, random_state=0)
    trees.fit(data.exog.to_numpy(), data.endog)
    box = ag.black_box(trees.predict, scale=jnp.asarray(spread) / 2, budget=SAMPLES, batched=True)
    slope = box.jacobian(jnp.asarray(data.exog.mean()))
    straight = OLS(data.endog, add_constant(data.exog)).fit()
    return pd.DataFrame(
        {
            "trees": np.asarray(slope.value),
            "±": np.asarray(slope.standard_error),
            "straight line": straight.params[1:],
            "± ": straight.bse[1:],
        },
        index=data.exog.columns,
    )


def main() -> None:
    with jax.enable_x64(True):
        settings = np.array([0.3, -0.2, 1.0])
        print(f"The simulated line at heat, moisture, wear = {settings.tolist()}")
        X, measured = records(np.random.default_rng(0))
        trees = HistGradientBoostingRegressor(max_iter=300).fit(X, measured)
        print("\nby trees fitted to 4000 noisy records:")
        print(Line(trees.predict).sensitivity(settings).round(3).to_string())
        print("\nby the line's own law, from as many calls:")
        print(Line(lambda z: line(z[:, 0], z[:, 1:])).sensitivity(settings).round(3).to_string())
        print("\nthe truth:")
        print(true_sensitivity(settings).round(3).to_string())
        print("\nThe ammonia plant: loss by each setting, in the units of the records")
        print(stack_loss().round(3).to_string())


if __name__ == "__main__":
    main()
