import math

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import nn
from toy_agents import Parts, Policy, Sgd, Value, gradients, phase, transitions

from spinup.algos.pytorch import core, ddpg, training

# ---- equations ----


def mu(o):
    return 2 * o


def q(o, a):
    return (o + 10 * a).squeeze(-1)


def test_td_target_by_hand():
    # o2 = 1: mu = 2, Q = 1 + 20 = 21, y = 3 + 21 / 2. o2 = -1: mu = -2, Q = -21, but the episode terminated: y = 4
    batch = transitions(o=[0.0, 0.0], a=[0.0, 0.0], r=[3.0, 4.0], o2=[1.0, -1.0], d=[0.0, 1.0])
    assert ddpg.td_target(mu, q, batch, 0.5).tolist() == [13.5, 4]


@pytest.mark.parametrize(("d", "y"), [(0.0, 13.5), (1.0, 3.0)])
def test_td_target_of_a_batch_of_one(d, y):
    batch = transitions(o=[0.0], a=[0.0], r=[3.0], o2=[1.0], d=[d])
    assert ddpg.td_target(mu, q, batch, 0.5).tolist() == [y]


def test_q_loss_by_hand():
    # Q = 1 + 20 = 21 and 2 + 30 = 32, so ((21 - 20)^2 + (32 - 35)^2) / 2 = 5
    batch = transitions(o=[1.0, 2.0], a=[2.0, 3.0], r=[0.0, 0.0], o2=[0.0, 0.0], d=[0.0, 0.0])
    loss, values = ddpg.q_loss(q, batch, torch.tensor([20.0, 35.0]))
    assert (loss.item(), values.tolist()) == (5, [21, 32])


def test_pi_loss_by_hand():
    # what was done (a = 9) does not matter: -((1 + 20) + (2 + 40)) / 2 = -31.5
    batch = transitions(o=[1.0, 2.0], a=[9.0, 9.0], r=[0.0, 0.0], o2=[0.0, 0.0], d=[0.0, 0.0])
    assert ddpg.pi_loss(mu, q, batch).item() == -31.5


def test_losses_of_a_batch_of_one():
    batch = transitions(o=[1.0], a=[2.0], r=[0.0], o2=[0.0], d=[0.0])
    assert ddpg.q_loss(q, batch, torch.tensor([20.0]))[0].item() == 1
    assert ddpg.pi_loss(mu, q, batch).item() == -21


# ---- update: Q = w a, mu = v o; targets W and V; everything starts at 1, and steps are a tenth of the gradient ----


def trained(steps):
    ac = Parts(pi=Policy(), q=Value())
    learner = ddpg.Learner(ac, training.target_of(ac), Sgd(ac.pi.parameters()), Sgd(ac.q.parameters()))
    batch = transitions(o=[1.0], a=[2.0], r=[3.0], o2=[1.0], d=[0.0])
    learner, log = ddpg.update(learner, phase(*[batch] * steps), gamma=0.5, polyak=0.5)
    assert learner.ac is ac, "it is improved in place"
    return ac, learner.targ, log


def test_one_gradient_step_by_hand():
    # y = 3 + 1/2 = 3.5, Q = 2, L_Q = 2.25, dL_Q/dw = 2 (2 - 3.5) 2 = -6, w = 1.6
    # L_pi = -w v = -1.6, dL_pi/dv = -w = -1.6, v = 1.16;  W = (1 + 1.6) / 2, V = (1 + 1.16) / 2
    ac, targ, log = trained(1)
    assert ac() == pytest.approx(dict(pi=1.16, q=1.6))
    assert targ() == pytest.approx(dict(pi=1.08, q=1.3))
    assert log["QVals"].tolist() == [[2]]
    assert log["LossQ"] == pytest.approx([2.25])
    assert log["LossPi"] == pytest.approx([-1.6])


def test_the_next_gradient_step_by_hand():
    # y = 3 + 1.3 * 1.08 / 2 = 3.702, Q = 3.2, L_Q = 0.502^2, dL_Q/dw = -2.008, w = 1.8008
    # L_pi = -1.8008 * 1.16, v = 1.16 + 0.18008;  W = (1.3 + 1.8008) / 2, V = (1.08 + 1.34008) / 2
    ac, targ, log = trained(2)
    assert ac() == pytest.approx(dict(pi=1.34008, q=1.8008))
    assert targ() == pytest.approx(dict(pi=1.21004, q=1.5504))
    np.testing.assert_allclose(log["QVals"], [[2], [3.2]], rtol=1e-6)
    assert log["LossQ"] == pytest.approx([2.25, 0.502**2])
    assert log["LossPi"] == pytest.approx([-1.6, -1.8008 * 1.16])


