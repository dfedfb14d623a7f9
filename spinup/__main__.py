"""``python -m spinup``: the command line, as ``python -m spinup.run`` and ``spinup``."""

from spinup.run import main

main()
