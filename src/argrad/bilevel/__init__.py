"""Floor 3: optimise an upper objective over the solution of a lower problem."""

from argrad.bilevel.certified import Constants as Constants
from argrad.bilevel.certified import Hypergradient as Hypergradient
from argrad.bilevel.certified import hypergradient as hypergradient
from argrad.bilevel.compare import compare_adjoints as compare_adjoints
from argrad.bilevel.compare import default_adjoints as default_adjoints
from argrad.bilevel.double_loop import minimise as minimise
from argrad.bilevel.frontier import Frontier as Frontier
from argrad.bilevel.history import BilevelError as BilevelError
from argrad.bilevel.history import BilevelResult as BilevelResult
from argrad.bilevel.history import BilevelStatus as BilevelStatus
from argrad.bilevel.history import History as History
from argrad.bilevel.history import Record as Record
from argrad.bilevel.monitor import ErrorMonitor as ErrorMonitor
from argrad.bilevel.monitor import ErrorWarning as ErrorWarning
from argrad.bilevel.problem import Bilevel as Bilevel
