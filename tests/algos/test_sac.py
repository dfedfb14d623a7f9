import math

import numpy as np
import pytest
import torch
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import trapezoid
from torch import nn
from torch.distributions import Normal, TanhTransform, TransformedDistribution
from toy_agents import NoisyPolicy, Parts, Sgd, Value, gradients, phase, transitions, weights

from spinup.algos.pytorch import core, sac, training
from spinup.errors import UserError

# ---- equations ----


def pi(o, eps):
    return 2 * o + eps, (10 * o).squeeze(-1)


def twin(o, a):
    """Q_1 = o + 10 a and Q_2 = 20 a."""
    return torch.stack([(o + 10 * a).squeeze(-1), (20 * a).squeeze(-1)])


def td_target(o2, d, alpha=0.1):
    batch = transitions(o=[0.0] * len(o2), a=[0.0] * len(o2), r=[3.0] * len(o2), o2=o2, d=d)
    return sac.td_target(pi, twin, batch, torch.full((len(o2), 1), -0.5), 0.5, alpha).tolist()


def test_td_target_by_hand():
    # o2 = 1: a2 = 1.5, log pi = 10, Q = min(16, 30), y = 3 + (16 - 1) / 2
    # o2 = -1: a2 = -2.5, log pi = -10, Q = min(-26, -50), y = 3 + (-50 + 1) / 2
    # o2 = 2, terminated: y = 3, without the entropy either
    assert td_target([1.0, -1.0, 2.0], [0.0, 0.0, 1.0]) == [10.5, -21.5, 3]


@pytest.mark.parametrize(("d", "y"), [(0.0, 10.5), (1.0, 3)])
def test_td_target_of_a_batch_of_one(d, y):
    assert td_target([1.0], [d]) == [y]


def test_without_temperature_the_target_has_no_entropy():
    assert td_target([1.0], [0.0], alpha=0.0) == [3 + 16 / 2]


def test_q_loss_by_hand():
    # Q_1 = 1 + 20 = 21 and 2 + 30 = 32, Q_2 = 40 and 60, y = 20 and 35: (1 + 9) / 2 + (400 + 625) / 2, their sum
    batch = transitions(o=[1.0, 2.0], a=[2.0, 3.0], r=[0.0, 0.0], o2=[0.0, 0.0], d=[0.0, 0.0])
    loss, values = sac.q_loss(twin, batch, torch.tensor([20.0, 35.0]))
    assert loss.item() == 5 + 512.5
    assert [v.tolist() for v in values] == [[21, 32], [40, 60]]


def test_pi_loss_by_hand():
    # o = 1: a = 2.5, log pi = 10, Q = min(26, 50); o = -1: a = -1.5, log pi = -10, Q = min(-16, -30)
    # (0.1 * 10 - 26 + 0.1 * -10 + 30) / 2 = 2; what was done (a = 9) does not matter
    batch = transitions(o=[1.0, -1.0], a=[9.0, 9.0], r=[0.0, 0.0], o2=[0.0, 0.0], d=[0.0, 0.0])
    loss, logp = sac.pi_loss(pi, twin, batch, torch.full((2, 1), 0.5), 0.1)
    assert loss.item() == pytest.approx(2)
    assert logp.tolist() == [10, -10]


def test_losses_of_a_batch_of_one():
    batch = transitions(o=[1.0], a=[2.0], r=[0.0], o2=[0.0], d=[0.0])
    assert sac.q_loss(twin, batch, torch.tensor([20.0]))[0].item() == 1 + 400
    assert sac.pi_loss(pi, twin, batch, torch.tensor([[0.5]]), 0.1)[0].item() == pytest.approx(1 - 26)


@pytest.mark.parametrize(
    ("logp", "loss", "gradient"),
    [
        # entropy -3 is below the target of -1: with log alpha = 0.5, -0.5 (3 - 1) = -1; descending raises alpha
        ([3.0, 3.0], -1.0, -2.0),
        # entropy 0 is above it: -0.5 (0 - 1); descending lowers alpha
        ([0.0, 0.0], 0.5, 1.0),
        # on target, by the mean
        ([3.0, -1.0], 0.0, 0.0),
        ([3.0], -1.0, -2.0),
    ],
)
def test_alpha_loss_by_hand(logp, loss, gradient):
    log_alpha, logp = torch.tensor(0.5, requires_grad=True), torch.tensor(logp, requires_grad=True)
    value = sac.alpha_loss(log_alpha, logp, target_entropy=-1)
    value.backward()
    assert (value.item(), log_alpha.grad.item()) == (loss, gradient)
    assert logp.grad is None, "the temperature's loss is none of the policy's"


# ---- update: Q_1 = w1 a, Q_2 = w2 a, a = v o + eps, log pi = 2 v o; steps are a tenth of the gradient ----


