"""qpth 0.0.18. It asks for numpy below 2 and runs on numpy 2 unchanged."""

from qpth.qp import QPFunction

from qp.contestants.in_torch import contestant


def defaults():
    return contestant("qpth", "defaults (eps=1e-12, maxIter=20)", QPFunction())
