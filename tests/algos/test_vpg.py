import math

import pytest
import torch
from toy_agents import TwoActions, adams, batch_of_two, is_untouched

from spinup.algos.pytorch import vpg


def test_policy_loss_by_hand():
    # -(log 1/2 * 2 + log 1/4 * -1) / 2 = -(-2 log 2 + 2 log 2) / 2 = 0; with +1 it is 2 log 2
    logp = torch.tensor([0.5, 0.25]).log()
    assert vpg.policy_loss(logp, torch.tensor([2.0, -1.0])).item() == pytest.approx(0)
    assert vpg.policy_loss(logp, torch.tensor([2.0, 1.0])).item() == pytest.approx(2 * math.log(2))


def test_policy_loss_of_a_batch_of_one():
    assert vpg.policy_loss(torch.tensor([-3.0]), torch.tensor([2.0])).item() == 6


def test_value_loss_by_hand():
    assert vpg.value_loss(torch.tensor([1.0, 5.0]), torch.tensor([2.0, 2.0])).item() == (1 + 9) / 2
    assert vpg.value_loss(torch.tensor([1.0]), torch.tensor([4.0])).item() == 9


def update(ac, train_v_iters):
    """Improve ``ac`` on a batch of two; returns what is logged."""
    learner, log = vpg.update(vpg.Learner(ac, *adams(ac)), batch_of_two(), train_v_iters=train_v_iters)
    assert learner.ac is ac
    return log


def test_what_update_logs_by_hand():
    # L_pi = -(log pi_0 - log pi_1) / 2 = -(z_0 - z_1) / 2 for logits z = w + b, each of which moves by 0.1:
    # w_0 and b_0 up, w_1 and b_1 down, hence z = (0.2, -0.2).
    # log pi = (-log(1 + e^-0.4), -0.4 - log(1 + e^-0.4)) where it was (-log 2, -log 2).
    # V = w + b goes from 0 to 0.2, and its loss from 2^2 to 1.8^2.
    log = update(TwoActions(), train_v_iters=1)
    assert log["LossPi"] == pytest.approx(0, abs=1e-6)
    assert log["DeltaLossPi"] == pytest.approx(-0.2, abs=1e-5)
    assert log["KL"] == pytest.approx(-math.log(2) + 0.2 + math.log(1 + math.exp(-0.4)), abs=1e-5)
    assert log["LossV"] == pytest.approx(4)
    assert log["DeltaLossV"] == pytest.approx(1.8**2 - 4, abs=1e-5)
    p = 1 / (1 + math.exp(-0.4))
    assert log["Entropy"] == pytest.approx(-p * math.log(p) - (1 - p) * math.log(1 - p), abs=1e-5)


def test_update_takes_one_policy_step_and_train_v_iters_value_steps():
    ac = TwoActions()
    update(ac, train_v_iters=3)
    torch.testing.assert_close(ac.pi.logits_net[0].bias.detach(), torch.tensor([0.1, -0.1]))
    assert ac.v(torch.ones(1, 1)).item() == pytest.approx(0.6, abs=0.01)


def test_without_value_steps_the_critic_is_untouched():
    ac = TwoActions()
    log = update(ac, train_v_iters=0)
    assert log["DeltaLossV"] == 0
    assert is_untouched(ac.v)
