"""Floor 3: what can be said of a solution and its derivative beyond one number."""

from argrad.diagnose.certificate import Certificate as Certificate
from argrad.diagnose.certify import check as check
from argrad.diagnose.directional import directional as directional
from argrad.diagnose.multipliers import multiplier_range as multiplier_range
from argrad.diagnose.nearby import Neighbour as Neighbour
from argrad.diagnose.nearby import neighbour as neighbour
from argrad.diagnose.path import Path as Path
from argrad.diagnose.path import path as path
