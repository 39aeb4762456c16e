"""Recognise sequences by the direction in which their frames evolve, and learn what to look at.

    python examples/rank_pooling.py [--seeds 10]

Rank pooling describes a sequence by the vector that puts its frames in order: with v_t the mean of
the features of frames 1 to t, a support vector regression of time on them,

    u* = argmin over u of   ½ |u|² + C/2T Σ_t max(|t/T − uᵀv_t| − ε, 0)²

once from the first frame on and once from the last one back. As u* is an argmin, the features
below it can be learnt through its derivative, together with the classifier above. Against it
stand average and maximum pooling of features that are learnt just so, and rank pooling of features
that are not. All describe a sequence by as many numbers: where two vectors do it, each is of half
as many features.

C sets how much is kept of what the frames have in common. As it goes to zero, u* becomes a fixed
weighted sum of the frames, C/T Σ_t max(t/T − ε, 0) v_t; as it grows, u* fits time and forgets by
how much features differ from sequence to sequence. C and each contestant's penalty are those that
got most right, over the three data sets together, on held-out sequences of seeds 100 to 105.

Source: Fernando, Gavves, Oramas, Ghodrati and Tuytelaars 2017, "Rank pooling for action
recognition", IEEE TPAMI 39(4), for both directions; Fernando and Gould 2016, "Learning end-to-end
video classification with rank-pooling", ICML; Gould et al. 2016, arXiv:1607.05447.
"""

import argparse
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

import argrad as ag

EPSILON, COST = 0.05, 0.3
STEPS, RATE = 300, 0.05  # of Adam
NUMBERS = 24  # that describe a sequence


class Sequences(NamedTuple):
    """Sequences of one length, with what each of them is."""

    frames: Float[Array, "sequences time channels"]
    labels: Int[Array, " sequences"]


