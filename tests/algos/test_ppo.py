import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from toy_agents import TwoActions, adams, batch_of_two, is_untouched

from spinup.algos.pytorch import ppo, training


def loss_and_gradient(ratio, adv, clip_ratio=0.2):
    """L_pi of one step with this probability ratio, and its derivative in log pi(a|o)."""
    logp_old = torch.tensor([-1.5])
    logp = (logp_old + math.log(ratio)).requires_grad_()
    loss = ppo.policy_loss(logp, logp_old, torch.tensor([adv]), clip_ratio)
    loss.backward()
    return loss.item(), logp.grad.item()


@pytest.mark.parametrize(
    ("ratio", "adv", "loss", "gradient"),
    [
        # inside the clip, min(w A, w A) = w A, whose derivative in log pi is w A as well
        (1.1, 2.0, -2.2, -2.2),
        (0.9, -2.0, 1.8, 1.8),
        # good and already likelier than 1.2 times: min(1.5 * 2, 1.2 * 2), nothing more to gain
        (1.5, 2.0, -2.4, 0.0),
        # good but become rarer: min(0.5 * 2, 0.8 * 2) = 1, the clip does not hinder the way back
        (0.5, 2.0, -1.0, -1.0),
        # bad and already rarer than 0.8 times: min(0.5 * -2, 0.8 * -2) = -1.6
        (0.5, -2.0, 1.6, 0.0),
        # bad but become likelier: min(1.5 * -2, 1.2 * -2) = -3
        (1.5, -2.0, 3.0, 3.0),
    ],
)
def test_policy_loss_on_both_sides_of_the_clip_by_hand(ratio, adv, loss, gradient):
    assert loss_and_gradient(ratio, adv) == pytest.approx((loss, gradient), abs=1e-5)


def test_policy_loss_is_a_mean():
    # -(min(1.5 * 2, 2.4) + min(0.5 * -2, 0.8 * -2) + 1 * 6) / 3 = -(2.4 - 1.6 + 6) / 3
    logp = torch.tensor([1.5, 0.5, 1.0]).log()
    loss = ppo.policy_loss(logp, torch.zeros(3), torch.tensor([2.0, -2.0, 6.0]), 0.2)
    assert loss.item() == pytest.approx(-6.8 / 3)


def test_policy_loss_at_the_old_policy_has_the_gradient_of_vanilla_policy_gradient():
    logp = torch.tensor([-1.0, -2.0], requires_grad=True)
    ppo.policy_loss(logp, logp.detach(), torch.tensor([3.0, -1.0]), 0.2).backward()
    torch.testing.assert_close(logp.grad, -torch.tensor([3.0, -1.0]) / 2)


@given(st.floats(0.05, 20), st.floats(-10, 10, width=32), st.floats(0.05, 0.95))
def test_policy_loss_equals_the_simplified_form(ratio, adv, eps):
    # readers have taken this for a mistake: min(w A, g(eps, A)) with g = (1 + eps) A if A >= 0, else (1 - eps) A
    g = (1 + eps) * adv if adv >= 0 else (1 - eps) * adv
    loss, _ = loss_and_gradient(ratio, adv, eps)
    assert loss == pytest.approx(-min(ratio * adv, g), rel=1e-4, abs=1e-5)


def test_approx_kl_by_hand():
    # ((log 1/2 - log 1/4) + (log 1/2 - log 1)) / 2 = (log 2 - log 2) / 2 = 0, and log 2 for the first alone
    logp, logp_old = torch.tensor([0.25, 1.0]).log(), torch.tensor([0.5, 0.5]).log()
    assert ppo.approx_kl(logp, logp_old).item() == pytest.approx(0)
    assert ppo.approx_kl(logp[:1], logp_old[:1]).item() == pytest.approx(math.log(2))


def test_value_loss_by_hand():
    assert ppo.value_loss(torch.tensor([1.0, 5.0]), torch.tensor([2.0, 2.0])).item() == (1 + 9) / 2
    assert ppo.value_loss(torch.tensor([1.0]), torch.tensor([4.0])).item() == 9


