"""Networks small enough to compute by hand, of which graders make policies and critics; they run on any arrays."""

from typing import Any, NamedTuple


class Policy(NamedTuple):
    """mu(o) = o w: actions ``[B, act_dim]`` for observations ``[B, obs_dim]``."""

    w: Any  # [obs_dim, act_dim]

    def __call__(self, o: Any) -> Any:
        return o @ self.w


class Critic(NamedTuple):
    """Q(o, a) = s + s^2 / 10, where s = o w_o + a w_a: values ``[B]``."""

    w_o: Any  # [obs_dim]
    w_a: Any  # [act_dim]

    def __call__(self, o: Any, a: Any) -> Any:
        s = (o * self.w_o).sum(-1) + (a * self.w_a).sum(-1)
        return s + s**2 / 10


class Twin(NamedTuple):
    """Two critics as one: values ``[2, B]``."""

    w_o: Any  # [2, obs_dim]
    w_a: Any  # [2, act_dim]

    def __call__(self, o: Any, a: Any) -> Any:
        s = (o * self.w_o[:, None]).sum(-1) + (a * self.w_a[:, None]).sum(-1)
        return s + s**2 / 10
