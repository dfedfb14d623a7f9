import copy
import math
import threading
import time
from functools import partial

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import nn
from toy_agents import Sgd

from spinup.algos.pytorch import backend, core, training
from spinup.errors import UserError

OBSERVATIONS = spaces.Box(-1, 1, (3,), np.float32)
SHAPES = [spaces.Discrete(4), spaces.Box(-1, 1, (2,), np.float32)]


def box(low, high):
    return spaces.Box(np.float32(low), np.float32(high), dtype=np.float32)


def agent(action_space, **kwargs):
    torch.manual_seed(0)
    return core.MLPActorCritic(OBSERVATIONS, action_space, **kwargs)


def observations(*shape):
    return np.random.default_rng(0).normal(size=(*shape, 3)).astype(np.float32)


# ---- networks ----


def test_mlp_is_its_layers_with_activations_between_them():
    net = core.mlp([3, 5, 4, 2], nn.ReLU, nn.Tanh)
    assert [type(layer) for layer in net] == [nn.Linear, nn.ReLU, nn.Linear, nn.ReLU, nn.Linear, nn.Tanh]
    assert [tuple(layer.weight.shape) for layer in net[::2]] == [(5, 3), (4, 5), (2, 4)]


def test_hidden_sizes_and_activation_shape_both_networks():
    ac = agent(spaces.Discrete(2), hidden_sizes=[7], activation=nn.ELU)
    for net in (ac.pi.logits_net, ac.v.v_net):
        assert net[0].out_features == 7
        assert type(net[1]) is nn.ELU


def test_policy_and_value_share_no_parameter():
    ac = agent(spaces.Discrete(2))
    ours = [id(p) for part in (ac.pi, ac.v) for p in part.parameters()]
    assert len(set(ours)) == len(ours) == len(list(ac.parameters()))