# One step of the policy takes the logits from (0, 0) to (0.2, -0.2), and log pi from -log 2 to these:
LOGP = [-math.log(1 + math.exp(-0.4)), -0.4 - math.log(1 + math.exp(-0.4))]
KL = -math.log(2) - sum(LOGP) / 2  # = 0.01987


def update(ac, batch=None, *, clip_ratio=0.5, target_kl=None, train_pi_iters=1, train_v_iters=1):
    """Improve ``ac`` on ``batch``, or a batch of two; returns what is logged."""
    learner, log = ppo.update(
        ppo.Learner(ac, *adams(ac)),
        batch or batch_of_two(),
        clip_ratio=clip_ratio,
        target_kl=target_kl,
        train_pi_iters=train_pi_iters,
        train_v_iters=train_v_iters,
    )
    assert learner.ac is ac
    return log


def test_what_update_logs_by_hand():
    # w = 2 pi; -(w_0 - w_1) / 2 = -(2 p - 2 (1 - p)) / 2 = 1 - 2 p, from 0 at p = 1/2. V goes from 0 to 0.2 against 2.
    log, p = update(TwoActions()), math.exp(LOGP[0])
    assert log["LossPi"] == pytest.approx(0, abs=1e-6)
    assert log["DeltaLossPi"] == pytest.approx(1 - 2 * p, abs=1e-5)
    assert log["LossV"] == pytest.approx(4)
    assert log["DeltaLossV"] == pytest.approx(1.8**2 - 4, abs=1e-5)
    assert log["KL"] == pytest.approx(KL, abs=1e-6)
    assert log["Entropy"] == pytest.approx(-p * math.log(p) - (1 - p) * math.log(1 - p), abs=1e-5)
    assert log["ClipFrac"] == 0
    assert log["StopIter"] == 1


def test_clip_frac_counts_ratios_beyond_the_clip_on_either_side():
    # after one step the ratios are 2 p = 1.197 and 2 (1 - p) = 0.803
    assert update(TwoActions(), clip_ratio=0.19)["ClipFrac"] == 1
    assert update(TwoActions(), clip_ratio=0.2)["ClipFrac"] == 0


@pytest.mark.parametrize(("margin", "stop_iter"), [(0.99, 1), (1.01, 2)])
def test_policy_steps_stop_once_kl_exceeds_one_and_a_half_times_the_target(margin, stop_iter):
    log = update(TwoActions(), target_kl=margin * KL / 1.5, train_pi_iters=80)
    assert log["StopIter"] == stop_iter


def test_policy_steps_stop_once_kl_is_not_a_number():
    # one step along a gradient of nan, after which nothing is known of the policy any more
    batch = batch_of_two()._replace(adv=torch.full((2,), math.nan))
    log = update(TwoActions(), batch, target_kl=0.01, train_pi_iters=80)
    assert log["StopIter"] == 1


def test_without_a_target_policy_steps_never_stop():
    log = update(TwoActions(), target_kl=None, train_pi_iters=7)
    assert log["StopIter"] == 7
    assert log["KL"] > KL


def test_value_steps_go_on_when_policy_steps_have_stopped():
    ac = TwoActions()
    update(ac, target_kl=1e-6, train_pi_iters=80, train_v_iters=3)
    assert ac.v(torch.ones(1, 1)).item() == pytest.approx(0.6, abs=0.01)


def test_policy_steps_leave_the_critic_untouched_and_the_other_way_round():
    ac = TwoActions()
    update(ac, train_v_iters=0)
    assert is_untouched(ac.v)
    ac = TwoActions()
    update(ac, train_pi_iters=0)
    assert is_untouched(ac.pi)


@pytest.mark.parametrize("shared", [True, False])
def test_policy_and_value_with_common_parameters_are_fitted_one_after_the_other(monkeypatch, shared):
    def no_threads(_):
        raise RuntimeError("threads")

    monkeypatch.setattr(training, "CORES", 2)
    monkeypatch.setattr(training, "ThreadPoolExecutor", no_threads)
    ac = TwoActions()
    if shared:
        ac.v.trunk = ac.pi.logits_net
        update(ac)
    else:
        with pytest.raises(RuntimeError, match="threads"):
            update(ac)
