from itertools import pairwise

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import nn
from toy_agents import Parts, Policy, Sgd, Value, gradients, phase, transitions

from spinup.algos.pytorch import core, td3, training

# ---- equations ----


TWO_BOUNDS = torch.tensor([-1.0, 0.0]), torch.tensor([3.0, 0.5])  # actions in [-1, 3] x [0, 0.5]
BOUNDS = torch.tensor([-1.0]), torch.tensor([3.0])
LIMITS = dict(zip(("act_low", "act_high"), BOUNDS))


def mu(o):
    """``(o, 0.1)``."""
    return torch.cat([o, torch.full_like(o, 0.1)], -1)


@pytest.mark.parametrize(
    ("o", "eps", "expected"),
    [
        # nothing is clipped: 1 + 2 * 0.25 and 0.1 + 0.25 * 0.4
        (1.0, [0.25, 0.4], [1.5, 0.2]),
        # noise is clipped at 0.5 either way: 1 + 2 * 0.5 and 0.1 - 0.25 * 0.5, then that at the bound 0
        (1.0, [0.9, -0.9], [2.0, 0.0]),
        (1.0, [-0.9, 0.9], [0.0, 0.225]),
        # actions are clipped at their own bounds: 2.5 + 1 at 3, -0.5 - 1 at -1
        (2.5, [0.5, 0.0], [3.0, 0.1]),
        (-0.5, [-0.5, 0.0], [-1.0, 0.1]),
    ],
)
def test_target_action_by_hand(o, eps, expected):
    a2 = td3.target_action(mu, torch.tensor([[o]]), torch.tensor([eps]), 0.5, *TWO_BOUNDS)
    torch.testing.assert_close(a2, torch.tensor([expected]))


def test_without_a_clip_there_is_no_noise():
    a2 = td3.target_action(mu, torch.tensor([[1.0]]), torch.tensor([[0.3, -0.3]]), 0.0, *TWO_BOUNDS)
    torch.testing.assert_close(a2, torch.tensor([[1.0, 0.1]]))


def twin(o, a):
    """Q_1 = o + 10 a and Q_2 = 20 a."""
    return torch.stack([(o + 10 * a).squeeze(-1), (20 * a).squeeze(-1)])


def td_target(o2, d):
    batch = transitions(o=[0.0] * len(o2), a=[0.0] * len(o2), r=[3.0] * len(o2), o2=o2, d=d)
    return td3.td_target(Policy(), twin, batch, torch.full((len(o2), 1), 0.25), 0.5, 0.5, *BOUNDS).tolist()


def test_td_target_by_hand():
    # mu(o2) = o2, and noise adds 2 * 0.25 = 0.5
    # o2 = 1: a' = 1.5, Q = min(16, 30), y = 3 + 8;  o2 = -1: a' = -0.5, Q = min(-6, -10), y = 3 - 5
    # o2 = 2, terminated: y = 3
    assert td_target([1.0, -1.0, 2.0], [0.0, 0.0, 1.0]) == [11, -2, 3]


@pytest.mark.parametrize(("d", "y"), [(0.0, 11), (1.0, 3)])
def test_td_target_of_a_batch_of_one(d, y):
    assert td_target([1.0], [d]) == [y]


def test_q_loss_by_hand():
    # Q_1 = 1 + 20 = 21 and 2 + 30 = 32, Q_2 = 40 and 60, y = 20 and 35: (1 + 9) / 2 + (400 + 625) / 2, their sum
    batch = transitions(o=[1.0, 2.0], a=[2.0, 3.0], r=[0.0, 0.0], o2=[0.0, 0.0], d=[0.0, 0.0])
    loss, values = td3.q_loss(twin, batch, torch.tensor([20.0, 35.0]))
    assert loss.item() == 5 + 512.5
    assert [v.tolist() for v in values] == [[21, 32], [40, 60]]


def test_pi_loss_by_hand():
    # Q_1 alone judges, though Q_2(1, 1) = 20 > 11 and Q_2(-1, -1) = -20 < -11: -(11 + 11 * 3) / 2
    batch = transitions(o=[1.0, 3.0], a=[9.0, 9.0], r=[0.0, 0.0], o2=[0.0, 0.0], d=[0.0, 0.0])
    assert td3.pi_loss(Policy(), twin, batch).item() == -22