def digits(seed: int) -> tuple[Sequences, Sequences]:
    """Handwritten digits read row by row: 8 frames of 8 pixels, ten classes; 400 of 1797 train."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(labels))
    return _halves(_standardised(images.reshape(-1, 8, 8)), labels, order[:400], order[400:])


def motions(seed: int) -> tuple[Sequences, Sequences]:
    """A wrist that stands, walks, runs, plays badminton: 100 frames of 6 channels; 40 of 80 train.

    The BasicMotions data of the UEA archive, as the package sktime has them.
    """
    frames, labels = _recordings()
    return _halves(frames, labels, *_evenly(labels, np.random.default_rng(seed)))


def changes(seed: int) -> tuple[Sequences, Sequences]:
    """From one motion to another: half a recording before half of another one, twelve classes.

    240 pairs train and 240 others, of recordings that none of the first has a part of, test.
    """
    frames, labels = _recordings()
    rng, half = np.random.default_rng(seed), frames.shape[1] // 2

    def joined(recordings):
        pairs = rng.choice(recordings, (1000, 2))
        first, second = pairs[labels[pairs[:, 0]] != labels[pairs[:, 1]]][:240].T
        both = np.concatenate([frames[first, :half], frames[second, half:]], axis=1)
        number = 3 * labels[first] + labels[second] - (labels[second] > labels[first])
        return Sequences(jnp.asarray(both, jnp.float32), jnp.asarray(number))

    train, test = (joined(recordings) for recordings in _evenly(labels, rng))
    return train, test


def _recordings() -> tuple[np.ndarray, np.ndarray]:
    try:
        from sktime.datasets import load_basic_motions
    except ImportError as error:
        raise ImportError(
            'the BasicMotions recordings come with sktime: pip install "argrad[examples]".'
        ) from error

    frames, labels = load_basic_motions(return_type="numpy3D")
    return _standardised(frames.transpose(0, 2, 1)), np.unique(labels, return_inverse=True)[1]


def _standardised(frames: np.ndarray) -> np.ndarray:
    spread = frames.std((0, 1))
    return (frames - frames.mean((0, 1))) / np.where(spread > 0, spread, 1)


def _evenly(labels: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two halves of all recordings, with as many of each motion."""
    orders = [rng.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    return np.concatenate([o[::2] for o in orders]), np.concatenate([o[1::2] for o in orders])


def _halves(frames, labels, train, test) -> tuple[Sequences, Sequences]:
    frames, labels = jnp.asarray(frames, jnp.float32), jnp.asarray(labels)
    return Sequences(frames[train], labels[train]), Sequences(frames[test], labels[test])


def order_error(u: Float[Array, " k"], frames: Float[Array, "time k"]) -> Float[Array, ""]:
    """The lower objective."""
    times = jnp.arange(1, len(frames) + 1) / len(frames)
    excess = jnp.maximum(jnp.abs(times - frames @ u) - EPSILON, 0)
    return u @ u / 2 + COST / 2 * jnp.mean(excess**2)


ordering = ag.argmin(order_error)


def rank(features: Float[Array, "time k"]) -> Float[Array, " 2*k"]:
    """The vectors that put the running means of the features in order, on and back."""
    length, k = features.shape
    both = jnp.stack([features, features[::-1]])
    means = jnp.cumsum(both, axis=1) / jnp.arange(1, length + 1)[:, None]
    return jax.vmap(ordering)(means, jnp.zeros((2, k))).ravel()


class Contestant(NamedTuple):
    """A way to make `NUMBERS` numbers of a sequence, and to classify it by them."""

    pooling: Callable[[Float[Array, "time k"]], Float[Array, " numbers"]]
    features: int  # k
    learnt: bool  # or as drawn
    penalty: float  # on the squares of the classifier's weights


CONTESTANTS = {
    "average pooling, learnt": Contestant(partial(jnp.mean, axis=0), NUMBERS, True, 1e-2),
    "maximum pooling, learnt": Contestant(partial(jnp.max, axis=0), NUMBERS, True, 0.3),
    "rank pooling, features as drawn": Contestant(rank, NUMBERS // 2, False, 3e-4),
    "rank pooling, learnt end to end": Contestant(rank, NUMBERS // 2, True, 3e-3),
}


def fit_and_test(
    key: Array, train: Sequences, test: Sequences, contestant: Contestant, classes: int
) -> tuple[Array, Array]:
    """Accuracy and log loss on the sequences `test`, after training on others."""
    pooling, features, learnt, penalty = contestant
    return _fit_and_test(key, train, test, learnt, penalty, pooling, features, classes)


@partial(jax.jit, static_argnames=("pooling", "number", "classes"))  # one program for a pooling
def _fit_and_test(key, train, test, learnt, penalty, pooling, number, classes):
    frames = train.frames
    channels = frames.shape[-1]
    layer = jax.random.normal(key, (channels, number)) / jnp.sqrt(channels)
    offset = jnp.full(number, 0.1)

    def describe(layer, frames):
        weights, offset = layer
        features = jax.nn.relu(frames @ weights + offset)
        return jax.vmap(pooling)(features)

    def scores(model, frames):
        layer, (weights, offset) = model
        return (describe(layer, frames) - centre) / spread @ weights + offset

    def loss(model, frames, labels):
        losses = optax.softmax_cross_entropy_with_integer_labels(scores(model, frames), labels)
        return jnp.mean(losses)

    def objective(model):
        (layer, classifier) = model
        layer = jax.tree.map(lambda w: jnp.where(learnt, w, jax.lax.stop_gradient(w)), layer)
        return loss((layer, classifier), *train) + penalty * jnp.sum(classifier[0] ** 2)

    first = describe((layer, offset), frames)
    centre, spread = jnp.mean(first, axis=0), jnp.std(first, axis=0) + 1e-6
    model = ((layer, offset), (jnp.zeros((NUMBERS, classes)), jnp.zeros(classes)))
    descent = optax.adam(optax.cosine_decay_schedule(RATE, STEPS))

    def step(_, carry):
        model, state = carry
        updates, state = descent.update(jax.grad(objective)(model), state)
        return optax.apply_updates(model, updates), state

    model, _ = jax.lax.fori_loop(0, STEPS, step, (model, descent.init(model)))
    right = jnp.argmax(scores(model, test.frames), axis=-1) == test.labels
    return jnp.mean(right), loss(model, *test)


def compare(data: Callable, seeds: int) -> dict[str, np.ndarray]:
    """Accuracy and log loss of each contestant on held-out sequences, a row for each seed."""
    found: dict[str, list] = {name: [] for name in CONTESTANTS}
    for seed in range(seeds):
        train, test = data(seed)
        classes = int(train.labels.max()) + 1
        for name, contestant in CONTESTANTS.items():
            numbers = fit_and_test(jax.random.key(seed), train, test, contestant, classes)
            found[name].append([float(number) for number in numbers])
    return {name: np.array(numbers) for name, numbers in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    seeds = parser.parse_args().seeds
    for data in (digits, changes, motions):
        print("\n" + data.__doc__.splitlines()[0])
        for name, numbers in compare(data, seeds).items():
            mean = numbers.mean(axis=0)
            error = numbers.std(axis=0, ddof=min(1, seeds - 1)) / np.sqrt(seeds)
            print(
                f"  {name:33s} right {mean[0]:6.1%} ± {error[0]:.1%}   "
                f"log loss {mean[1]:.3f} ± {error[1]:.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
