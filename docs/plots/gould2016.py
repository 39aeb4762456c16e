"""Draws the pictures of docs/gould2016.md: python docs/plots/gould2016.py (needs matplotlib)."""

from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax

import argrad as ag

jax.config.update("jax_enable_x64", True)

IMAGES = Path(__file__).resolve().parents[1] / "images"
INK, FAINT, BLUE, RED, GREEN = "#22262b", "#b9c0c8", "#2767b0", "#c4472f", "#2f8a57"
plt.rcParams.update(
    {
        "figure.dpi": 130,
        "savefig.bbox": "tight",
        "font.size": 10,
        "axes.edgecolor": INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 10.5,
        "axes.titlelocation": "left",
        "legend.frameon": False,
        "lines.linewidth": 1.8,
    }
)


def save(figure, name):
    figure.savefig(IMAGES / f"gould2016-{name}.png")
    plt.close(figure)


def h(x):
    return jnp.stack([jnp.sin(x), x**2, jnp.exp(-x)])


def spread(y, x):
    return jnp.sum((h(x) - y) ** 2)


def scalar_mean():
    mean, xs = ag.argmin(spread), np.linspace(-0.6, 1.5, 200)
    figure, axes = plt.subplots(figsize=(5.6, 3.4))
    for column, name in zip(jax.vmap(h)(xs).T, ["sin x", "x²", "e⁻ˣ"], strict=True):
        axes.plot(xs, column, color=FAINT, lw=1.3)
        axes.annotate(name, (xs[-1], column[-1]), xytext=(5, -4), textcoords="offset points")
    axes.plot(xs, jax.vmap(mean, (0, None))(xs, 0.0), color=BLUE)
    axes.annotate(
        "y*(x)", (xs[-1], float(mean(xs[-1], 0.0))), (5, 1), textcoords="offset points", color=BLUE
    )
    x, y, slope = 0.7, float(mean(0.7, 0.0)), float(jax.grad(mean)(0.7, 0.0))
    near = np.array([x - 0.5, x + 0.5])
    axes.plot(near, y + slope * (near - x), color=RED, lw=1.4)
    axes.plot([x], [y], "o", color=RED, ms=5)
    axes.annotate(f"slope {slope:.4f}", (x, y), (8, -14), textcoords="offset points", color=RED)
    axes.set(xlabel="x", title="The mean of three curves, and argrad's derivative of it")
    save(figure, "mean")


def quartic(y, x):
    return x * y**4 + 2 * x**2 * y**3 - 12 * y**2


def branches():
    lowest, highest = ag.argmin(quartic), ag.argmax(quartic)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 3.7), width_ratios=[1, 1.15])
    ys = np.linspace(-4.4, 2.7, 400)
    left.plot(ys, quartic(ys, 1.0), color=INK)
    for start, solve, colour, name, place in [
        (-3.0, lowest, BLUE, "global minimum", (-28, -17)),
        (2.0, lowest, GREEN, "local minimum", (-36, -17)),
        (0.1, highest, RED, "maximum", (-24, 8)),
    ]:
        y = float(solve(1.0, start))
        left.plot([y], [quartic(y, 1.0)], "o", color=colour, ms=6)
        left.annotate(name, (y, quartic(y, 1.0)), place, textcoords="offset points", color=colour)
    left.set(xlabel="y", ylabel="f(y, 1)", ylim=(-102, 30), title="f at x = 1")

    xs = np.linspace(0.35, 2.4, 120)
    for start, solve, colour in [(-3.0, lowest, BLUE), (2.0, lowest, GREEN), (0.0, highest, RED)]:
        found, y = [], start
        for x in xs[np.abs(xs - 1).argmin() :]:  # follow the branch to the right of x = 1
            y = float(solve(x, y))
            found.append(y)
        y = start
        for x in xs[: np.abs(xs - 1).argmin()][::-1]:  # and to the left
            y = float(solve(x, y))
            found.insert(0, y)
        right.plot(xs, found, color=colour, lw=3.2, alpha=0.55)
        for x in (0.6, 1.0, 1.6, 2.2):
            y = float(solve(x, np.interp(x, xs, found)))
            slope = float(jax.grad(solve)(x, y))
            near = np.array([-0.22, 0.22]) / np.hypot(1, slope / 4)
            right.plot(x + near, y + slope * near, color=INK, lw=1.1, zorder=4)
            right.plot([x], [y], "o", color=INK, ms=4, zorder=4)
    right.axvline(1, color=FAINT, lw=0.8, zorder=0)
    right.set(xlabel="x", ylabel="y*(x)", title="Each branch, with argrad's slopes on it")
    figure.tight_layout(w_pad=2.5)
    save(figure, "branches")


CLASSES = 10
ANGLES = 2 * np.pi * np.arange(CLASSES) / CLASSES
TARGETS = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
COLOURS = plt.get_cmap("tab10")(np.arange(CLASSES))


def random_parameters():
    rng = np.random.default_rng(2016)
    return rng.uniform(-1, 1, (CLASSES, 2)), rng.uniform(-1, 1, CLASSES)


def log_likelihoods(ys, parameters, penalty):
    A, b = parameters
    return jnp.trace(jax.nn.log_softmax(ys @ A.T + b)) - 0.5 * penalty * jnp.sum(ys**2)


