"""ProxSuite 0.8.0, `proxsuite.torch.qplayer`."""

import torch
from proxsuite.torch.qplayer import QPFunction

from qp.contestants.in_torch import contestant

# The layer puts gradients into tensors of torch's default type.
torch.set_default_dtype(torch.float64)


def defaults(name="ProxSuite", settings="defaults (eps=1e-9, eps_backward=1e-4)", **options):
    solve = QPFunction(**options)

    def layer(Q, p, G, h, A, b):
        lowest = torch.full_like(h, -1e20)
        return solve(Q, p, A, b, G, lowest, h)[0]

    return contestant(name, settings, layer)


def tightened():
    options = {"eps_backward": 1e-12, "rho_backward": 1e-10, "mu_backward": 1e-10}
    settings = ", ".join(f"{k}={v:g}" for k, v in options.items())
    return defaults("ProxSuite, tightened", settings, **options)