def test_tanh_is_tanh_with_its_first_and_second_derivative():
    x = torch.linspace(-3, 3, 13, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(core.Tanh()(x), torch.tanh(x))
    assert torch.autograd.gradcheck(core.Tanh(), x)
    assert torch.autograd.gradgradcheck(core.Tanh(), x)  # TRPO differentiates twice
    torch.testing.assert_close(core.Tanh()(torch.tensor([-1e4, 1e4])), torch.tensor([-1.0, 1.0]))


@pytest.mark.parametrize("x", [6.0, 7.9, 8.0, 9.0, 9.1, 10.0, 12.0])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("create_graph", [False, True])  # two ways to compute it: TRPO differentiates it again
def test_a_saturated_tanh_keeps_its_slope(x, sign, create_graph):
    x = torch.tensor(sign * x, requires_grad=True)
    (slope,) = torch.autograd.grad(core.tanh(x), x, create_graph=create_graph)
    assert slope.item() == pytest.approx(1 / math.cosh(x.item()) ** 2, rel=1e-4)  # 1 - tanh(x)^2 would be 0 from 9.1 on


def test_a_tanh_far_out_has_no_slope_and_no_nan():
    x = torch.tensor([-200.0, -50.0, 50.0, 200.0], requires_grad=True)
    (slope,) = torch.autograd.grad(core.tanh(x).sum(), x, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.sum(), x)
    (fast,) = torch.autograd.grad(core.tanh(x).sum(), x)
    assert torch.isfinite(torch.stack([slope, curvature, fast])).all()


@pytest.mark.parametrize("agent_class", [core.DDPGActorCritic, core.TD3ActorCritic, core.SACActorCritic])
@pytest.mark.parametrize("saturated", [6.0, 8.0, 10.0, 12.0])
def test_a_saturated_policy_still_feels_its_critic(agent_class, saturated):
    ac = agent_class(spaces.Box(-1, 1, (3,)), spaces.Box(-1, 1, (2,)))
    bias = ac.pi.net[-2].bias
    with torch.no_grad():
        bias[:2] = saturated
    o, eps = torch.zeros(1, 3), torch.zeros(1, 2)
    a = ac.pi(o, eps)[0] if agent_class is core.SACActorCritic else ac.pi(o)
    (grad,) = torch.autograd.grad(a.sum(), bias)
    assert (grad[:2] > 0).all()


def test_tanh_asks_numpy_for_nothing_on_other_devices_than_the_cpu():
    assert core.Tanh()(torch.zeros(3, device="meta")).device.type == "meta"  # whose numbers NumPy cannot see


def test_networks_say_the_same_when_acting_and_when_training():
    net, o = core.mlp([3, 16, 2], nn.Tanh), torch.as_tensor(observations(100))
    with torch.inference_mode():
        acting = net(o)
    torch.testing.assert_close(acting.clone(), net(o))


# ---- densities; the same cases are those of JAX ----

# L is log 2 pi = 1.837877, and log 2 is 0.693147
gaussian_by_hand = pytest.mark.parametrize(
    ("x", "mu", "std", "expected"),
    [
        # one dimension, twice its deviation away: -(2^2 / 2 + log 3 + L / 2) = -(2 + 1.098612 + 0.918939)
        ([[7.0]], [[1.0]], [3.0], [-4.017551]),
        # two, each its own deviation away: -(1/2 + log 1 + 1/2 + log 2 + L), the log of a product
        ([[1.0, 0.0]], [[0.0, 2.0]], [1.0, 2.0], [-3.531024]),
        # the same, and another at its mean with the same deviations: -(log 1 + log 2 + L)
        ([[1.0, 0.0], [3.0, 3.0]], [[0.0, 2.0], [3.0, 3.0]], [1.0, 2.0], [-3.531024, -2.531024]),
        # where each row has deviations of its own, those of the second are 1/2: -(2 log 1/2 + L)
        ([[1.0, 0.0], [3.0, 3.0]], [[0.0, 2.0], [3.0, 3.0]], [[1.0, 2.0], [0.5, 0.5]], [-3.531024, -0.451583]),
    ],
)
HALF, MINUS = math.atanh(0.5), math.atanh(-0.6)  # where the slope of tanh is 1 - 0.5^2 = 3/4, and 1 - 0.6^2 = 16/25
squashed_by_hand = pytest.mark.parametrize(
    ("u", "mu", "std", "expected"),
    [
        # one dimension, at its mean: -L / 2 - log 3/4 = -0.918939 + 0.287682
        ([[HALF]], [[HALF]], [1.0], [-0.631257]),
        # two: -(log 1 + log 2 + L) - log(3/4 * 16/25) = -2.531024 + log 25/12 = -2.531024 + 0.733969
        ([[HALF, MINUS]], [[HALF, MINUS]], [1.0, 2.0], [-1.797055]),
        # the same its deviations away, which costs 1/2 in each, and one at 0, where tanh is steepest: -(log 2 + L)
        ([[HALF, MINUS], [0, 0]], [[HALF - 1, MINUS + 2], [0, 0]], [1.0, 2.0], [-2.797055, -2.531024]),
        # where each row has deviations of its own, those of the second are 1/2: -(2 log 1/2 + L)
        ([[HALF, MINUS], [0, 0]], [[HALF - 1, MINUS + 2], [0, 0]], [[1.0, 2.0], [0.5, 0.5]], [-2.797055, -0.451583]),
    ],
)
FAR_OUT = np.float32([[20, -20], [-20, 20], [20, 20], [19.9, 0.1]])
far_from = pytest.mark.parametrize(
    ("mu", "log_std"),
    [
        ([[0.0, 0.0]] * 4, [0.0, 0.0]),
        (
            [[20.0, -20.0], [-19.0, 18.0], [15.0, 20.0], [20.0, 0.0]],
            [[-3.0, 1.0], [2.0, 0.5], [1.0, -2.0], [-1.0, 0.0]],
        ),
    ],
)


def log_normal(x, mu, std):
    return -0.5 * ((x - mu) / std) ** 2 - np.log(std) - 0.5 * math.log(2 * math.pi)


def log_densities(u, mu, log_std):
    """The log-densities of ``u`` and of ``tanh(u)``, ``[B]`` each, in double precision."""
    u, mu, std = np.float64(u), np.float64(np.float32(mu)), np.exp(np.float64(np.float32(log_std)))
    log_slope = -2 * np.log(np.cosh(u))  # 1 - tanh(u)^2 would be 0
    return log_normal(u, mu, std).sum(-1), (log_normal(u, mu, std) - log_slope).sum(-1)


@gaussian_by_hand
def test_gaussian_log_density_by_hand(x, mu, std, expected):
    logp = core.gaussian_log_density(torch.tensor(x), torch.tensor(mu), torch.tensor(std).log())
    torch.testing.assert_close(logp, torch.tensor(expected), rtol=0, atol=2e-6)


@squashed_by_hand
def test_squashed_log_density_by_hand(u, mu, std, expected):
    logp = core.squashed_log_density(torch.tensor(u), torch.tensor(mu), torch.tensor(std).log())
    torch.testing.assert_close(logp, torch.tensor(expected), rtol=0, atol=2e-6)


@far_from
def test_densities_far_out_are_finite_and_right(mu, log_std):
    u, mu, log_std = torch.from_numpy(FAR_OUT), torch.tensor(mu), torch.tensor(log_std)
    gaussian, squashed = core.gaussian_log_density(u, mu, log_std), core.squashed_log_density(u, mu, log_std)
    assert gaussian.isfinite().all() and squashed.isfinite().all()
    np.testing.assert_allclose(gaussian, log_densities(u, mu, log_std)[0], rtol=1e-6)
    np.testing.assert_allclose(squashed, log_densities(u, mu, log_std)[1], rtol=1e-6)


# ---- the Gaussian policy ----


def still_gaussian(low, high):
    """An actor whose network says 0 whatever it observes."""
    actor = core.MLPGaussianActor(3, box(low, high), [], nn.Tanh)
    for p in actor.mu_net.parameters():
        nn.init.zeros_(p)
    return actor


STD = math.exp(-0.5)


HUGE = np.finfo(np.float32).max


@pytest.mark.parametrize(
    ("low", "high"),
    [
        ([-1, -1], [1, 1]),
        ([-np.inf, -np.inf], [np.inf, np.inf]),
        ([0, -np.inf], [np.inf, 0]),
        ([-HUGE, -HUGE], [HUGE, HUGE]),
        ([2, 2], [2, 2]),
    ],
)
def test_gaussian_of_unit_bounds_or_no_usable_ones_is_the_networks_own(low, high):
    pi, logp = still_gaussian(low, high)(torch.zeros(1, 3), torch.tensor([[0.3, -2.0]]))
    assert logp.item() == pytest.approx(log_normal(0.3, 0, STD) + log_normal(-2.0, 0, STD), abs=1e-5)
    torch.testing.assert_close(pi.mode, torch.zeros(1, 2))


def test_gaussian_is_centred_and_scaled_dimension_by_dimension():
    # [-1, 3] has middle 1 and half range 2, [0, 0.5] has 0.25 and 0.25, and no bound above leaves 0 and 1
    actor = still_gaussian([-1, 0, -1], [3, 0.5, np.inf])
    pi, logp = actor(torch.zeros(1, 3), torch.tensor([[2.0, 0.4, -0.7]]))
    torch.testing.assert_close(pi.mode, torch.tensor([[1.0, 0.25, 0.0]]))
    torch.testing.assert_close(pi.stddev, STD * torch.tensor([[2.0, 0.25, 1.0]]))
    expected = log_normal(2, 1, 2 * STD) + log_normal(0.4, 0.25, 0.25 * STD) + log_normal(-0.7, 0, STD)
    assert logp.item() == pytest.approx(expected, abs=1e-5)


def test_gaussian_samples_are_those_of_its_distribution():
    np.random.seed(0)
    actor = still_gaussian([-1, 0], [3, 0.5])
    a = torch.from_numpy(actor.act(np.zeros((20_000, 3), np.float32), deterministic=False))
    torch.testing.assert_close(a.mean(0), torch.tensor([1.0, 0.25]), atol=0.04, rtol=0)
    torch.testing.assert_close(a.std(0), STD * torch.tensor([2.0, 0.25]), atol=0, rtol=0.03)
    assert abs(torch.corrcoef(a.T)[0, 1]) < 0.03  # dimensions are independent


def test_gaussian_mean_is_the_network_in_units_of_half_the_range():
    actor = still_gaussian([-1, 0], [3, 0.5])
    nn.init.constant_(actor.mu_net[0].bias, -1.0)
    torch.testing.assert_close(actor(torch.zeros(1, 3))[0].mode, torch.tensor([[-1.0, 0.0]]))


def test_gaussian_entropy_is_summed_over_the_dimensions_of_an_action():
    # each dimension has (1 + log 2 pi) / 2 + log std
    a_dimension = 0.5 + 0.5 * math.log(2 * math.pi) - 0.5
    entropy = still_gaussian([-1] * 3, [1] * 3)(torch.zeros(5, 3))[0].entropy()
    torch.testing.assert_close(entropy, torch.full((5,), 3 * a_dimension))


def test_gaussian_log_probability_has_a_gradient_in_mean_and_deviation():
    # d log pi / d mu = (a - mu) / std^2, and d log pi / d log std = ((a - mu) / std)^2 - 1
    actor = still_gaussian([-1], [1])
    actor(torch.zeros(1, 3), torch.tensor([[0.3]]))[1].sum().backward()
    assert actor.mu_net[0].bias.grad.item() == pytest.approx(0.3 / STD**2, rel=1e-5)
    assert actor.log_std.grad.item() == pytest.approx(0.09 / STD**2 - 1, rel=1e-5)


# ---- the categorical policy ----


def test_categorical_log_probability_and_entropy_by_hand():
    actor = core.MLPCategoricalActor(3, spaces.Discrete(2), [], nn.Tanh)
    nn.init.zeros_(actor.logits_net[0].weight)
    actor.logits_net[0].bias.data = torch.tensor([math.log(3), 0.0])  # probabilities 3/4 and 1/4
    pi, logp = actor(torch.zeros(2, 3), torch.tensor([0, 1]))
    torch.testing.assert_close(logp, torch.tensor([0.75, 0.25]).log())
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    torch.testing.assert_close(pi.entropy(), torch.full((2,), entropy))
    assert pi.mode.tolist() == [0, 0]
    np.random.seed(0)
    assert actor.act(np.zeros((4000, 3), np.float32), deterministic=False).mean() == pytest.approx(0.25, abs=0.03)
    assert actor.act(np.zeros((2, 3), np.float32), deterministic=True).tolist() == [0, 0]


# ---- the actor-critic contract ----


@pytest.mark.parametrize("action_space", SHAPES)
@pytest.mark.parametrize("batch", [1, 5])
def test_everything_of_a_batch_has_one_number_for_each_observation(action_space, batch):
    ac, o = agent(action_space), torch.as_tensor(observations(batch))
    pi, none = ac.pi(o)
    assert none is None
    logp = ac.pi(o, pi.sample())[1]
    assert logp.shape == pi.entropy().shape == ac.v(o).shape == (batch,)


@pytest.mark.parametrize("action_space", SHAPES)
@pytest.mark.parametrize("deterministic", [True, False])
@pytest.mark.parametrize("batch", [(), (1,), (5,)])
def test_act_answers_one_observation_or_a_batch_with_actions_of_the_space(action_space, deterministic, batch):
    a = agent(action_space).act(observations(*batch), deterministic)
    assert type(a) is (np.ndarray if a.shape else np.int64)  # one discrete action is a number of NumPy
    assert a.shape == (*batch, *action_space.shape)
    assert a.dtype == action_space.dtype


@pytest.mark.parametrize("action_space", SHAPES)
def test_deterministic_actions_are_the_most_likely_ones(action_space):
    ac, o = agent(action_space), observations(50)
    a = ac.act(o, deterministic=True)
    np.testing.assert_array_equal(a, ac.act(o, deterministic=True))
    logp = ac.pi(torch.as_tensor(o), torch.as_tensor(a))[1]
    assert all((logp >= ac.pi(torch.as_tensor(o), torch.as_tensor(ac.act(o)))[1]).tolist() for _ in range(10))
    assert not np.array_equal(ac.act(o), ac.act(o))


@pytest.mark.parametrize("action_space", SHAPES)
@pytest.mark.parametrize("batch", [(), (5,)])
def test_step_gives_actions_with_their_values_and_log_probabilities(action_space, batch):
    ac, o = agent(action_space), observations(*batch)
    a, v, logp = ac.step(o)
    assert (a.shape, v.shape, logp.shape) == ((*batch, *action_space.shape), batch, batch)
    with torch.no_grad():
        np.testing.assert_allclose(v, ac.v(torch.as_tensor(o)), atol=1e-6)
        np.testing.assert_allclose(logp, ac.pi(torch.as_tensor(o), torch.as_tensor(a))[1], atol=1e-5)


def test_gaussian_actions_are_not_clipped_before_their_probability_is_taken():
    a, _, logp = agent(box([-0.1], [0.1])).step(observations(1000))
    assert (np.abs(a) > 0.1).any()
    assert np.isfinite(logp).all()


@pytest.mark.parametrize(
    "action_space",
    [spaces.MultiDiscrete([2, 3]), spaces.Box(-1, 1, (2, 2)), spaces.Box(-1, 1, (0,)), spaces.MultiBinary(2)],
)
def test_other_action_spaces_are_refused_by_name(action_space):
    with pytest.raises(UserError, match=type(action_space).__name__):
        agent(action_space)


OFF_POLICY = [core.DDPGActorCritic, core.TD3ActorCritic, core.SACActorCritic]
INTEGERS = spaces.Box(0, 10, (1,), np.int64)


@pytest.mark.parametrize("actor_critic", [core.MLPActorCritic, *OFF_POLICY])
def test_integer_actions_are_refused_with_what_to_do(actor_critic):
    with pytest.raises(UserError, match=r"^The action space Box\(0, 10, .*int64\) .* of floats.* round .* Discrete"):
        actor_critic(OBSERVATIONS, INTEGERS)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("actor_critic", OFF_POLICY)
@pytest.mark.parametrize(
    ("low", "high"), [([-HUGE], [HUGE]), ([-1, -HUGE], [1, HUGE]), ([-np.inf], [1]), ([-np.inf], [np.inf])]
)
def test_bounds_that_float32_cannot_measure_are_none(actor_critic, low, high):
    with pytest.raises(UserError, match="one dimension with finite bounds"):
        actor_critic(OBSERVATIONS, box(low, high))


@pytest.mark.parametrize("actor_critic", OFF_POLICY)
def test_bounds_may_be_far_from_each_other_or_the_same(actor_critic):
    o = observations(5)
    assert np.isfinite(actor_critic(OBSERVATIONS, box([-HUGE / 4, 2], [HUGE / 4, 2])).act(o)).all()


# ---- tensors ----


def test_as_tensor_gives_float32():
    assert core.as_tensor(observations(2).astype(np.float64), nn.Linear(3, 1)).dtype is torch.float32


def test_evaluate_gives_numpy_without_gradients():
    net = nn.Linear(3, 1)
    v = core.evaluate(net, observations(2))
    assert isinstance(v, np.ndarray)
    assert net.weight.grad is None


# ---- start ----


def test_start_seeds_pytorch_and_numpy():
    draws = []
    for seed in (3, 3, 4):
        training.start(seed, "cpu")
        draws.append((torch.rand(1).item(), np.random.rand()))
    assert draws[0] == draws[1]
    assert draws[0][0] != draws[2][0]
    assert draws[0][1] != draws[2][1]


def test_auto_is_a_device_that_is_there():
    assert training.start(0, "auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("device", ["cud", "gpu", "cuda:99"])
def test_device_that_is_not_there_is_refused_by_name(device):
    with pytest.raises(UserError, match=f"device='{device}'.*'cpu'"):
        training.start(0, device)


# ---- minimize ----


def test_minimize_moves_its_own_parameters_and_touches_no_others():
    ours, others = nn.Linear(1, 1), nn.Linear(1, 1)
    before = [p.clone() for p in others.parameters()]
    optimizer = Sgd(ours.parameters())
    loss = others(ours(torch.ones(1, 1))).square().sum()
    training.minimize(optimizer, loss)
    assert all(p.grad is not None for p in ours.parameters())
    assert all(p.grad is None and torch.equal(p, old) for p, old in zip(others.parameters(), before, strict=True))


def test_minimize_follows_the_gradient_of_this_loss_alone():
    # x = 3; d x^2 = 2 x: 3 - 0.1 * 6 = 2.4, then 2.4 - 0.1 * 4.8 = 1.92: nothing is left of the first gradient
    x = nn.Parameter(torch.tensor(3.0))
    optimizer = Sgd([x])
    for expected in (2.4, 1.92):
        training.minimize(optimizer, x**2)
        assert x.item() == pytest.approx(expected)


def test_minimize_leaves_alone_what_the_loss_does_not_depend_on():
    used, unused = nn.Parameter(torch.tensor(3.0)), nn.Parameter(torch.tensor(5.0))
    training.minimize(training.Adam(0.1, nn.ParameterList([used, unused])), used**2)
    assert (used.item(), unused.item()) == (pytest.approx(2.9), 5)


def test_adam_takes_the_steps_of_pytorchs():
    torch.manual_seed(0)
    net = core.mlp([3, 8, 1], nn.Tanh)
    twin = copy.deepcopy(net)
    ours, theirs = training.Adam(0.01, net), torch.optim.Adam(twin.parameters(), lr=0.01)
    for x in torch.randn(20, 5, 3):
        training.minimize(ours, net(x).square().mean())
        theirs.zero_grad()
        twin(x).square().mean().backward()
        theirs.step()
    for p, expected in zip(net.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(p, expected)


# ---- checkpoints ----


@pytest.mark.parametrize("before", [0, 1, 2])
@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_checkpoint_goes_on_where_there_are_other_gpus(monkeypatch, before, after):
    def machine(gpus):
        monkeypatch.setattr(torch.cuda, "is_initialized", lambda: gpus > 0)
        monkeypatch.setattr(torch.cuda, "get_rng_state_all", lambda: [torch.full((4,), i) for i in range(gpus)])

    net, restored = nn.Linear(2, 1), []
    learner = net, training.Adam(0.1, net)
    monkeypatch.setattr(torch.cuda, "set_rng_state_all", restored.extend)
    machine(before)
    saved, expected = copy.deepcopy(backend.arrays_of(learner)), net.weight.tolist()
    draw = torch.rand(3)
    nn.init.zeros_(net.weight)
    machine(after)
    assert backend.with_arrays(learner, saved) is learner
    assert net.weight.tolist() == expected
    assert torch.equal(torch.rand(3), draw)
    assert [state.tolist() for state in restored] == [[i] * 4 for i in range(before if before == after else 0)]


# ---- in_parallel ----


@pytest.fixture
def two_cores(monkeypatch):
    monkeypatch.setattr(training, "CORES", 2)


@pytest.mark.usefixtures("two_cores")
def test_in_parallel_keeps_the_order_of_its_tasks():
    def slow():
        time.sleep(0.05)
        return "slow"

    assert training.in_parallel(slow, lambda: "quick") == ["slow", "quick"]


@pytest.mark.usefixtures("two_cores")
def test_in_parallel_runs_its_tasks_at_the_same_time():
    meeting = threading.Barrier(2, timeout=10)  # breaks unless both arrive
    training.in_parallel(meeting.wait, meeting.wait)


def test_in_parallel_starts_no_threads_where_there_is_one_core(monkeypatch):
    monkeypatch.setattr(training, "CORES", 1)
    assert training.in_parallel(threading.get_ident, threading.get_ident) == [threading.get_ident()] * 2


@pytest.mark.usefixtures("two_cores")
@pytest.mark.parametrize("shared", [True, False])
def test_in_parallel_starts_no_threads_where_optimisers_move_the_same_parameter(shared):
    trunk, heads = nn.Linear(3, 4), [nn.Linear(4, 1) for _ in range(2)]
    below = [trunk, trunk if shared else nn.Linear(3, 4)]
    optimizers = [training.Adam(1e-3, nn.Sequential(*net)) for net in zip(below, heads, strict=True)]
    threads = training.in_parallel(threading.get_ident, threading.get_ident, optimizers=optimizers)
    assert (threads == [threading.get_ident()] * 2) == shared


@pytest.mark.usefixtures("two_cores")
@pytest.mark.parametrize("order", [1, -1])
def test_in_parallel_raises_what_a_task_raises(order):
    def fail():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        training.in_parallel(*[fail, lambda: None][::order])


@pytest.mark.usefixtures("two_cores")
def test_in_parallel_fits_networks_to_the_same_bits_as_one_after_the_other():
    training.start(0, "cpu")

    def fit(net):
        optimizer = training.Adam(1e-3, net)
        for _ in range(20):
            training.minimize(optimizer, net(x).square().mean())
        return torch.cat([p.detach().ravel() for p in net.parameters()])

    x = torch.as_tensor(observations(1000))
    pairs = []
    for _ in range(2):
        torch.manual_seed(0)
        pairs.append([core.mlp([3, 64, 64, 1], nn.Tanh) for _ in range(2)])
    together = training.in_parallel(lambda: fit(pairs[0][0]), lambda: fit(pairs[0][1]))
    for a, b in zip(together, map(fit, pairs[1]), strict=True):
        assert torch.equal(a, b)


NO_ACTIVATIONS = [nn.GLU, nn.Flatten, nn.Module, nn.ModuleList, nn.MSELoss, nn.Transformer, nn.Softmax2d, nn.Upsample]


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")  # says nn.Transformer
@pytest.mark.parametrize("activation", [torch.relu, nn.ReLU(), int, nn.Linear, *NO_ACTIVATIONS])
def test_what_makes_no_layer_that_keeps_the_shape_is_no_activation(activation):
    with pytest.raises(UserError, match=r"expected a class of layers such as torch\.nn\.Tanh"):
        core.mlp([1, 2, 1], activation)


@pytest.mark.parametrize("activation", [nn.Tanh, nn.RReLU, nn.Dropout, partial(nn.LeakyReLU, 0.3)])
def test_activations_are_tried_without_drawing_random_numbers(activation):
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    core.activation_layer(activation)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("activation", [nn.Tanh, nn.ReLU, nn.ELU])
def test_few_rows_are_evaluated_as_pytorch_would(activation):
    torch.manual_seed(0)
    net, x = core.mlp([3, 16, 16, 2], activation), np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    for rows in (x, x[0]):
        value = core.forward_numpy(net, rows)
        assert value.dtype == np.float32
        np.testing.assert_allclose(value, net(torch.from_numpy(rows)).detach(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("space", [spaces.Discrete(3), spaces.Box(np.float32([-1, 0]), np.float32([3, 0.5]))])
def test_acting_deterministically_takes_the_mode_of_the_policy(space):
    torch.manual_seed(0)
    ac, o = core.MLPActorCritic(spaces.Box(-1, 1, (3,)), space), torch.randn(5, 3)
    np.testing.assert_allclose(ac.act(o, deterministic=True), ac.pi(o)[0].mode.detach(), rtol=1e-5, atol=1e-6)
