"""Exercise 3.1: rewards-to-go and advantages.

    y_t     = x_t + discount (1 - ended_t) y_{t+1}                                       (1) discounted sum
    delta_t = r_t + gamma (1 - d_t) V(o2_t) - V(o_t)                                     (2) temporal difference
    adv_t   = delta_t + gamma lam (1 - ended_t) adv_{t+1}                                (3) GAE-lambda

r: reward, d: terminated, ended: terminated or truncated, V: the value function, o2: the true successor of o. A rollout
is cut where it ends, and its last step has ended = 1. Where a time limit truncates an episode, ended is 1 but d is 0.
With the rewards for x and the discount 1, (1) is the reward-to-go.

Write both functions with NumPy; they need no framework. To check them, run this file.
"""

import numpy as np


def discount_cumsum(x: np.ndarray, discount: float, ended: np.ndarray) -> np.ndarray:  # (1)
    """Discounted sums of future values: ``y[t] = x[t] + discount * (1 - ended[t]) * y[t + 1]``.

    Args:
        x: ``[T, ...]``, time first.
        discount: factor a step.
        ended: ``[T, ...]``, bool or 0 and 1: true where an episode ended, which cuts the sum.
    """
    raise NotImplementedError("YOUR CODE HERE")


def gae(
    r: np.ndarray, v: np.ndarray, v2: np.ndarray, d: np.ndarray, ended: np.ndarray, gamma: float, lam: float
) -> np.ndarray:
    """Generalised advantage estimates (Schulman et al. 2016, arXiv:1506.02438, equations 11 and 16), ``[T, ...]``.

    ``delta = r + gamma (1 - d) V(o2) - V(o)``, summed with discount ``gamma lam`` up to the end of the episode or of
    the rollout. Where an episode is truncated, not terminated, the last delta keeps its bootstrap ``V(o2)``.

    Args:
        r: rewards ``[T, ...]``.
        v: values ``V(o)`` of the observations acted on.
        v2: values ``V(o2)`` of their true successors.
        d: terminated, bool or 0 and 1.
        ended: terminated or truncated, bool or 0 and 1.
        gamma: discount factor.
        lam: 0 gives the one-step advantage, 1 the full return minus the value.
    """
    raise NotImplementedError("YOUR CODE HERE")


if __name__ == "__main__":
    from spinup.commands.exercise import check_file

    check_file("3.1", "numpy", __file__)
