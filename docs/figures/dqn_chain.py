"""How values spread backwards through a chain of five states, without a target network and with two kinds of one."""

import torch

from docs.figures.style import new_figure
from spinup.algos.pytorch import dqn, training
from spinup.experience.buffers import Batch

STATES, GAMMA, STEPS, LR = 5, 0.9, 300, 0.5
KINDS = {
    "no target network": lambda step: 0.0,
    "polyak 0.95, every step": lambda step: 0.95,
    "copied every 60 steps": lambda step: float(step % 60 > 0),
}


def transitions():
    """Both actions in every state: 0 goes left, 1 goes right; right of the last state are a reward of 1 and the end."""
    state, a = torch.arange(STATES).repeat_interleave(2), torch.tensor([0, 1]).repeat(STATES)
    d = ((state == STATES - 1) & (a == 1)).float()
    one_hot = torch.eye(STATES)
    return Batch(one_hot[state], a, d, one_hot[(state + 2 * a - 1).clamp(0, STATES - 1)], d)


def spread(polyak_at):
    """Q of going right, [STEPS + 1, STATES], as gradient descent on all transitions changes it; it starts at 0."""
    q = torch.nn.Linear(STATES, 2, bias=False)  # one number for each state and action: a table
    torch.nn.init.zeros_(q.weight)
    q_targ, batch = training.target_of(q), transitions()
    values = [q.weight[1].tolist()]
    for step in range(1, STEPS + 1):
        loss, _ = dqn.q_loss(q, batch, dqn.td_target(q_targ, q, batch, GAMMA, double_q=False), "squared")
        (grad,) = torch.autograd.grad(loss, q.weight)
        q.weight.data -= LR * grad
        training.polyak_update(q_targ, q, polyak_at(step))
        values.append(q.weight[1].tolist())
    return values


def draw():
    figure = new_figure()
    panels = figure.subplots(1, len(KINDS), sharey=True)
    for axes, (title, polyak_at) in zip(panels, KINDS.items()):
        for state, values in enumerate(zip(*spread(polyak_at))):
            axes.plot(range(0, STEPS + 1, 12), values[::12], lw=1.5, color=f"C{state % 4}")
            axes.text(STEPS + 8, values[-1], str(state + 1), va="center", fontsize=9)
        axes.set_title(title, fontsize=10)
        axes.set_ylim(0, 1.05)
        axes.set_xticks([0, STEPS // 2, STEPS])
        axes.set_xlabel("gradient steps")
    panels[0].set_ylabel("Q(state, right)")
    return figure
