import math

import numpy as np
import pytest
import torch
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.distributions import Categorical, Independent, Normal
from torch.func import functional_call
from torch.nn.utils import parameters_to_vector
from toy_agents import TwoActions, adams, batch_of_two, is_untouched

from spinup.algos.pytorch import core, trpo
from spinup.experience.buffers import Rollout

# ---- equations ----


def test_surrogate_by_hand():
    # (0.5 / 0.25 * 3 + 0.25 / 0.5 * -4) / 2 = (6 - 2) / 2
    logp, logp_old = torch.tensor([0.5, 0.25]).log(), torch.tensor([0.25, 0.5]).log()
    assert trpo.surrogate(logp, logp_old, torch.tensor([3.0, -4.0])).item() == pytest.approx(2)
    assert trpo.surrogate(logp[:1], logp_old[:1], torch.tensor([3.0])).item() == pytest.approx(6)


def test_surrogate_at_the_old_policy_has_the_policy_gradient():
    logp = torch.tensor([-1.0, -2.0], requires_grad=True)
    trpo.surrogate(logp, logp.detach(), torch.tensor([3.0, -1.0])).backward()
    torch.testing.assert_close(logp.grad, torch.tensor([1.5, -0.5]))


def test_value_loss_by_hand():
    assert trpo.value_loss(torch.tensor([1.0, 5.0]), torch.tensor([2.0, 2.0])).item() == (1 + 9) / 2
    assert trpo.value_loss(torch.tensor([1.0]), torch.tensor([4.0])).item() == 9


def gaussian(mu, std):
    return Independent(Normal(torch.tensor(mu), torch.tensor(std)), 1)


def test_mean_kl_of_gaussians_is_that_of_the_old_one_from_the_new():
    # a dimension: KL(N(0, 1) || N(1, 2)) = log 2 + (1 + 1) / (2 * 4) - 1/2 = 0.4431; the other way round it is 1.3069
    old, new = gaussian([[0.0, 0.0]], [[1.0, 1.0]]), gaussian([[1.0, 1.0]], [[2.0, 2.0]])
    assert trpo.mean_kl(new, old).item() == pytest.approx(2 * (math.log(2) + 0.25 - 0.5))


def test_mean_kl_of_categoricals_is_that_of_the_old_one_from_the_new():
    # KL((1/2, 1/2) || (1/4, 3/4)) = log(2) / 2 + log(2/3) / 2 = 0.1438; the other way round it is 0.1308
    old, new = Categorical(torch.tensor([[0.5, 0.5]])), Categorical(torch.tensor([[0.25, 0.75]]))
    assert trpo.mean_kl(new, old).item() == pytest.approx((math.log(2) + math.log(2 / 3)) / 2)


def test_mean_kl_is_a_mean_over_the_batch():
    # the second observation has equal distributions, and halves 0.4431
    old, new = gaussian([[0.0], [3.0]], [[1.0], [1.0]]), gaussian([[1.0], [3.0]], [[2.0], [1.0]])
    assert trpo.mean_kl(new, old).item() == pytest.approx((math.log(2) - 0.25) / 2)


# ---- Fisher-vector products, against the matrix itself ----


def box(low, high):
    return spaces.Box(np.float32(low), np.float32(high))


def small_actor(kind, hidden_sizes=(3,)):
    torch.manual_seed(0)
    if kind == "categorical":
        return core.MLPCategoricalActor(2, spaces.Discrete(3), hidden_sizes, nn.Tanh).double()
    return core.MLPGaussianActor(2, box([-1, 0], [3, 0.5]), hidden_sizes, nn.Tanh).double()


def at(actor, theta, obs):
    """The actor's distribution with ``theta`` for its parameters."""
    sizes = [p.numel() for p in actor.parameters()]
    values = (x.view_as(p) for x, p in zip(theta.split(sizes), actor.parameters(), strict=True))
    names = (name for name, _ in actor.named_parameters())
    return functional_call(actor, dict(zip(names, values, strict=True)), (obs,))[0]


def fisher_by_definition(actor, obs):
    """E[grad log pi grad log pi^T]: summed over few actions, and known for a Gaussian in its mean and deviation."""
    theta = parameters_to_vector(actor.parameters()).detach()
    if isinstance(actor, core.MLPCategoricalActor):
        scores = torch.autograd.functional.jacobian(lambda t: at(actor, t, obs).logits, theta)  # [B, actions, theta]
        return torch.einsum("ba,bai,baj->ij", at(actor, theta, obs).probs, scores, scores) / len(obs)
    pi = at(actor, theta, obs).base_dist
    d_mu = torch.autograd.functional.jacobian(lambda t: at(actor, t, obs).base_dist.loc, theta)
    d_log_std = torch.autograd.functional.jacobian(lambda t: at(actor, t, obs).base_dist.scale.log(), theta)
    in_mu = torch.einsum("bk,bki,bkj->ij", pi.scale**-2, d_mu, d_mu)
    return (in_mu + 2 * torch.einsum("bki,bkj->ij", d_log_std, d_log_std)) / len(obs)


