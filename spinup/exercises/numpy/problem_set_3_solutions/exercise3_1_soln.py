"""Solution of exercise 3.1: the package's own functions."""

from spinup.experience.buffers import discount_cumsum as discount_cumsum
from spinup.experience.buffers import gae as gae