def trained(noise, learn_alpha=True):
    """Start from w1 = v = 1, w2 = 2, alpha = 1/2, and take a step for each pair in ``noise``."""
    ac = Parts(pi=NoisyPolicy(), q=core.Twin(Value(), Value(2.0)))
    log_alpha = torch.tensor(0.5).log().requires_grad_(learn_alpha)
    optimizers = Sgd(ac.pi.parameters()), Sgd(ac.q.parameters()), Sgd([log_alpha]) if learn_alpha else None
    learner = sac.Learner(ac, training.target_of(ac.q), log_alpha, *optimizers)
    batches = phase(*[transitions(o=[1.0], a=[2.0], r=[3.0], o2=[1.0], d=[0.0])] * len(noise))
    noise = torch.tensor(noise)[:, :, None, None]
    learner, log = sac.update(learner, batches, noise, gamma=0.5, polyak=0.5, target_entropy=-3)
    assert learner.ac is ac and learner.log_alpha is log_alpha, "it is improved in place"
    return ac, learner.q_targ, log_alpha, log


def test_one_gradient_step_by_hand():
    # a2 = 1.5, log pi = 2, y = 3 + (min(1.5, 3) - 2 / 2) / 2 = 3.25
    # Q_1 = 2, dL/dw1 = 2 (2 - 3.25) 2 = -5, w1 = 1.5;  Q_2 = 4, dL/dw2 = 2 (4 - 3.25) 2 = 3, w2 = 1.7
    # a' = 0.5, L_pi = 2 / 2 - min(0.75, 0.85) = 0.25, dL_pi/dv = 2 / 2 - w1 = -0.5, v = 1.05
    # entropy is -2, above the target -3: dL_alpha/dlog_alpha = -(2 - 3) = 1, and log alpha falls by 0.1
    ac, q_targ, log_alpha, log = trained([[0.5, -0.5]])
    assert ac() == pytest.approx(dict(pi=1.05, q1=1.5, q2=1.7))
    assert weights(q_targ) == pytest.approx(dict(q1=1.25, q2=1.85))
    assert log_alpha.item() == pytest.approx(math.log(0.5) - 0.1)
    assert (log["Q1Vals"].tolist(), log["Q2Vals"].tolist(), log["LogPi"].tolist()) == ([[2]], [[4]], [[2]])
    assert log["LossQ"] == pytest.approx([1.25**2 + 0.75**2])
    assert log["LossPi"] == pytest.approx([0.25])
    assert log["Alpha"] == pytest.approx([0.5])


def test_the_second_gradient_step_uses_what_the_first_one_left():
    # alpha = e^-0.1 / 2 = 0.452419; a2 = 1.05, log pi = 2.1, Q = min(1.25, 1.85) * 1.05
    # y = 3 + (1.3125 - 0.950079) / 2 = 3.181210
    # Q_1 = 3, w1 = 1.5 + 0.4 * 0.181210;  Q_2 = 3.4, w2 = 1.7 - 0.4 * 0.218790
    ac, _, _, log = trained([[0.5, -0.5], [0.0, 0.0]])
    assert log["Alpha"] == pytest.approx([0.5, 0.452419])
    assert weights(ac.q) == pytest.approx(dict(q1=1.572484, q2=1.612484))


def test_a_fixed_temperature_stays():
    _, _, log_alpha, log = trained([[0.5, -0.5], [0.5, -0.5]], learn_alpha=False)
    assert log_alpha.exp().item() == pytest.approx(0.5)
    assert log["Alpha"] == pytest.approx([0.5, 0.5])


def test_each_loss_leaves_the_other_networks_and_the_targets_without_gradient():
    # -5 and 3 are the gradients of L_Q alone: L_pi, which comes later, would have added -0.5 to the first
    ac, q_targ, _, _ = trained([[0.5, -0.5]])
    assert gradients(ac) == pytest.approx(dict(pi=-0.5, q1=-5, q2=3))
    assert gradients(q_targ) == dict(q1=None, q2=None)


@pytest.mark.parametrize("still", ["pi", "q"])
def test_no_optimiser_moves_the_networks_of_the_other(still):
    torch.manual_seed(0)
    ac = core.SACActorCritic(spaces.Box(-1, 1, (1,)), spaces.Box(-1, 1, (1,)), [4])
    before, q_targ = training.target_of(ac), training.target_of(ac.q)
    pi_optimizer = training.Adam(0.0 if still == "pi" else 0.1, ac.pi)
    q_optimizer = training.Adam(0.0 if still == "q" else 0.1, ac.q)
    batches = phase(transitions(o=[1.0, -0.5], a=[0.5, 0.1], r=[3.0, 1.0], o2=[1.0, 0.2], d=[0.0, 1.0]))
    constants = dict(gamma=0.5, polyak=1.0, target_entropy=-1)
    learner = sac.Learner(ac, q_targ, torch.tensor(-1.0), pi_optimizer, q_optimizer, None)
    sac.update(learner, batches, torch.randn(1, 2, 2, 1), **constants)

    def moved(name):
        pairs = zip(getattr(ac, name).parameters(), getattr(before, name).parameters(), strict=True)
        return not all(torch.equal(p, old) for p, old in pairs)

    assert [moved(name) for name in ("pi", "q")] == [still != "pi", still != "q"]