@pytest.mark.parametrize("kind", ["categorical", "gaussian"])
@pytest.mark.parametrize("damping_coeff", [0.0, 0.1])
@pytest.mark.parametrize("batch_size", [1, 5])
def test_hessian_vector_product_is_the_fisher_matrix_times_the_vector(kind, damping_coeff, batch_size):
    actor, obs = small_actor(kind), torch.randn(batch_size, 2, dtype=torch.float64)
    params = list(actor.parameters())
    kl = trpo.mean_kl(actor(obs)[0], at(actor, parameters_to_vector(params).detach(), obs))
    x = torch.randn(sum(p.numel() for p in params), dtype=torch.float64)
    matrix = fisher_by_definition(actor, obs) + damping_coeff * torch.eye(len(x))
    product = trpo.hessian_vector_product(kl, params, x, damping_coeff)
    torch.testing.assert_close(product, matrix @ x)
    torch.testing.assert_close(trpo.hessian_vector_product(kl, params, 2 * x, damping_coeff), 2 * product)


@pytest.mark.parametrize("kind", ["categorical", "gaussian"])
def test_hessian_vector_product_is_a_second_derivative_away_from_the_old_policy_too(kind):
    actor, obs = small_actor(kind), torch.randn(4, 2, dtype=torch.float64)
    params = list(actor.parameters())
    theta = parameters_to_vector(params).detach()
    pi_old = at(actor, theta + 0.3 * torch.randn_like(theta), obs)
    hessian = torch.autograd.functional.hessian(lambda t: trpo.mean_kl(at(actor, t, obs), pi_old), theta)
    x = torch.randn_like(theta)
    product = trpo.hessian_vector_product(trpo.mean_kl(actor(obs)[0], pi_old), params, x, 0.0)
    torch.testing.assert_close(product, hessian @ x)


# ---- conjugate gradient ----


