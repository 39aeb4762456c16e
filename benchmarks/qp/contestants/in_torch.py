"""What every contestant in PyTorch shares: tensors, one thread, the upper function."""

from collections.abc import Callable

import torch

from qp.contestants.interface import Contestant
from qp.problems import Batch

torch.set_num_threads(1)


def prepare(batch: Batch) -> tuple:
    return tuple(map(torch.from_numpy, batch.parameters)), torch.from_numpy(batch.weights)


def gradients(layer: Callable, parameters: tuple, weights: torch.Tensor) -> tuple:
    parameters = tuple(array.clone().requires_grad_(True) for array in parameters)
    torch.sum(weights * layer(*parameters)).backward()
    return tuple(array.grad.numpy() for array in parameters)


def contestant(name: str, settings: str, layer: Callable, **others) -> Contestant:
    """Of `layer(Q, p, G, h, A, b) -> y*` of the whole batch."""

    def solve(parameters, _):
        with torch.no_grad():
            return layer(*parameters).numpy()

    return Contestant(
        name,
        settings,
        prepare,
        solve,
        lambda parameters, weights: gradients(layer, parameters, weights),
        compiles=False,
        **others,
    )
