"""Floor 0: nonsmooth terms of the lower problem, with their proximal operators."""

from argrad.prox.box import box as box
from argrad.prox.elastic_net import elastic_net as elastic_net
from argrad.prox.group_lasso import group_lasso as group_lasso
from argrad.prox.hinge import hinge as hinge
from argrad.prox.hinge import squared_hinge as squared_hinge
from argrad.prox.l1 import l1 as l1
from argrad.prox.mcp import mcp as mcp
from argrad.prox.nuclear_norm import nuclear_norm as nuclear_norm
from argrad.prox.simplex import simplex as simplex
from argrad.prox.term import Proximable as Proximable
from argrad.prox.total_variation import total_variation as total_variation
