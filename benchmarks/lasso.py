"""The hypergradient of a lasso: argrad, JAXopt, and by hand.

    python benchmarks/lasso.py [--rounds 15]

min over w of ‖Xw − b‖²/2n + Σ exp(θ_j) |w_j| below, the mean squared error of held-out rows above.
Least processor time of many runs, on one thread; see README.md for the latest results.
"""

import argparse
import time
from functools import partial

import session  # noqa: F401  first: it pins the threads

PROBLEMS = ((500, 1000, 100, 0.08, 0.5), (1000, 10000, 50, 0.12, 0.5))


def design(n, d, k, ratio, correlation):
    import numpy as np

    rng = np.random.default_rng(0)
    noise = rng.standard_normal((2 * n, d))
    X = np.empty_like(noise)
    X[:, 0] = noise[:, 0]
    for j in range(1, d):
        X[:, j] = correlation * X[:, j - 1] + np.sqrt(1 - correlation**2) * noise[:, j]
    w = np.zeros(d)
    w[rng.choice(d, k, replace=False)] = rng.standard_normal(k)
    b = X @ w
    b += 0.5 * b.std() * rng.standard_normal(2 * n)
    X, X_val, b, b_val = X[:n], X[n:], b[:n], b[n:]
    return X, b, X_val, b_val, ratio * np.abs(X.T @ b).max() / n


def in_argrad(X):
    import jax.numpy as jnp

    import argrad as ag

    loss = lambda w, theta, X, b: jnp.sum((X @ w - b) ** 2) / (2 * X.shape[0])
    solve = ag.argmin(loss, nonsmooth=ag.prox.l1(lambda theta, *data: jnp.exp(theta)))
    return lambda theta, X, b: solve(theta, jnp.zeros(X.shape[1]), X, b)


def in_jaxopt(X, **settings):
    import jax.numpy as jnp
    from jaxopt import ProximalGradient
    from jaxopt.prox import prox_lasso

    loss = lambda w, data: jnp.sum((data[0] @ w - data[1]) ** 2) / (2 * data[0].shape[0])
    solver = ProximalGradient(loss, prox_lasso, **settings)

    def solve(theta, X, b):
        weight = jnp.broadcast_to(jnp.exp(theta), X.shape[1])
        return solver.run(jnp.zeros(X.shape[1]), weight, (X, b)).params

    return solve


def by_hand(X):
    """Accelerated proximal gradient; conjugate gradients masked to the support."""
    import jax
    import jax.numpy as jnp
    import numpy as np
    from jax import lax

    n, d = X.shape
    steepest = float(np.linalg.norm(X, 2) ** 2 / n)

    def forward(theta, X, b):
        weight = jnp.exp(theta)

        def advance(carry):
            w, ahead, t, _, left = carry
            v = ahead - X.T @ (X @ ahead - b) / (n * steepest)
            new = jnp.sign(v) * jnp.maximum(jnp.abs(v) - weight / steepest, 0)
            back = (ahead - new) @ (new - w) > 0
            later = jnp.where(back, 1.0, (1 + jnp.sqrt(1 + 4 * t * t)) / 2)
            gain = jnp.where(back, 0.0, (t - 1) / later)
            moved = jnp.linalg.norm(new - w) / jnp.maximum(jnp.linalg.norm(new), 1e-30)
            return new, new + gain * (new - w), later, moved, left - 1

        zero = jnp.zeros(d)
        unfinished = lambda carry: (carry[3] > 1e-9) & (carry[4] > 0)
        return lax.while_loop(unfinished, advance, (zero, zero, 1.0, jnp.inf, 5000))[0]

    @jax.custom_vjp
    def solve(theta, X, b):
        return forward(theta, X, b)

    def fwd(theta, X, b):
        w = forward(theta, X, b)
        return w, (theta, w, X)

    def bwd(kept, g):
        theta, w, X = kept
        mask = w != 0
        product = lambda v: jnp.where(mask, X.T @ (X @ jnp.where(mask, v, 0)) / n, v)
        u, _ = jax.scipy.sparse.linalg.cg(product, jnp.where(mask, g, 0), tol=1e-9)
        each = -u * jnp.sign(w) * jnp.exp(theta)
        back = each if jnp.ndim(theta) else jnp.sum(each)
        return back, jnp.zeros_like(X), jnp.zeros(X.shape[0])

    solve.defvjp(fwd, bwd)
    return solve


def exact(theta, w, X, X_val, b_val):
    import numpy as np

    S = np.flatnonzero(w)
    upper = X_val[:, S].T @ (X_val @ w - b_val) / len(b_val)
    u = -np.linalg.solve(X[:, S].T @ X[:, S] / len(X), upper)
    each = np.zeros(w.size)
    each[S] = u * np.sign(w[S]) * np.exp(theta if np.ndim(theta) == 0 else theta[S])
    return each if np.ndim(theta) else each.sum()


def least(job, rounds):
    import jax

    samples = []
    for _ in range(rounds):
        before = time.process_time()
        jax.block_until_ready(job())
        samples.append(time.process_time() - before)
    return 1e3 * min(samples)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    import jax
    import jax.numpy as jnp
    import numpy as np

    jax.config.update("jax_enable_x64", True)
    contestants = {
        "argrad": in_argrad,
        "by hand": by_hand,
        "JAXopt": in_jaxopt,
        "JAXopt, tight": partial(in_jaxopt, maxiter=5000, tol=1e-10),
    }
    print(f"{'':42}{'solve':>9}{'+ gradient':>12}{'ratio':>7}{'error':>10}")
    for n, d, *more in PROBLEMS:
        X, b, X_val, b_val, weight = design(n, d, *more)
        data, held_out = (jnp.asarray(X), jnp.asarray(b)), (jnp.asarray(X_val), jnp.asarray(b_val))
        kinds = {
            "one weight": np.log(weight),
            "one a feature": np.full(d, np.log(weight)),
        }
        for kind, theta in kinds.items():
            theta = jnp.asarray(theta)
            reference = None
            for name, make in contestants.items():
                try:
                    solver = make(X)
                except ImportError as error:
                    print(f"{name}: {error}")
                    continue
                solve = jax.jit(solver)

                def upper(theta, X, b, X_val, b_val, solver=solver):
                    return jnp.mean((X_val @ solver(theta, X, b) - b_val) ** 2) / 2

                gradient = jax.jit(jax.grad(upper))
                w, found = solve(theta, *data), gradient(theta, *data, *held_out)
                if reference is None:
                    reference = exact(np.asarray(theta), np.asarray(w), X, X_val, b_val)
                error = np.linalg.norm(found - reference) / np.linalg.norm(reference)
                alone = least(lambda: solve(theta, *data), rounds)
                both = least(lambda: gradient(theta, *data, *held_out), rounds)
                what = f"{n} x {d}, {kind}, {name}"
                print(f"{what:42}{alone:8.1f} {both:11.1f} {both / alone:6.2f} {error:9.0e}")
            print(f"  {int(np.sum(np.asarray(w) != 0))} coordinates in the support")


if __name__ == "__main__":
    main()
