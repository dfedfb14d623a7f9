"""Exercise 3.2: an agent that never learns to stay alive.

    y   = r + gamma (1 - d) Q_targ(o2, a2)                           (1) target

DQN balances a pole. It receives a reward of 1 for every step until the pole falls, which terminates the episode; after
500 steps the time is up, and a time limit truncates it. With the target below, after 20,000 steps of training, the pole
falls within ten steps, as fast as it can. There is no error and no warning. To see it, run this file with --train.

Find what is wrong, and repair it. ``batch`` has the fields o, a, r, o2, d (1 where the episode terminated) and, here,
ended (1 where it terminated or was truncated). To check it, run this file: it compares the numbers, then trains with
your target.
"""

import jax.numpy as jnp

from spinup.algos.jax.dqn import pick


def td_target(q_targ, q, batch, gamma, double_q):  # (1)  [B]
    values = q_targ(batch.o2)
    a2 = (q(batch.o2) if double_q else values).argmax(-1)
    return batch.r + gamma * pick(values, a2)


if __name__ == "__main__":
    from spinup.commands.exercise import check_file

    check_file("3.2", "jax", __file__)
