"""The algorithms of each backend."""

from spinup.backends import no_such_name


def __getattr__(name: str):
    raise no_such_name(__name__, name)