@given(st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_conjugate_gradient_solves_as_many_equations_as_it_has_iterations(n, seed):
    numbers = np.random.default_rng(seed)
    a, g = numbers.normal(size=(n, n)), numbers.normal(size=n)
    matrix = a @ a.T + np.eye(n)
    x = trpo.conjugate_gradient(lambda v: torch.tensor(matrix) @ v, torch.tensor(g), cg_iters=n)
    np.testing.assert_allclose(x, np.linalg.solve(matrix, g), atol=1e-4)


def counting(matrix):
    def product(x):
        product.calls += 1
        return matrix @ x

    product.calls = 0
    return product


def test_conjugate_gradient_first_step_by_hand():
    # H = diag(1, 3), g = (1, 1): alpha = g.g / g.Hg = 2 / 4, so x = (1/2, 1/2)
    hvp = counting(torch.diag(torch.tensor([1.0, 3.0])))
    torch.testing.assert_close(trpo.conjugate_gradient(hvp, torch.ones(2), cg_iters=1), torch.tensor([0.5, 0.5]))
    assert hvp.calls == 1


def test_conjugate_gradient_stops_when_it_has_solved_the_equations():
    hvp = counting(2 * torch.eye(3))
    torch.testing.assert_close(trpo.conjugate_gradient(hvp, torch.ones(3), cg_iters=10), torch.full((3,), 0.5))
    assert hvp.calls == 1


def test_conjugate_gradient_of_no_gradient_is_no_step():
    hvp = counting(torch.eye(3))
    assert trpo.conjugate_gradient(hvp, torch.zeros(3), cg_iters=10).eq(0).all()
    assert hvp.calls == 0


# ---- the natural gradient step ----


@pytest.mark.parametrize(
    ("x", "hx", "delta", "expected"),
    [
        # x . Hx = 3 * 1 + 4 * 3 = 15, sqrt(2 * 0.3 / 15) = 1/5; so far, the divergence s.Hs / 2 is 15 / 25 / 2 = 0.3
        ([3.0, 4.0], [1.0, 3.0], 0.3, [0.6, 0.8]),
        ([3.0, 4.0], [1.0, 3.0], 1.2, [1.2, 1.6]),  # twice as far makes it four times as large
        ([-2.0], [-8.0], 0.5, [-0.5]),  # sqrt(1 / 16) = 1/4
        ([0.0, 0.0], [0.0, 0.0], 0.3, [0.0, 0.0]),  # no gradient, no step
    ],
)
def test_natural_step_by_hand(x, hx, delta, expected):
    torch.testing.assert_close(trpo.natural_step(torch.tensor(x), torch.tensor(hx), delta), torch.tensor(expected))


# ---- line search: theta is a number, which is also the surrogate unless said otherwise ----


def search(step, kl, surrogate=lambda theta: theta, backtrack_iters=10):
    tensors = torch.tensor([1.0]), torch.tensor([step])
    theta, backtracks = trpo.line_search(lambda t: (surrogate(t), kl(t)), *tensors, 0.01, 0.5, backtrack_iters)
    return theta.item(), backtracks


def test_line_search_takes_the_whole_step_if_it_may():
    assert search(8.0, kl=lambda theta: 0.01) == (9, 0)


def test_line_search_backtracks_until_the_divergence_is_small_enough():
    # tries 1 + 8, 1 + 4, 1 + 2
    assert search(8.0, kl=lambda theta: 0.01 if theta <= 3 else 0.0101) == (3, 2)


def test_line_search_backtracks_until_the_surrogate_is_not_worse():
    assert search(8.0, kl=lambda theta: 0.0, surrogate=lambda theta: -((theta - 1.5) ** 2)) == (2, 3)


def test_line_search_refuses_what_never_will_do():
    assert search(8.0, kl=lambda theta: 1.0, backtrack_iters=4) == (1, 4)
    assert search(8.0, kl=lambda theta: 0.0, surrogate=lambda theta: -theta, backtrack_iters=4) == (1, 4)


def test_line_search_refuses_what_is_not_a_number():
    assert search(8.0, kl=lambda theta: theta * math.nan, backtrack_iters=4) == (1, 4)
    assert search(math.nan, kl=lambda theta: 0.0, backtrack_iters=4) == (1, 4)


# ---- update ----


def update(ac, batch, **kwargs):
    """Improve ``ac`` on ``batch``; returns what is logged."""
    settings = dict(
        algo="trpo",
        delta=0.01,
        damping_coeff=0.0,
        cg_iters=10,
        backtrack_iters=10,
        backtrack_coeff=0.8,
        train_v_iters=0,
    )
    learner, log = trpo.update(trpo.Learner(ac, adams(ac)[1]), batch, **(settings | kwargs))
    assert learner.ac is ac
    return log


@pytest.mark.parametrize("damping_coeff", [0.0, 0.1])
def test_update_of_two_actions_by_hand(damping_coeff):
    # L = (2 pi_0 - 2 pi_1) / 2, so g = (1/2, -1/2) in w and in b alike. The Fisher matrix of two equally likely actions
    # is ((1/4, -1/4), (-1/4, 1/4)) between any two of w and b: F g = g. Hence x = g / (1 + damping), x.Hx = 1 / (1 +
    # damping), and the step is s g with s^2 = 2 delta / (1 + damping). The logits, w + b, become (s, -s).
    # pi_0 = 1 / (1 + e^-2s), so L = tanh s; KL = -log 2 - log(pi_0 pi_1) / 2 = log cosh s, which is below s^2 / 2.
    ac = TwoActions()
    log = update(ac, batch_of_two(), damping_coeff=damping_coeff, train_v_iters=1)
    s = math.sqrt(2 * 0.01 / (1 + damping_coeff))
    torch.testing.assert_close(ac.pi.logits_net[0].bias.detach(), torch.tensor([s / 2, -s / 2]))
    assert log["LossPi"] == pytest.approx(0, abs=1e-6)
    assert log["DeltaLossPi"] == pytest.approx(-math.tanh(s), abs=1e-5)
    assert log["KL"] == pytest.approx(math.log(math.cosh(s)), abs=1e-6)
    assert log["BacktrackIters"] == 0
    assert log["LossV"] == pytest.approx(4)
    assert log["DeltaLossV"] == pytest.approx(1.8**2 - 4, abs=1e-5)
    p = 1 / (1 + math.exp(-2 * s))
    assert log["Entropy"] == pytest.approx(-p * math.log(p) - (1 - p) * math.log(1 - p), abs=1e-5)


class OneDimension(nn.Module):
    """A Gaussian policy around 0 with deviation e^(-1/2)."""

    def __init__(self):
        super().__init__()
        self.pi, self.v = core.MLPGaussianActor(1, box([-1], [1]), [], nn.Tanh), core.MLPCritic(1, [], nn.Tanh)
        for p in self.pi.mu_net.parameters():
            nn.init.zeros_(p)


def narrow():
    """Small actions of either sign are good and large ones bad, so the policy should keep its mean and narrow."""
    one = torch.ones(4)
    a, adv = torch.tensor([[-0.1], [0.1], [-2.0], [2.0]]), torch.tensor([1.0, 1.0, -1.0, -1.0])
    return Rollout(o=one[:, None], a=a, ret=one, adv=adv, v=one)


def kl_of_narrowing(u):
    """KL(N(0, s) || N(0, s e^u)) = u + e^(-2u) / 2 - 1/2, which is above u^2 where u < 0."""
    return u + math.exp(-2 * u) / 2 - 0.5


# The Fisher information of log std is 2, so the whole step is u = -sqrt(delta): -0.2, whose KL is 0.0459.


def test_natural_gradient_takes_the_whole_step_even_beyond_delta():
    ac = OneDimension()
    log = update(ac, narrow(), algo="npg", delta=0.04)
    assert ac.pi.log_std.item() == pytest.approx(-0.7, abs=1e-5)
    assert log["KL"] == pytest.approx(kl_of_narrowing(-0.2), abs=1e-5)
    assert log["KL"] > 0.04
    assert log["BacktrackIters"] == 0


def test_trust_region_step_is_shortened_to_keep_to_delta():
    ac = OneDimension()
    log = update(ac, narrow(), delta=0.04)
    assert ac.pi.log_std.item() == pytest.approx(-0.5 - 0.8 * 0.2, abs=1e-5)
    assert log["KL"] == pytest.approx(kl_of_narrowing(-0.16), abs=1e-5)
    assert log["BacktrackIters"] == 1


def test_policy_stays_if_no_step_will_do():
    ac = OneDimension()
    log = update(ac, narrow(), delta=0.04, backtrack_iters=1)
    assert ac.pi.log_std.item() == -0.5
    assert (log["KL"], log["DeltaLossPi"], log["BacktrackIters"]) == (0, 0, 1)


def random_agent_and_batch(kind, hidden_sizes, batch_size):
    torch.manual_seed(0)
    ac = nn.Module()
    ac.pi, ac.v = small_actor(kind, hidden_sizes).float(), core.MLPCritic(2, hidden_sizes, nn.Tanh)
    o, (ret, adv, v) = torch.randn(batch_size, 2), torch.randn(3, batch_size)
    return ac, Rollout(o, ac.pi(o)[0].sample(), ret, adv, v)


@pytest.mark.parametrize("kind", ["categorical", "gaussian"])
@pytest.mark.parametrize("hidden_sizes", [[], [1], [16, 8]])
@pytest.mark.parametrize("batch_size", [1, 64])
def test_update_keeps_to_delta_and_does_not_make_the_surrogate_worse(kind, hidden_sizes, batch_size):
    ac, batch = random_agent_and_batch(kind, hidden_sizes, batch_size)
    with torch.no_grad():
        pi_old, logp_old = ac.pi(batch.o, batch.a)
    log = update(ac, batch, damping_coeff=0.1)
    with torch.no_grad():
        pi, logp = ac.pi(batch.o, batch.a)
    gain = ((logp - logp_old).exp() * batch.adv).mean() - batch.adv.mean()
    assert 0 < torch.distributions.kl_divergence(pi_old, pi).mean() <= 0.01
    assert gain > 0
    assert log["DeltaLossPi"] == pytest.approx(-gain.item(), abs=1e-6)


@pytest.mark.parametrize("kind", ["categorical", "gaussian"])
def test_the_step_is_the_natural_gradient(kind):
    ac, batch = random_agent_and_batch(kind, [3], 64)
    params = list(ac.pi.parameters())
    theta = parameters_to_vector(params).detach()
    logp = ac.pi(batch.o, batch.a)[1]
    g = parameters_to_vector(torch.autograd.grad((logp * batch.adv).mean(), params)).double()
    matrix = fisher_by_definition(ac.pi.double(), batch.o.double()) + 0.1 * torch.eye(len(g))
    x = torch.linalg.solve(matrix, g)
    ac.pi.float()
    update(ac, batch, algo="npg", damping_coeff=0.1, cg_iters=len(g))
    step = parameters_to_vector(params).detach() - theta
    expected = torch.sqrt(2 * 0.01 / (x @ matrix @ x)) * x
    torch.testing.assert_close(step.double(), expected, rtol=1e-2, atol=1e-4)


def test_policy_step_leaves_the_critic_untouched_and_value_steps_the_policy():
    ac = TwoActions()
    update(ac, batch_of_two())
    assert is_untouched(ac.v)
    assert all(p.grad is None for p in ac.pi.parameters())
    ac = TwoActions()
    update(ac, batch_of_two()._replace(adv=torch.zeros(2)), train_v_iters=5)
    assert is_untouched(ac.pi)
    assert not is_untouched(ac.v)