def test_losses_of_a_batch_of_one():
    batch = transitions(o=[1.0], a=[2.0], r=[0.0], o2=[0.0], d=[0.0])
    assert td3.q_loss(twin, batch, torch.tensor([20.0]))[0].item() == 1 + 400
    assert td3.pi_loss(Policy(), twin, batch).item() == -11


# ---- update: Q_1 = w1 a, Q_2 = w2 a, mu = v o; targets W1, W2, V; steps are a tenth of the gradient ----


def trained(noise, policy_delay=2, steps=0):
    """Start from w1 = v = 1, w2 = 2 after so many ``steps``, and take another for each number in ``noise``."""
    ac = Parts(pi=Policy(), q=core.Twin(Value(), Value(2.0)))
    optimizers = Sgd(ac.pi.parameters()), Sgd(ac.q.parameters())
    learner = td3.Learner(ac, training.target_of(ac), *optimizers, torch.tensor(steps))
    batch = transitions(o=[1.0], a=[2.0], r=[3.0], o2=[1.0], d=[0.0])
    constants = dict(gamma=0.5, polyak=0.5, noise_clip=0.5, policy_delay=policy_delay)
    batches, noise = phase(*[batch] * len(noise)), torch.tensor(noise)[:, None, None]
    learner, log = td3.update(learner, batches, noise, **constants, **LIMITS)
    assert learner.ac is ac, "it is improved in place"
    assert learner.steps == steps + len(noise)
    return ac, learner.targ, log


def test_one_gradient_step_by_hand():
    # a' = 1 + 2 * 0.5 = 2, y = 3 + min(2, 4) / 2 = 4
    # Q_1 = 2, dL/dw1 = 2 (2 - 4) 2 = -8, w1 = 1.8;  Q_2 = 4, dL/dw2 = 0;  L_Q = 4 + 0
    # L_pi = -1.8, dL_pi/dv = -1.8, v = 1.18;  targets move half way
    ac, targ, log = trained([0.9])
    assert ac() == pytest.approx(dict(pi=1.18, q1=1.8, q2=2))
    assert targ() == pytest.approx(dict(pi=1.09, q1=1.4, q2=2))
    assert (log["Q1Vals"].tolist(), log["Q2Vals"].tolist()) == ([[2]], [[4]])
    assert log["LossQ"] == pytest.approx([4])
    assert log["LossPi"] == pytest.approx([-1.8])


def test_the_second_gradient_step_by_hand():
    # a' = 1.09 - 1 = 0.09, y = 3 + 1.4 * 0.09 / 2 = 3.063
    # Q_1 = 3.6, w1 = 1.8 - 0.1 * 2 * 0.537 * 2;  Q_2 = 4, w2 = 2 - 0.1 * 2 * 0.937 * 2;  policy and targets wait
    ac, targ, log = trained([0.9, -3.0])
    assert ac() == pytest.approx(dict(pi=1.18, q1=1.5852, q2=1.6252))
    assert targ() == pytest.approx(dict(pi=1.09, q1=1.4, q2=2))
    assert log["LossQ"] == pytest.approx([4, 0.537**2 + 0.937**2])
    assert log["LossPi"] == pytest.approx([-1.8])


def test_each_loss_leaves_the_other_networks_and_the_targets_without_gradient():
    # -8 is the gradient of L_Q alone: L_pi, which comes later, would have added -v
    ac, targ, _ = trained([0.9])
    assert gradients(ac) == pytest.approx(dict(pi=-1.8, q1=-8, q2=0))
    assert gradients(targ) == dict(pi=None, q1=None, q2=None)


