"""Exercise 3.3: the clipped objective of PPO.

    L_pi = -E[min(w adv, clip(w, 1 - eps, 1 + eps) adv)],  w = pi(a|o) / pi_old(a|o)     (1) policy loss

a: action, o: observation, adv: advantage, eps: clip_ratio. logp and logp_old are the logarithms of pi(a|o) and of
pi_old(a|o).

Before you write it, fill in by hand: is the gradient 0 or not?

                    w < 1 - eps        inside        w > 1 + eps
    adv > 0
    adv < 0

Then write the function. To check it, run this file: it looks at each of the six cases, and at the gradient.
"""

import torch


def policy_loss(logp, logp_old, adv, clip_ratio):  # (1)  all [B]
    raise NotImplementedError("YOUR CODE HERE")


if __name__ == "__main__":
    from spinup.commands.exercise import check_file

    check_file("3.3", "pytorch", __file__)