def features():
    (A, b), solve = random_parameters(), ag.argmax(log_likelihoods)
    start = jnp.zeros((CLASSES, 2))
    ys = np.asarray(solve((A, b), start, 0.5))
    by_bias = np.asarray(jax.jacobian(lambda b: solve((A, b), start, 0.5))(jnp.asarray(b)))
    label, moved = 0, 4
    figure, axes = plt.subplots(figsize=(5.4, 5.0))
    side = np.linspace(-1.9, 1.9, 160)
    grid = np.stack(np.meshgrid(side, side), axis=-1)
    scores = grid @ A.T + b
    logs = scores[..., label] - np.log(np.exp(scores).sum(-1)) - 0.25 * (grid**2).sum(-1)
    shades = axes.contourf(side, side, logs, 14, cmap="Blues", alpha=0.45)
    axes.contour(side, side, logs, 14, colors="white", linewidths=0.6, linestyles="solid")
    figure.colorbar(shades, label="regularised log-likelihood of class 0", shrink=0.85)
    axes.plot(*ys.T, "o", color=INK, ms=5)
    axes.plot(*ys[label], "o", color=RED, ms=8)
    for i, y in enumerate(ys):
        axes.annotate(
            str(i), y, (5, 4), textcoords="offset points", color=RED if i == label else INK
        )
        arrow = 6 * by_bias[i, :, moved]
        axes.annotate(
            "",
            y + arrow,
            y,
            arrowprops={"arrowstyle": "->", "color": GREEN, "lw": 1.6, "shrinkA": 2},
        )
    axes.plot([], [], color=GREEN, label=f"6 × dy/db of class {moved}")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.11))
    axes.set(xlabel="y₁", ylabel="y₂", aspect="equal", title="Maximum-likelihood features")
    save(figure, "features")


def monotone():
    y, x = np.linspace(-0.3, 1.5, 300), 0.7
    values = jax.vmap(lambda y: spread(y, x))(y)
    slope = ag.argmin(spread)(x, 0.0)
    shapes = {
        "f": values,
        "exp f": jnp.exp(values),
        "f³": values**3,
        "log(1 + f)": jnp.log1p(values),
    }
    figure, axes = plt.subplots(figsize=(5.6, 3.4))
    for (name, curve), colour in zip(shapes.items(), [INK, RED, GREEN, BLUE], strict=True):
        curve = (curve - curve.min()) / (curve.max() - curve.min())
        axes.plot(y, curve, color=colour, label=name)
    axes.axvline(float(slope), color=FAINT, lw=1, zorder=0)
    axes.annotate("y*", (float(slope), 0.94), (4, 0), textcoords="offset points")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.6))
    axes.set(
        xlabel="y",
        yticks=[],
        ylabel="scaled to [0, 1]",
        title="Other objectives, one minimiser, one derivative",
    )
    save(figure, "monotone")


def bilevel():
    problem = ag.Bilevel(
        lambda ys, parameters, penalty: 0.5 * jnp.sum((ys - TARGETS) ** 2),
        ag.argmax(log_likelihoods),
    )
    start, init, path = random_parameters(), jnp.zeros((CLASSES, 2)), []
    keep = lambda record: path.append(np.asarray(record.y))
    descent = ag.minimise(
        problem, start, init, 0.5, optimiser=optax.sgd(0.1), max_steps=1000, callback=keep
    )
    default = ag.minimise(problem, start, init, 0.5)
    path = np.stack(path)

    figure, (plane, curve) = plt.subplots(1, 2, figsize=(10.2, 4.4), width_ratios=[1, 1.15])
    circle = np.linspace(0, 2 * np.pi, 200)
    plane.plot(np.cos(circle), np.sin(circle), color=FAINT, lw=1, zorder=0)
    for i in range(CLASSES):
        plane.plot(*path[:, i].T, color=COLOURS[i], lw=1.6)
        plane.plot(*path[0, i], "o", color=COLOURS[i], ms=6, mfc="white", mew=1.6)
        plane.plot(*path[-1, i], "o", color=COLOURS[i], ms=7)
        plane.annotate(str(i), 1.12 * TARGETS[i], ha="center", va="center")
    plane.plot(*TARGETS.T, "x", color=INK, ms=5, mew=1.2, zorder=5)
    plane.plot([], [], "o", color=INK, mfc="white", label="before")
    plane.plot([], [], "o", color=INK, label="after")
    plane.plot([], [], "x", color=INK, label="target")
    plane.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=3, fontsize=9)
    plane.set(xlabel="y₁", ylabel="y₂", aspect="equal", title="Features on their way to the circle")

    for found, colour, name in [
        (descent, INK, "gradient descent, rate 0.1"),
        (default, BLUE, "BFGS (the default)"),
    ]:
        values = np.minimum.accumulate(found.history["value"])
        curve.semilogy(values, color=colour, label=name)
    curve.set(
        xlabel="upper step",
        ylabel="½ Σ ‖yᵢ − tᵢ‖²",
        ylim=(1e-17, 40),
        xlim=(-15, 1000),
        title="Learning curve",
    )
    curve.legend(loc="upper right")
    figure.tight_layout(w_pad=2.5)
    save(figure, "bilevel")
    print(f"descent {descent.value:.3g}; BFGS {default.value:.3g} in {default.steps} steps")


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    for draw in (scalar_mean, branches, features, monotone, bilevel):
        draw()
