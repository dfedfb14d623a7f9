import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import nn
from toy_agents import Sgd, phase, transitions

from spinup.algos.pytorch import core, dqn
from spinup.errors import UserError

# ---- equations ----


def q(o):
    """Action 1 is the best while o > 0."""
    return torch.cat([o, 2 * o, torch.full_like(o, -9)], -1)


def q_targ(o):
    """The target network thinks better of action 0."""
    return torch.cat([30 * o, 10 * o, torch.full_like(o, -9)], -1)


BATCH = transitions(o=[0.0] * 3, a=[0, 1, 2], r=[3.0, 4.0, 5.0], o2=[1.0, -1.0, 2.0], d=[0.0, 0.0, 1.0])


def test_double_q_chooses_with_the_online_network_and_values_with_the_target():
    # o2 = 1: online (1, 2, -9) chooses 1, whose target value is 10: y = 3 + 10 / 2
    # o2 = -1: online (-1, -2, -9) chooses 0, whose target value is -30: y = 4 - 15;  o2 = 2, terminated: y = 5
    assert dqn.td_target(q_targ, q, BATCH, 0.5, double_q=True).tolist() == [8, -11, 5]


def test_plain_q_chooses_and_values_with_the_target():
    # o2 = 1: target (30, 10, -9), y = 3 + 30 / 2;  o2 = -1: target (-30, -10, -9), y = 4 - 9 / 2
    assert dqn.td_target(q_targ, q, BATCH, 0.5, double_q=False).tolist() == [18, -0.5, 5]


@pytest.mark.parametrize(("d", "y"), [(0.0, 8), (1.0, 3)])
def test_td_target_of_a_batch_of_one(d, y):
    batch = transitions(o=[0.0], a=[0], r=[3.0], o2=[1.0], d=[d])
    assert dqn.td_target(q_targ, q, batch, 0.5, double_q=True).tolist() == [y]


@pytest.mark.parametrize(
    ("error", "huber", "squared"),
    [
        # up to an error of 1, half its square; beyond, the error minus a half
        (0.5, 0.125, 0.25),
        (-0.5, 0.125, 0.25),
        (1.0, 0.5, 1.0),
        (3.0, 2.5, 9.0),
        (-3.0, 2.5, 9.0),
    ],
)
def test_both_losses_by_hand(error, huber, squared):
    # Q(2, 1) = 4 is what was done; its error alone counts
    batch = transitions(o=[2.0], a=[1], r=[0.0], o2=[0.0], d=[0.0])
    for name, expected in (("huber", huber), ("squared", squared)):
        loss, values = dqn.q_loss(q, batch, torch.tensor([4 - error]), name)
        assert (loss.item(), values.tolist()) == (expected, [4])


def test_losses_are_means_over_the_actions_taken():
    # Q(1, 0) = 1, Q(2, 1) = 4, Q(3, 2) = -9 against 1, 3 and -5: errors 0, 1, -4
    batch = transitions(o=[1.0, 2.0, 3.0], a=[0, 1, 2], r=[0.0] * 3, o2=[0.0] * 3, d=[0.0] * 3)
    y = torch.tensor([1.0, 3.0, -5.0])
    assert dqn.q_loss(q, batch, y, "squared")[0].item() == pytest.approx((0 + 1 + 16) / 3)
    assert dqn.q_loss(q, batch, y, "huber")[0].item() == pytest.approx((0 + 0.5 + 3.5) / 3)


@pytest.mark.parametrize(("error", "slope"), [(0.5, 0.5), (3.0, 1.0), (-3.0, -1.0)])
def test_huber_limits_the_gradient(error, slope):
    values = torch.tensor([[4.0, 0.0]], requires_grad=True)
    batch = transitions(o=[0.0], a=[0], r=[0.0], o2=[0.0], d=[0.0])
    dqn.q_loss(lambda o: values, batch, torch.tensor([4 - error]), "huber")[0].backward()
    assert values.grad.tolist() == [[slope, 0]]


# ---- update: Q(o, .) = (w0 o, w1 o), target (W0 o, W1 o); steps are a tenth of the gradient ----