# ---- the squashed Gaussian ----

LOW, HIGH = np.float32([-1, 0]), np.float32([3, 0.5])
SPACE = spaces.Box(LOW, HIGH, dtype=np.float32)
UNIT = spaces.Box(-1, 1, (1,))


def actor_of(mu, log_std, space=UNIT):
    """An actor whose Gaussian is the same whatever it observes; in double precision, for the oracles' sake."""
    actor = core.SquashedGaussianMLPActor(1, space, [1], nn.ReLU)
    last = actor.net[-2]
    nn.init.zeros_(last.weight)
    last.bias.data = torch.tensor([*mu, *log_std])
    return actor.double()


def log_density(mu, log_std, u):
    """log pi of ``tanh(u)``, for numbers ``u``."""
    u = torch.as_tensor(u, dtype=torch.float64).reshape(-1, 1)
    eps = (u - mu) / math.exp(log_std)
    a, logp = actor_of([mu], [log_std])(torch.zeros_like(u), eps)
    torch.testing.assert_close(a, torch.tanh(u))
    return logp.detach().numpy()


GAUSSIANS = [(0.0, 0.0), (0.0, -2.3), (1.0, -0.7), (-2.0, 0.3), (0.5, 0.9)]


@pytest.mark.parametrize(("mu", "log_std"), GAUSSIANS)
def test_log_density_is_that_of_a_transformed_normal(mu, log_std):
    u = torch.linspace(-3, 3, 101, dtype=torch.float64)
    mu, log_std = float(np.float32(mu)), float(np.float32(log_std))
    oracle = TransformedDistribution(Normal(mu, math.exp(log_std)), TanhTransform())
    np.testing.assert_allclose(log_density(mu, log_std, u), oracle.log_prob(torch.tanh(u)), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("mu", "log_std"), GAUSSIANS)
def test_density_over_the_actions_integrates_to_1(mu, log_std):
    u = mu + np.linspace(-8, 8, 4001) * math.exp(log_std)
    assert trapezoid(np.exp(log_density(mu, log_std, u)), np.tanh(u)) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(("mu", "log_std"), [(0.0, 2.0), (0.0, -20.0), (30.0, -1.0), (-30.0, 2.0), (9.0, -9.0)])
def test_density_integrates_to_1_where_actions_press_against_their_bounds(mu, log_std):
    # over u instead, because tanh(u) rounds to 1: da/du = 1 / cosh(u)^2
    u = mu + np.linspace(-10, 10, 4001) * math.exp(log_std)
    density = np.exp(log_density(mu, log_std, u) - 2 * np.logaddexp(u, -u) + 2 * math.log(2))
    assert trapezoid(density, u) == pytest.approx(1, abs=1e-4)


def test_log_density_sums_over_the_dimensions():
    eps = torch.tensor([[0.3, -1.0]], dtype=torch.float64)
    _, logp = actor_of([0.5, -0.2], [-1.0, 0.2], SPACE)(torch.zeros(1, 1).double(), eps)
    parts = [log_density(m, s, m + e * math.exp(s)) for m, s, e in ((0.5, -1.0, 0.3), (-0.2, 0.2, -1.0))]
    assert logp.shape == (1,)
    assert logp.item() == pytest.approx(sum(parts).item(), abs=1e-6)


def test_density_is_in_units_of_half_the_range():
    # so that a target for the entropy means the same whatever the range: it does not depend on the bounds
    eps = torch.tensor([[0.3, -1.0]], dtype=torch.float64)
    o = torch.zeros(1, 1).double()
    assert (
        actor_of([0.5, -0.2], [-1.0, 0.2], SPACE)(o, eps)[1]
        == actor_of([0.5, -0.2], [-1.0, 0.2], spaces.Box(-1, 1, (2,)))(o, eps)[1]
    )


@pytest.mark.parametrize(("said", "held"), [(-100.0, -20), (-20.0, -20), (0.5, 0.5), (2.0, 2), (100.0, 2)])
def test_deviation_is_held_between_bounds(said, held):
    # without noise, log pi = -log std - log(2 pi) / 2
    _, logp = actor_of([0.0], [said])(torch.zeros(1, 1).double(), torch.zeros(1, 1).double())
    assert logp.item() == pytest.approx(-held - math.log(2 * math.pi) / 2)


