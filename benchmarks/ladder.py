"""One problem from 10² to 10⁷ lower variables: exact, then approximate, then watched.

    python benchmarks/ladder.py [--sizes 100 1000 ...] [--rounds 3]

Logistic regression on rows of sixteen hashed features, with one penalty for each of eight groups
of features, chosen by the loss on other rows. What it prints is explained in docs/ladder.md.
"""

import argparse
import math
import os
import resource
import statistics
import time

os.environ |= {"NPROC": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")

GROUPS, FEATURES = 8, 16


def rows(key, n, d, truth):
    """Indices, values and signs of n rows; low indices are frequent, as words are."""
    import jax
    import jax.numpy as jnp

    places, values, coins = jax.random.split(key, 3)
    share = jax.random.uniform(places, (n, FEATURES)) ** 3
    index = jnp.minimum((share * d).astype(jnp.int32), d - 1)
    value = jax.random.normal(values, (n, FEATURES)) / math.sqrt(FEATURES)
    score = 4 * jnp.sum(value * truth[index], axis=1)
    return index, value, jnp.where(jax.random.uniform(coins, (n,)) < jax.nn.sigmoid(score), 1, -1)


def loss(y, data):
    import jax.numpy as jnp

    index, value, sign = data
    return jnp.mean(jnp.logaddexp(0.0, -sign * jnp.sum(value * y[index], axis=1)))


def lower(y, x, train, valid):
    """Training loss and ½ Σ e^x y², a group's x for each of its features."""
    import jax.numpy as jnp

    weights = jnp.exp(x)
    squares = jnp.sum((y**2).reshape(-1, GROUPS), axis=0) if y.size % GROUPS == 0 else None
    if squares is None:
        squares = jnp.zeros(GROUPS).at[jnp.arange(y.size) % GROUPS].add(y**2)
    return loss(y, train) + 0.5 * jnp.sum(weights * squares)


def upper(y, x, train, valid):
    return loss(y, valid)


def problem(d, seed=0):
    """Rows for d features: as many as features, between 300 and 100 000."""
    import jax
    import jax.numpy as jnp

    n = min(max(300, d), 100_000)
    truth, first, second = jax.random.split(jax.random.key(seed), 3)
    truth = jax.random.normal(truth, (d,)) * (jnp.arange(d) % GROUPS < 4)
    train, valid = rows(first, n, d, truth), rows(second, n, d, truth)
    return jnp.full(GROUPS, math.log(3.0 / n)), jnp.zeros(d), train, valid


def median_seconds(call, rounds):
    import jax

    jax.block_until_ready(call())
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        jax.block_until_ready(call())
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10**k for k in range(2, 8)])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=10, help="products of the cheap adjoint")
    arguments = parser.parse_args()

    import jax

    import argrad as ag

    cheap = ag.CG(max_steps=arguments.steps, truncate=True)
    headings = ("d", "rows", "solve s", "exact +s", "cheap +s", "error seen", "estimate", "vectors")
    print(("{:>10}" * len(headings)).format(*headings), flush=True)
    for d in arguments.sizes:
        x, init, train, valid = problem(d)
        exact = ag.argmin(lower)
        quick = ag.argmin(lower, adjoint=ag.Implicit(linear_solver=cheap))

        def gradient(solve):
            value = lambda x, init, *data: upper(solve(x, init, *data), x, *data)
            return jax.jit(jax.grad(value))

        run = jax.jit(lambda x, init, *data: exact(x, init, *data))
        y = run(x, init, train, valid)
        # From y*, so that the lower solve of each is the same and short.
        given = (x, y, train, valid)
        solve = median_seconds(lambda: run(x, init, train, valid), arguments.rounds)
        again = median_seconds(lambda: run(*given), arguments.rounds)
        seconds, slopes, held = [], [], []
        for solver in (exact, quick):
            compiled = gradient(solver).lower(*given).compile()
            seconds.append(median_seconds(lambda c=compiled: c(*given), arguments.rounds) - again)
            slopes.append(compiled(*given))
            held.append(compiled.memory_analysis().temp_size_in_bytes)
        alone = run.lower(*given).compile().memory_analysis().temp_size_in_bytes
        off = jax.numpy.linalg.norm(slopes[1] - slopes[0]) / jax.numpy.linalg.norm(slopes[0])
        found = ag.hypergradient(upper, quick, *given)
        vectors = (held[1] - alone) / (y.size * y.dtype.itemsize)
        numbers = (solve, *seconds, float(off), float(found.relative_error), vectors)
        cells = "".join(f"{number:>10.2g}" for number in numbers)
        print(f"{d:>10}{train[0].shape[0]:>10}{cells}", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"float32, one thread; the process held at most {peak:.1f} GiB")


if __name__ == "__main__":
    main()