class Agent(nn.Module):
    def __init__(self, *w):
        super().__init__()
        self.q = nn.Linear(1, len(w), bias=False)
        self.q.weight.data = torch.tensor(w)[:, None]

    def w(self):
        return self.q.weight[:, 0].tolist()


def trained(steps, double_q=True, loss="squared"):
    ac, targ = Agent(1.0, 2.0), Agent(6.0, 4.0).requires_grad_(False)
    learner = dqn.Learner(ac, targ, Sgd(ac.q.parameters()))
    batches = phase(*[transitions(o=[1.0], a=[0], r=[1.0], o2=[1.0], d=[0.0])] * steps)
    learner, log = dqn.update(learner, batches, gamma=0.5, polyak=0.5, double_q=double_q, loss=loss)
    assert learner.ac is ac, "it is improved in place"
    return ac, learner.targ, log


def test_one_gradient_step_by_hand():
    # online (1, 2) chooses 1, the target says 4: y = 1 + 4 / 2 = 3; Q = 1, dL/dw0 = 2 (1 - 3) = -4, w0 = 1.4
    ac, targ, log = trained(1)
    assert ac.w() == pytest.approx([1.4, 2])
    assert targ.w() == pytest.approx([3.7, 3])
    assert log["QVals"].tolist() == [[1]]
    assert log["LossQ"] == pytest.approx([4])


def test_the_next_gradient_step_by_hand():
    # online (1.4, 2) chooses 1, the target says 3: y = 2.5; Q = 1.4, dL/dw0 = 2 (1.4 - 2.5) = -2.2, w0 = 1.62
    ac, targ, log = trained(2)
    assert ac.w() == pytest.approx([1.62, 2])
    assert targ.w() == pytest.approx([2.66, 2.5])
    assert log["LossQ"] == pytest.approx([4, 1.21])


def test_double_q_can_be_switched_off():
    # the target chooses its 6: y = 4, dL/dw0 = 2 (1 - 4) = -6
    assert trained(1, double_q=False)[0].w() == pytest.approx([1.6, 2])


def test_the_loss_can_be_chosen():
    # an error of -2 has slope -1 under Huber
    ac, _, log = trained(1, loss="huber")
    assert ac.w() == pytest.approx([1.1, 2])
    assert log["LossQ"] == pytest.approx([1.5])


def test_the_target_has_no_gradient():
    ac, targ, _ = trained(1)
    assert ac.q.weight.grad.tolist() == [[-4], [0]], "neither the choice of an action nor the target is differentiated"
    assert targ.q.weight.grad is None


# ---- the agent ----


@pytest.mark.parametrize("batch", [(), (1,), (5,)])
def test_act_answers_one_observation_or_a_batch_with_the_best_action(batch):
    agent = core.DQNAgent(spaces.Box(-1, 1, (2,)), spaces.Discrete(4), [4])
    o = np.random.default_rng(0).normal(size=(*batch, 2))
    a = agent.act(o)
    assert type(a) is (np.ndarray if batch else np.int64)  # one action is a number of NumPy
    assert (a.shape, a.dtype) == (batch, np.int64)
    values = agent.q(torch.as_tensor(o, dtype=torch.float32)).detach().numpy()
    np.testing.assert_array_equal(a, values.argmax(-1))
    np.testing.assert_array_equal(a, agent.act(o, deterministic=False))
    assert agent.deterministic_by_default


def test_hidden_sizes_and_activation_shape_the_network():
    agent = core.DQNAgent(spaces.Box(-1, 1, (2,)), spaces.Discrete(4), [5, 3], nn.ELU)
    assert [type(layer) for layer in agent.q] == [nn.Linear, nn.ELU, nn.Linear, nn.ELU, nn.Linear, nn.Identity]
    assert [layer.out_features for layer in agent.q[::2]] == [5, 3, 4]


@pytest.mark.parametrize("space", [spaces.Box(-1, 1, (2,)), spaces.MultiDiscrete([2, 3]), spaces.MultiBinary(2)])
def test_other_action_spaces_are_refused_by_name(space):
    with pytest.raises(UserError, match=type(space).__name__):
        core.DQNAgent(spaces.Box(-1, 1, (2,)), space)