@pytest.mark.parametrize("mu", [-1e4, -100.0, -20.0, 0.0, 20.0, 100.0, 1e4])
@pytest.mark.parametrize("log_std", [-20.0, 0.0, 2.0])
def test_densities_and_gradients_are_finite_however_far_out(mu, log_std):
    actor = actor_of([mu], [log_std]).float()
    a, logp = actor(torch.ones(2, 1), torch.tensor([[-5.0], [5.0]]))
    assert logp.isfinite().all()
    (a.sum() + logp.sum()).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in actor.parameters())
    # far out, log pi = ... + 2 |u| - 2 log 2, which pulls mu back: its gradient is 2 sign(u) for each of two actions
    if abs(mu) >= 100 and log_std < 2:
        assert actor.net[-2].bias.grad[0].item() == pytest.approx(4 * np.sign(mu))


def test_actions_are_scaled_dimension_by_dimension():
    # tanh(u) = (0.5, -0.5), three quarters from -1 to 3, a quarter from 0 to 0.5
    actor = actor_of([0.0, math.atanh(-0.5)], [0.0, 0.0], SPACE)
    a, _ = actor(torch.zeros(1, 1).double(), torch.tensor([[math.atanh(0.5), 0.0]]).double())
    np.testing.assert_allclose(a.detach(), [[2.0, 0.125]], rtol=1e-6)


@given(
    st.floats(-1e3, 1e3, width=32),
    st.floats(-1e3, 1e3, width=32),
    st.floats(-50, 50, width=32),
)
def test_actions_stay_within_any_bounds(one, other, u):
    space = spaces.Box(np.float32([min(one, other)]), np.float32([max(one, other)]), dtype=np.float32)
    actor = actor_of([u], [-20.0], space).float()
    a = actor(torch.zeros(1, 1), torch.zeros(1, 1))[0].detach().numpy()[0]
    assert space.low <= a <= space.high


# ---- acting ----


@pytest.mark.parametrize("batch", [(), (1,), (5,)])
@pytest.mark.parametrize("deterministic", [True, False])
def test_act_answers_one_observation_or_a_batch(batch, deterministic):
    ac = core.SACActorCritic(spaces.Box(-1, 1, (3,)), SPACE, [4])
    a = ac.act(np.random.default_rng(0).normal(size=(*batch, 3)), deterministic)
    assert isinstance(a, np.ndarray)
    assert (a.shape, a.dtype) == ((*batch, 2), np.float32)
    assert ((a >= LOW) & (a <= HIGH)).all()


def test_deterministic_is_the_squashed_mean():
    ac = core.SACActorCritic(spaces.Box(-1, 1, (1,)), SPACE, [1])
    ac.pi = actor_of([0.4, -1.0], [-0.3, 0.1], SPACE).float()
    expected = LOW + (np.tanh([0.4, -1.0]) + 1) * (HIGH - LOW) / 2
    np.testing.assert_allclose(ac.act(np.zeros(1), deterministic=True), expected, rtol=1e-6)
    assert ac.deterministic_by_default


def test_sampled_actions_follow_the_gaussian():
    torch.manual_seed(0)
    ac = core.SACActorCritic(spaces.Box(-1, 1, (1,)), SPACE, [1])
    ac.pi = actor_of([0.4, -1.0], [-1.0, -0.5], SPACE).float()
    u = np.arctanh((ac.act(np.zeros((20000, 1))) - LOW) / (HIGH - LOW) * 2 - 1)
    np.testing.assert_allclose(u.mean(0), [0.4, -1.0], atol=0.02)
    np.testing.assert_allclose(u.std(0), np.exp([-1.0, -0.5]), rtol=0.03)
    assert abs(np.corrcoef(u.T)[0, 1]) < 0.03


@pytest.mark.parametrize("hidden_sizes", [[4], [4, 4]])
def test_the_activation_follows_every_hidden_layer_of_the_policy(hidden_sizes):
    ac = core.SACActorCritic(spaces.Box(-1, 1, (3,)), SPACE, hidden_sizes, nn.Tanh)
    assert [type(layer) for layer in ac.pi.net] == [
        *[nn.Linear, core.Tanh] * len(hidden_sizes),
        nn.Linear,
        nn.Identity,
    ]
    with pytest.raises(UserError, match=r"activation=.*torch\.nn\.Tanh"):
        core.SACActorCritic(spaces.Box(-1, 1, (3,)), SPACE, hidden_sizes, torch.tanh)


def test_a_policy_without_hidden_layers():
    ac = core.SACActorCritic(spaces.Box(-1, 1, (3,)), SPACE, hidden_sizes=[])
    assert ac.act(np.zeros((5, 3))).shape == (5, 2)
