"""Derivatives of criteria with kinks, where there is none nearby."""

from __future__ import annotations

import numpy as np
import pytest

# Between the points that derivatives are taken from.
STEP = 2e-5


def near_start(criterion, rng):
    """A point h (s,) at somewhat weaker penalties than a search begins with."""
    h, name = criterion.start(), criterion.model.parameter
    down = rng.uniform(0.3, 0.9, size=len(h))
    each = criterion.space.parts(-down)
    each = {key: criterion.model.sign * part if key == name else part for key, part in each.items()}
    return h + np.concatenate(list(each.values()))


def check_derivatives(criterion, rng):
    """Relative to the gradient 1e-8, on one piece; a step that crosses a kink is drawn anew."""

    def piece():
        return [(*s.columns, *s.signs) for s in criterion.supports()]

    for _ in range(20):
        h = near_start(criterion, rng)
        direction = rng.choice([-1.0, 1.0], size=len(h)) * rng.uniform(0.5, 1.0, size=len(h))
        found, here, ends = criterion(h), piece(), []
        for t in (-2, -1, 1, 2):
            ends.append(criterion(h + t * STEP * direction))
            here = here if piece() == here else None
        if here is not None:
            break
    else:
        pytest.fail("every step crossed a kink")
    assert max(len(s.columns) for s in criterion.supports()) > 3
    # Of fourth order: what is left is rounding.
    values = np.array([each.value for each in ends])
    slope = np.array([1, -8, 8, -1]) @ values / (12 * STEP)
    scale = np.abs(found.gradient * direction).sum()
    assert found.gradient @ direction == pytest.approx(slope, abs=1e-8 * max(scale, found.value))
    if criterion.shared:
        slopes = np.array([each.gradient[0] for each in ends])
        bend = np.array([1, -8, 8, -1]) @ slopes / (12 * STEP * direction[0])
        assert found.curvature == pytest.approx(bend, rel=1e-7, abs=1e-7 * scale)
    else:
        assert found.curvature is None
