"""Exercise 1.3: the equations of Twin Delayed DDPG (TD3).

    a'   = clip(mu_targ(o2) + clip(eps, -c, c), a_low, a_high)       (1) smoothed target action
    y    = r + gamma (1 - d) min_i Q_targ,i(o2, a')                  (2) clipped double-Q target
    L_Q  = sum_i E[(Q_i(o, a) - y)^2]                                (3) critic loss
    L_pi = -E[Q_1(o, mu(o))]                                         (4) actor loss, every policy_delay steps

o: observation, a: action, r: reward, o2: next observation, d: terminated, mu: the policy (pi). eps: Gaussian noise; it
and c (noise_clip) are in units of half the action range. Expectations are means over the batch, which has the fields
o, a, r, o2 and d. Critics come in pairs: ``q(o, a)`` gives ``[2, B]``.

Write the four functions; the rest of TD3 is that of the package. To check them, run this file: it compares their
numbers, then trains with them on HalfCheetah and InvertedPendulum, and with --env ENV where you like.
"""

import torch


def target_action(pi_targ, o2, eps, noise_clip, act_low, act_high):  # (1)  [B, act_dim]; bounds [act_dim]
    raise NotImplementedError("YOUR CODE HERE")


@torch.no_grad()
def td_target(pi_targ, q_targ, batch, eps, gamma, noise_clip, act_low, act_high):  # (2)  [B]; q_targ gives [2, B]
    raise NotImplementedError("YOUR CODE HERE")


def q_loss(q, batch, y):  # (3)  returns the loss and, for the log, the values [2, B]
    raise NotImplementedError("YOUR CODE HERE")


def pi_loss(pi, q, batch):  # (4)
    raise NotImplementedError("YOUR CODE HERE")


if __name__ == "__main__":
    from spinup.commands.exercise import check_file

    check_file("1.3", "pytorch", __file__)