def test_each_loss_leaves_the_other_network_and_the_targets_without_gradient():
    # -6 is the gradient of L_Q alone: L_pi, which comes later, would have added -v
    ac, targ, _ = trained(1)
    assert gradients(ac) == pytest.approx(dict(pi=-1.6, q=-6))
    assert gradients(targ) == dict(pi=None, q=None)


@pytest.mark.parametrize("still", ["pi", "q"])
def test_no_optimiser_moves_the_network_of_the_other(still):
    ac = core.DDPGActorCritic(spaces.Box(-1, 1, (1,)), spaces.Box(-1, 1, (1,)), [4])
    before, targ = training.target_of(ac), training.target_of(ac)
    optimizers = [training.Adam(0.0 if name == still else 0.1, getattr(ac, name)) for name in ("pi", "q")]
    batch = phase(transitions(o=[1.0, -0.5], a=[0.5, 0.1], r=[3.0, 1.0], o2=[1.0, 0.2], d=[0.0, 1.0]))
    ddpg.update(ddpg.Learner(ac, targ, *optimizers), batch, gamma=0.5, polyak=1.0)
    for name in ("pi", "q"):
        pairs = zip(getattr(ac, name).parameters(), getattr(before, name).parameters(), strict=True)
        assert all(torch.equal(p, old) for p, old in pairs) is (name == still)
    assert all(torch.equal(p, old) for p, old in zip(targ.parameters(), before.parameters(), strict=True))


# ---- targets ----


def test_a_target_is_an_equal_copy_that_shares_nothing():
    ac = core.DDPGActorCritic(spaces.Box(-1, 1, (3,)), spaces.Box(-1, 1, (2,)), [4])
    targ = training.target_of(ac)
    for p, copied in zip(ac.parameters(), targ.parameters(), strict=True):
        assert torch.equal(p, copied)
        assert p.data_ptr() != copied.data_ptr()
        assert p.requires_grad and not copied.requires_grad


def test_polyak_update_by_hand():
    # 0.9 * 1 + 0.1 * 3 = 1.2 and 0.9 * -2 + 0.1 * 4 = -1.4
    target, module = Parts(a=Value(1.0), b=Value(-2.0)), Parts(a=Value(3.0), b=Value(4.0))
    training.polyak_update(target, module, 0.9)
    assert target() == pytest.approx(dict(a=1.2, b=-1.4))
    assert module() == dict(a=3, b=4)


@pytest.mark.parametrize(("polyak", "expected"), [(0.0, 3.0), (1.0, 1.0)])
def test_polyak_update_at_the_ends_of_its_range(polyak, expected):
    target, module = training.target_of(Value(1.0)), Value(3.0)
    training.polyak_update(target, module, polyak)
    assert target.w.item() == expected


# ---- the actor ----

LOW, HIGH = np.float32([-1, 0, 0.1]), np.float32([3, 0.5, 0.7])
SPACE = spaces.Box(LOW, HIGH, dtype=np.float32)


def actor_of(bias):
    """An actor whose last layer says ``bias`` whatever it observes."""
    actor = core.MLPActor(2, SPACE, [], nn.Tanh)
    nn.init.zeros_(actor.net[0].weight)
    actor.net[0].bias.data = torch.tensor(bias)
    return actor


def test_actions_are_scaled_dimension_by_dimension():
    # tanh(atanh(x)) = x: the middle, a quarter from below, and three quarters
    actor = actor_of([0.0, math.atanh(-0.5), math.atanh(0.5)])
    torch.testing.assert_close(actor(torch.zeros(1, 2)).detach(), torch.tensor([[1.0, 0.125, 0.55]]))


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_actions_reach_the_bounds_and_stay_within(sign):
    a = actor_of([sign * 50] * 3)(torch.zeros(1, 2)).detach().numpy()[0]
    np.testing.assert_array_equal(a, HIGH if sign > 0 else LOW)


@pytest.mark.parametrize("agent", [core.DDPGActorCritic, core.TD3ActorCritic])
@pytest.mark.parametrize("batch", [(), (1,), (5,)])
def test_act_answers_one_observation_or_a_batch(agent, batch):
    ac = agent(spaces.Box(-1, 1, (2,)), SPACE, [4])
    o = np.random.default_rng(0).normal(size=(*batch, 2))
    a = ac.act(o)
    assert isinstance(a, np.ndarray)
    assert (a.shape, a.dtype) == ((*batch, 3), np.float32)
    assert ac.deterministic_by_default
    np.testing.assert_array_equal(a, ac.act(o, deterministic=False))
    np.testing.assert_allclose(a, ac.pi(torch.as_tensor(o, dtype=torch.float32)).detach(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("batch", [1, 5])
def test_values_have_one_number_for_each_pair(batch):
    ac = core.DDPGActorCritic(spaces.Box(-1, 1, (2,)), SPACE, [4])
    assert ac.q(torch.zeros(batch, 2), torch.zeros(batch, 3)).shape == (batch,)