@pytest.mark.parametrize(
    ("policy_delay", "moves"), [(1, [1, 1, 1, 1, 1, 1]), (2, [1, 0, 1, 0, 1, 0]), (3, [1, 0, 0] * 2)]
)
def test_policy_and_targets_move_at_every_policy_delay_th_step(policy_delay, moves):
    runs = [trained([0.1] * k, policy_delay) for k in range(1, 7)]
    policies, targets = [1.0], [(1.0, 1.0, 2.0)]
    for ac, targ, _ in runs:
        policies.append(ac()["pi"])
        targets.append(tuple(targ().values()))
    for path in (policies, targets):
        assert [int(now != before) for before, now in pairwise(path)] == moves
    assert len(runs[-1][2]["LossPi"]) == sum(moves)
    assert len(runs[-1][2]["LossQ"]) == 6


@pytest.mark.parametrize(("steps", "moves"), [(0, 2), (1, 1), (2, 1), (3, 2)])
def test_the_delay_is_counted_over_phases(steps, moves):
    # of four steps, those divisible by 3: 0 and 3, 3 of 1-4, 3 of 2-5, 3 and 6 of 3-6
    assert len(trained([0.1] * 4, policy_delay=3, steps=steps)[2]["LossPi"]) == moves


def test_a_phase_may_pass_without_a_step_of_the_policy():
    ac, targ, log = trained([0.1], policy_delay=2, steps=1)
    assert (ac()["pi"], targ()) == (1, dict(pi=1, q1=1, q2=2))
    assert ac()["q1"] != 1
    assert "LossPi" not in log


@pytest.mark.parametrize("still", ["pi", "q"])
def test_no_optimiser_moves_the_networks_of_the_other(still):
    torch.manual_seed(0)
    ac = core.TD3ActorCritic(spaces.Box(-1, 1, (1,)), spaces.Box(-1, 1, (1,)), [4])
    before, targ = training.target_of(ac), training.target_of(ac)
    pi_optimizer = training.Adam(0.0 if still == "pi" else 0.1, ac.pi)
    q_optimizer = training.Adam(0.0 if still == "q" else 0.1, ac.q)
    batches = phase(transitions(o=[1.0, -0.5], a=[0.5, 0.1], r=[3.0, 1.0], o2=[1.0, 0.2], d=[0.0, 1.0]))
    constants = dict(gamma=0.5, polyak=1.0, noise_clip=0.5, policy_delay=1)
    learner = td3.Learner(ac, targ, pi_optimizer, q_optimizer, torch.tensor(0))
    td3.update(learner, batches, torch.zeros(1, 2, 1), **constants, **LIMITS)

    def moved(name):
        pairs = zip(getattr(ac, name).parameters(), getattr(before, name).parameters(), strict=True)
        return not all(torch.equal(p, old) for p, old in pairs)

    assert [moved(name) for name in ("pi", "q")] == [still != "pi", still != "q"]


def test_the_twins_start_apart():
    ac = core.TD3ActorCritic(spaces.Box(-1, 1, (1,)), spaces.Box(-1, 1, (1,)), [4])
    o, a = torch.rand(3, 1), torch.rand(3, 1)
    assert not torch.isclose(ac.q1(o, a), ac.q2(o, a)).any()
    torch.testing.assert_close(ac.q(o, a), torch.stack([ac.q1(o, a), ac.q2(o, a)]))


def test_the_twins_start_as_two_single_critics_would():
    torch.manual_seed(0)
    twins = core.TwinLinear(3, 2)
    torch.manual_seed(0)
    single = [nn.Linear(3, 2), nn.Linear(3, 2)]
    x = torch.rand(2, 5, 3)
    for layer, x_i, values in zip(single, x, twins(x), strict=True):
        torch.testing.assert_close(values, layer(x_i))


def test_noise_is_clipped_in_units_of_half_the_range_of_a_real_actor():
    space = spaces.Box(np.float32([-1, 0]), np.float32([3, 0.5]), dtype=np.float32)
    pi = core.TD3ActorCritic(spaces.Box(-1, 1, (1,)), space, [4]).pi
    o2 = torch.zeros(1, 1)
    a2 = td3.target_action(pi, o2, torch.tensor([[9.0, -9.0]]), 0.1, *core.bounds_of(space))
    torch.testing.assert_close(a2 - pi(o2), torch.tensor([[0.2, -0.025]]))
