import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
from gymnasium import spaces
from scipy.integrate import trapezoid
from test_core_pytorch import FAR_OUT, far_from, gaussian_by_hand, log_densities, squashed_by_hand
from torch.distributions import Independent, Normal, kl_divergence
from toy_envs import Target

import spinup
from spinup.algos.jax import core, training
from spinup.algos.jax.td3 import td3
from spinup.algos.pytorch import core as torch_core
from spinup.algos.pytorch import training as torch_training
from spinup.errors import UserError
from spinup.experience.envs import EnvFn, make_env

OBSERVATIONS = spaces.Box(-np.inf, np.inf, (3,), np.float32)
DISCRETE = spaces.Discrete(4)
BOX = spaces.Box(np.float32([-1, 0]), np.float32([3, 0.5]), dtype=np.float32)
AGENTS = [
    ("MLPActorCritic", DISCRETE),
    ("MLPActorCritic", BOX),
    ("DQNAgent", DISCRETE),
    ("DDPGActorCritic", BOX),
    ("TD3ActorCritic", BOX),
    ("SACActorCritic", BOX),
]
every_agent = pytest.mark.parametrize(
    ("name", "space"), AGENTS, ids=[f"{name}-{type(s).__name__}" for name, s in AGENTS]
)
one_or_a_batch = pytest.mark.parametrize("batch", [(), (1,), (5,)])


def agent(name, space, **kwargs):
    np.random.seed(0)
    return getattr(core, name).create(OBSERVATIONS, space, **dict(hidden_sizes=(16, 16)) | kwargs)


def observations(*shape):
    return np.random.default_rng(0).normal(size=(*shape, 3)).astype(np.float32)


def add_one(tree):
    return jax.tree.map(lambda x: x + 1, tree)


# ---- the same names in every backend ----

ONLY_IN_PYTORCH = {
    "mlp": "its networks are instances of nn.Sequential; in JAX, MLP is a class",
    "activation_layer": "an activation is a class of layers; in JAX it is a function, which check_activation checks",
    "Tanh": "the layer of tanh; in JAX an activation is a function",
    "forward_numpy": "a function, as nn.Sequential is not ours; in JAX it is a method of MLP",
    "TwinLinear": "two critics in one product of matrices, as calls take time in PyTorch; JAX compiles two networks",
    "MLPTwinQFunction": "made of TwinLinear; in JAX, Twin.create makes both critics",
    "module_of": "where parameters are if a part is a method; in JAX such a part is a tree, as any other",
    "as_tensor": "JAX takes arrays of NumPy as they are",
    "to_numpy": "NumPy takes arrays of JAX as they are",
    **dict.fromkeys(("combined_shape", "count_vars", "discount_cumsum"), "names that scripts import from the original"),
}
ONLY_IN_JAX = {
    "pytree": "makes a class that JAX can take apart; in PyTorch that is nn.Module",
    "MLP": "a class of networks; in PyTorch, mlp makes an nn.Sequential",
    "identity": "what follows the last layer; in PyTorch that is nn.Identity",
    "check_activation": "a check is all it takes to use a function; in PyTorch, activation_layer makes a layer too",
    "Categorical": "PyTorch brings distributions along",
    "Gaussian": "PyTorch brings distributions along",
    "units_of": "compiled code has tuples for constants; in PyTorch, action_units gives what a buffer holds",
}


def public_names(module):
    """The functions and classes that a module defines for others."""
    return {
        name for name, x in vars(module).items() if name[0] != "_" and getattr(x, "__module__", "") == module.__name__
    }


def test_both_cores_have_the_same_functions_and_classes():
    assert public_names(torch_core) - public_names(core) == ONLY_IN_PYTORCH.keys()
    assert public_names(core) - public_names(torch_core) == ONLY_IN_JAX.keys()


# ---- networks ----


def network(sizes=(3, 16, 16, 2), activation=jax.nn.tanh, **kwargs):
    np.random.seed(0)
    return core.MLP.create(sizes, activation, **kwargs)


def test_layers_are_drawn_uniformly_from_a_range_that_the_number_of_inputs_sets():
    net = network((4, 100, 900, 2))
    assert [w.shape for w in net.weights] == [(4, 100), (100, 900), (900, 2)]
    assert [b.shape for b in net.biases] == [(100,), (900,), (2,)]
    for w, b, bound in zip(*jax.tree.map(np.asarray, (net.weights, net.biases)), (1 / 2, 1 / 10, 1 / 30), strict=True):
        assert w.dtype == b.dtype == np.float32
        assert 0.98 * bound < np.abs(w).max() <= bound
        assert np.abs(b).max() <= bound
        assert abs(w.mean()) < 0.1 * bound
        assert w.std() == pytest.approx(bound / math.sqrt(3), rel=0.05)


@every_agent
def test_the_seed_of_numpy_decides_how_networks_begin(name, space):
    agents = []
    for seed in (3, 3, 4):
        np.random.seed(seed)
        agents.append(jax.tree.leaves(getattr(core, name).create(OBSERVATIONS, space)))
    for a, same, other in zip(*agents, strict=True):
        np.testing.assert_array_equal(a, same)
        constant = np.ptp(a) == 0  # log std starts at -1/2
        assert constant or not np.array_equal(a, other)


@pytest.mark.parametrize("x", [6.0, 7.9, 8.0, 9.0, 9.1, 10.0, 12.0])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_saturated_tanh_keeps_its_slope(x, sign):
    slope = jax.jit(jax.grad(core.tanh))(jnp.float32(sign * x))
    assert float(slope) == pytest.approx(1 / math.cosh(x) ** 2, rel=1e-4)  # 1 - tanh(x)^2 would be 0 from 7.91 on


def test_tanh_has_its_first_and_second_derivative():
    with jax.enable_x64(True):
        x = jnp.linspace(-3, 3, 13)
        np.testing.assert_allclose(core.tanh(x), np.tanh(x), rtol=1e-12)
        for ours, theirs in [(jax.grad(core.tanh), jax.grad(jnp.tanh))]:
            np.testing.assert_allclose(jax.vmap(ours)(x), jax.vmap(theirs)(x), rtol=1e-9)
            np.testing.assert_allclose(jax.vmap(jax.grad(ours))(x), jax.vmap(jax.grad(theirs))(x), atol=1e-9)
    far = jnp.float32([-200, -50, 50, 200])
    assert np.isfinite(jax.vmap(jax.grad(jax.grad(core.tanh)))(far)).all()


def test_hidden_units_saturate_without_dying_too():
    net = network((1, 1, 1), jax.nn.tanh, output_activation=jax.nn.tanh)
    net = net.replace(weights=tuple(map(jnp.ones_like, net.weights)), biases=tuple(map(jnp.zeros_like, net.biases)))
    slope = jax.grad(lambda x: net(x)[0])(jnp.float32([8.5]))
    assert slope[0] == pytest.approx(1 / math.cosh(8.5) ** 2 / math.cosh(1) ** 2, rel=1e-4)


@pytest.mark.parametrize("agent_class", [core.DDPGActorCritic, core.TD3ActorCritic, core.SACActorCritic])
@pytest.mark.parametrize("saturated", [6.0, 8.0, 10.0, 12.0])
def test_a_saturated_policy_still_feels_its_critic(agent_class, saturated):
    pi = agent_class.create(spaces.Box(-1, 1, (3,)), spaces.Box(-1, 1, (2,))).pi
    last = pi.net.biases[-1].at[:2].set(saturated)

    def total(bias):
        actor = pi.replace(net=pi.net.replace(biases=(*pi.net.biases[:-1], bias)))
        return (
            actor(jnp.zeros((1, 3)), jnp.zeros((1, 2)))[0].sum()
            if "SAC" in agent_class.__name__
            else actor(jnp.zeros((1, 3))).sum()
        )

    assert (jax.grad(total)(last)[:2] > 0).all()


@pytest.mark.parametrize("activation", [jax.nn.tanh, jax.nn.relu, jax.nn.silu])
@pytest.mark.parametrize("output_activation", [core.identity, jax.nn.tanh])
@one_or_a_batch
def test_few_rows_are_evaluated_as_jax_would(activation, output_activation, batch):
    net, x = network(activation=activation, output_activation=output_activation), observations(*batch)
    value = net.forward_numpy(x)
    assert isinstance(value, np.ndarray)
    assert value.dtype == np.float32
    np.testing.assert_allclose(value, net(x), rtol=1e-5, atol=1e-6)


def test_a_network_is_its_layers_with_activations_between_them_by_hand():
    # relu(2 * 1 - 3) = 0 and relu(2 * 4 - 3) = 5, of which 10 and 3 times are 15; minus 1
    net = network((1, 2, 1), jax.nn.relu)
    leaves = jnp.float32([[1, 4]]), jnp.float32([[10], [3]]), jnp.float32([-3, -3]), jnp.float32([-1])
    assert jax.tree.unflatten(jax.tree.structure(net), leaves)(np.float32([2])).tolist() == [14]


@pytest.mark.parametrize(
    "activation",
    [
        np.tanh,
        "tanh",
        torch.nn.Tanh,
        lambda x: x,
        None,
        jax.nn.glu,  # halves the last dimension
        jax.nn.logsumexp,  # leaves no dimension
        jax.nn.one_hot,  # takes more than an array
        jax.nn.get_scaled_dot_general_config,
        jax.nn.initializers,
    ],
)
def test_what_is_no_function_of_jax_nn_from_an_array_to_its_like_is_no_activation(activation):
    with pytest.raises(UserError, match=r"^activation=.* is invalid: expected a function of jax\.nn, such as .*\.$"):
        network(activation=activation)


def test_hidden_sizes_and_activation_shape_both_networks():
    ac = agent("MLPActorCritic", DISCRETE, hidden_sizes=[7], activation=jax.nn.elu)
    for net in (ac.pi.logits_net, ac.v.v_net):
        assert [b.size for b in net.biases[:-1]] == [7]
        assert net.activation is jax.nn.elu


# ---- densities, in the cases of PyTorch ----


@gaussian_by_hand
def test_gaussian_log_density_by_hand(x, mu, std, expected):
    logp = core.gaussian_log_density(*map(jnp.float32, (x, mu)), jnp.log(jnp.float32(std)))
    assert logp.shape == (len(expected),)
    np.testing.assert_allclose(logp, expected, rtol=0, atol=2e-6)


@squashed_by_hand
def test_squashed_log_density_by_hand(u, mu, std, expected):
    logp = core.squashed_log_density(*map(jnp.float32, (u, mu)), jnp.log(jnp.float32(std)))
    assert logp.shape == (len(expected),)
    np.testing.assert_allclose(logp, expected, rtol=0, atol=2e-6)


@far_from
def test_densities_far_out_are_finite_and_right(mu, log_std):
    arguments = FAR_OUT, *map(jnp.float32, (mu, log_std))
    densities = [f(*arguments) for f in (core.gaussian_log_density, core.squashed_log_density)]
    assert np.isfinite(densities).all()
    np.testing.assert_allclose(densities, log_densities(FAR_OUT, mu, log_std), rtol=1e-6)


# ---- distributions, against PyTorch's ----

LOGITS = [[0.0, 0.0, 0.0], [1.0, -2.0, 0.5], [30.0, 0.0, -30.0]], [[0.3, 0.2, -0.1], [-1.0, 4.0, 0.0], [20.0] * 3]
MEANS = [[0.0, 0.0], [1.0, -3.0], [100.0, 0.25]], [[0.5, -0.5], [1.0, 2.0], [101.0, 0.0]]
STDS = [1.0, 0.3], [2.0, 0.1]


def categoricals():
    for logits in LOGITS:
        yield core.Categorical(jnp.float32(logits)), torch.distributions.Categorical(logits=torch.tensor(logits))


def gaussians():
    for mu, std in zip(MEANS, STDS, strict=True):
        oracle = Independent(Normal(torch.tensor(mu), torch.tensor(std)), 1)
        yield core.Gaussian(jnp.float32(mu), jnp.log(jnp.float32(std))), oracle


@pytest.mark.parametrize(
    ("pair", "act"), [(categoricals, [0, 1, 2]), (gaussians, [[0.5, -0.5], [1.0, -2.0], [98.0, 0.0]])]
)
def test_distributions_have_the_log_probabilities_entropies_and_divergences_of_pytorchs(pair, act):
    (ours, theirs), (ours_2, theirs_2) = pair()
    close = dict(rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ours.log_prob(np.array(act)), theirs.log_prob(torch.tensor(act)), **close)
    assert ours.entropy().shape == (3,)
    np.testing.assert_allclose(ours.entropy(), theirs.entropy(), **close)
    np.testing.assert_allclose(ours.kl_from(ours_2), kl_divergence(theirs_2, theirs), **close)
    np.testing.assert_allclose(ours_2.kl_from(ours), kl_divergence(theirs, theirs_2), **close)
    np.testing.assert_array_equal(ours.kl_from(ours), 0)


# ---- on-policy actors ----

HUGE = np.finfo(np.float32).max
STD = math.exp(-0.5)


def box(low, high):
    return spaces.Box(np.float32(low), np.float32(high), dtype=np.float32)


def still_gaussian(low, high):
    """An actor whose network says 0 whatever it observes."""
    actor = core.MLPGaussianActor.create(3, box(low, high), [], jax.nn.tanh)
    return dataclasses.replace(actor, mu_net=jax.tree.map(jnp.zeros_like, actor.mu_net))


@pytest.mark.filterwarnings("error")
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
    pi, _ = still_gaussian(low, high)(np.zeros((1, 3)))
    np.testing.assert_array_equal(pi.mu, [[0, 0]])
    np.testing.assert_allclose(np.exp(pi.log_std), [STD, STD], rtol=1e-6)


def test_gaussian_is_centred_and_scaled_dimension_by_dimension():
    # [-1, 3] has middle 1 and half range 2, [0, 0.5] has 0.25 and 0.25, and no bound above leaves 0 and 1
    actor = still_gaussian([-1, 0, -1], [3, 0.5, np.inf])
    pi, logp = actor(np.zeros((1, 3)), np.float32([[2.0, 0.4, -0.7]]))
    np.testing.assert_allclose(pi.mu, [[1, 0.25, 0]])
    np.testing.assert_allclose(np.exp(pi.log_std), STD * np.array([2, 0.25, 1]), rtol=1e-6)
    np.testing.assert_allclose(logp, pi.log_prob(np.float32([[2.0, 0.4, -0.7]])))


def test_gaussian_samples_are_those_of_its_distribution():
    actor = still_gaussian([-1, 0], [3, 0.5])
    np.random.seed(0)
    a = actor.act(np.zeros((20_000, 3), np.float32), deterministic=False)
    np.testing.assert_allclose(a.mean(0), [1, 0.25], atol=0.04)
    np.testing.assert_allclose(a.std(0), STD * np.array([2, 0.25]), rtol=0.03)
    assert abs(np.corrcoef(a.T)[0, 1]) < 0.03  # dimensions are independent


def test_categorical_samples_are_those_of_its_distribution():
    net = core.MLP((jnp.zeros((3, 2)),), (jnp.log(jnp.float32([3, 1])),), jax.nn.tanh, core.identity)
    actor = core.MLPCategoricalActor(net)
    np.random.seed(0)
    assert actor.act(observations(4000), deterministic=False).mean() == pytest.approx(0.25, abs=0.03)
    assert actor.act(observations(2), deterministic=True).tolist() == [0, 0]


# ---- the squashed Gaussian ----


@pytest.mark.parametrize(("mu", "log_std"), [(0.0, 0.0), (0.0, -2.3), (1.0, -0.7), (-2.0, 0.3), (0.5, 0.9)])
def test_density_over_the_actions_integrates_to_1(mu, log_std):
    # in units of half the range, whatever the range is
    net = core.MLP((jnp.zeros((1, 2)),), (jnp.float32([mu, log_std]),), jax.nn.relu, core.identity)
    eps = np.linspace(-8, 8, 4001, dtype=np.float32)[:, None]
    a, logp = core.SquashedGaussianMLPActor(net, (-1.0,), (3.0,))(np.zeros((4001, 1)), eps)
    assert trapezoid(np.exp(logp), (np.asarray(a)[:, 0] - 1) / 2) == pytest.approx(1, abs=1e-3)


# ---- the agents' contracts ----


@every_agent
@one_or_a_batch
@pytest.mark.parametrize("deterministic", [True, False])
def test_act_answers_one_observation_or_a_batch_with_actions_of_the_space(name, space, batch, deterministic):
    a = agent(name, space).act(observations(*batch), deterministic)
    assert type(a) is (np.ndarray if a.shape else np.int64)  # one discrete action is a number of NumPy
    assert a.shape == (*batch, *space.shape)
    assert a.dtype == space.dtype


@pytest.mark.parametrize("name", ["MLPActorCritic", "DQNAgent"])
@pytest.mark.parametrize("backend", [core, torch_core])
def test_environments_take_one_discrete_action(name, backend):
    env = make_env(EnvFn("FrozenLake-v1"))  # whose dictionaries take no array, not even one without dimensions
    o, _ = env.reset(seed=0)
    cls = getattr(backend, name)
    ac = getattr(cls, "create", cls)(env.observation_space, env.action_space)
    actions = [ac.act(o), ac.act(o, deterministic=True)]
    if name == "MLPActorCritic":
        actions.append(ac.step(o)[0])
    for a in actions:
        env.reset()
        env.step(a)


@pytest.mark.parametrize("name", ["TD3ActorCritic", "SACActorCritic"])
def test_the_critics_of_twins_answer_one_by_one_as_in_pytorch(name):
    ac, o, a = agent(name, BOX), observations(5), np.full((5, 2), 0.25, np.float32)
    assert not np.allclose(ac.q1(o, a), ac.q2(o, a))
    np.testing.assert_array_equal([ac.q1(o, a), ac.q2(o, a)], ac.q(o, a))


@every_agent
def test_agents_are_judged_as_in_pytorch(name, space):
    ours, theirs = agent(name, space), getattr(torch_core, name)(OBSERVATIONS, space)
    assert ours.deterministic_by_default == getattr(theirs, "deterministic_by_default", False)


@pytest.mark.parametrize("space", [DISCRETE, BOX])
@pytest.mark.parametrize("batch", [(), (1,), (5,)])
def test_step_gives_actions_with_their_values_and_log_probabilities(space, batch):
    ac, o = agent("MLPActorCritic", space), observations(*batch)
    a, v, logp = ac.step(o)
    assert all(isinstance(x, np.ndarray | np.generic) for x in (a, v, logp))
    assert (a.shape, v.shape, logp.shape) == ((*batch, *space.shape), batch, batch)
    assert (a.dtype, v.dtype, logp.dtype) == (space.dtype, np.float32, np.float32)
    rows = o.reshape(-1, 3)
    np.testing.assert_allclose(v.ravel(), ac.v(rows), atol=1e-6)
    np.testing.assert_allclose(logp.ravel(), ac.pi(rows, a.reshape(-1, *space.shape))[1], atol=1e-5)


@pytest.mark.parametrize("space", [DISCRETE, BOX])
def test_deterministic_actions_are_the_most_likely_ones(space):
    ac, o = agent("MLPActorCritic", space), observations(50)
    a, logp = ac.act(o, deterministic=True), lambda a: ac.pi(o, a)[1]
    np.testing.assert_array_equal(a, ac.act(o, deterministic=True))
    assert all((logp(a) >= logp(ac.act(o))).all() for _ in range(10))
    assert not np.array_equal(ac.act(o), ac.act(o))


@every_agent
def test_an_agent_acts_right_after_the_old_one_gave_its_memory(name, space):
    old, o = agent(name, space), observations(5)
    before = old.act(o, deterministic=True)
    kept = before.copy()
    new = jax.jit(add_one, donate_argnums=0)(old)
    assert all(x.is_deleted() for x in jax.tree.leaves(old))
    expected = add_one(agent(name, space)).act(o, deterministic=True)
    np.testing.assert_array_equal(new.act(o, deterministic=True), expected)
    np.testing.assert_array_equal(before, kept)


# ---- refusals ----

INTEGERS = spaces.Box(0, 10, (1,), np.int64)
ODD_SPACES = [spaces.MultiDiscrete([2, 3]), spaces.Box(-1, 1, (2, 2)), spaces.MultiBinary(2), INTEGERS]
REFUSED = [
    *(("MLPActorCritic", space) for space in ODD_SPACES),
    *(("DQNAgent", space) for space in (BOX, *ODD_SPACES)),
    *(
        (name, space)
        for name in ("DDPGActorCritic", "TD3ActorCritic", "SACActorCritic")
        for space in (DISCRETE, box([-1, -1], [1, np.inf]), box([-HUGE], [HUGE]), *ODD_SPACES)
    ),
]


@pytest.mark.parametrize(("name", "space"), REFUSED)
def test_other_action_spaces_are_refused_with_the_sentence_of_pytorch(name, space):
    with pytest.raises(UserError) as theirs:
        getattr(torch_core, name)(OBSERVATIONS, space)
    with pytest.raises(UserError) as ours:
        getattr(core, name).create(OBSERVATIONS, space)
    assert str(ours.value) == str(theirs.value)


@pytest.mark.parametrize("device", ["cud", "cuda:99", "warp drive"])
def test_device_that_is_not_there_is_refused_with_the_sentence_of_pytorch(device):
    with pytest.raises(UserError) as theirs:
        torch_training.start(0, device)
    with pytest.raises(UserError) as ours:
        training.start(0, device)
    assert str(ours.value) == str(theirs.value)


# ---- start ----


def test_start_seeds_numpy():
    draws = []
    for seed in (3, 3, 4):
        training.start(seed, "cpu")
        draws.append(np.random.rand())
    assert draws[0] == draws[1] != draws[2]


@pytest.mark.parametrize("device", ["cpu", "auto"])
def test_device_is_one_that_is_there(device):
    assert training.start(0, device) in jax.devices(None if device == "auto" else device)


# ---- steps of gradient descent ----


def random_trees(n):
    rng = np.random.default_rng(0)
    return [[jnp.float32(rng.normal(size=shape)) for shape in ((3, 2), (2,), ())] for _ in range(n)]


def test_adam_takes_the_steps_of_optax():
    params, *grads = random_trees(21)
    ours, theirs, optimizer, oracle = params, params, training.Adam.create(0.01, params), optax.adam(0.01)
    state, step, move = oracle.init(params), jax.jit(training.Adam.step), jax.jit(oracle.update)
    for grad in grads:
        ours, optimizer = step(optimizer, ours, grad)
        moves, state = move(grad, state)
        theirs = optax.apply_updates(theirs, moves)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)


def test_the_first_step_of_adam_is_the_learning_rate_against_the_sign_of_the_gradient():
    x = jnp.float32([3, -3, 5])
    moved, _ = training.Adam.create(0.1, x).step(x, jnp.float32([20, -0.3, 0]))
    np.testing.assert_allclose(moved, [2.9, -2.9, 5], rtol=1e-6)


@core.pytree()
class Sgd:
    """Moves every parameter by a tenth of its gradient."""

    def step(self, params, grads):
        return jax.tree.map(lambda p, grad: p - 0.1 * grad, params, grads), self


def test_minimize_follows_the_gradient_of_the_loss_in_its_first_argument():
    # x = 3; d (x^2 y) = 2 x y: 3 - 0.1 * 6 = 2.4, then 2.4 - 0.1 * 4.8 = 1.92; the value is that before the step
    x, optimizer = 3.0, Sgd()
    for expected, loss in ((2.4, 9), (1.92, 5.76)):
        x, optimizer, value = training.minimize(optimizer, lambda x, y: x**2 * y, x, 1.0)
        assert (x, value) == (pytest.approx(expected), pytest.approx(loss))


def test_minimize_hands_on_what_the_loss_returns_beside_its_value():
    x, _, (value, more) = training.minimize(Sgd(), lambda x: (x**2, x + 1), 3.0, has_aux=True)
    assert (x, value, more) == (pytest.approx(2.4), 9, 4)


# ---- targets ----


def test_polyak_update_by_hand():
    target, networks = dict(w=jnp.float32([1, 2]), b=jnp.float32(0)), dict(w=jnp.float32([2, 0]), b=jnp.float32(8))
    moved = training.polyak_update(target, networks, 0.75)  # 0.75 * 1 + 0.25 * 2, 0.75 * 2 + 0.25 * 0, 0.25 * 8
    assert (moved["w"].tolist(), moved["b"].tolist()) == ([1.25, 1.5], 2)


@every_agent
def test_targets_begin_as_copies_in_memory_of_their_own(name, space):
    ac = agent(name, space)
    target = training.target_of(ac)
    assert jax.tree.structure(target) == jax.tree.structure(ac)
    for a, b in zip(*map(jax.tree.leaves, (ac, target)), strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.unsafe_buffer_pointer() != b.unsafe_buffer_pointer()


# ---- agents of one's own ----


@core.pytree("bias")
class Policy:
    """Maps observations to actions, and knows nothing else; ``scale`` is an array without dimensions."""

    net: core.MLP
    scale: jax.Array
    bias: float

    def __call__(self, obs):
        return self.scale * self.net(obs) + self.bias


@core.pytree()
class Own:
    """A policy and two critics."""

    pi: Policy
    q: core.Twin

    @classmethod
    def create(cls, observation_space, action_space):
        shape = observation_space.shape[0], action_space, [4], jax.nn.relu
        net = core.MLP.create([shape[0], 4, len(action_space.low)], jax.nn.tanh)
        return cls(Policy(net, jnp.float32(0.5), 0.1), core.Twin(*(core.MLPQFunction.create(*shape) for _ in range(2))))

    def act(self, obs, deterministic=False):
        return core.evaluate(self.pi, np.asarray(obs, np.float32))


BRIEF = dict(epochs=2, steps_per_epoch=40, update_after=20, update_every=20, start_steps=0, num_test_episodes=1)


@pytest.mark.slow
def test_an_agent_needs_no_more_than_its_contract_says():
    ac = td3(Target, Own.create, logger_kwargs=dict(output_dir="run"), **BRIEF)
    loaded = spinup.load("run")
    assert jax.tree.structure(loaded) == jax.tree.structure(ac)
    for x, saved in zip(*map(jax.tree.leaves, (ac, loaded)), strict=True):
        assert x.shape == saved.shape
        np.testing.assert_array_equal(x, saved)
    assert loaded.pi.scale.shape == ()
    assert loaded.pi.scale != 0.5


class Undecorated(Own):
    """No class that JAX could take apart."""


@core.pytree()
class Unnamed(Own):
    """One whose constant is not said to be one."""

    size: int = 3


@dataclasses.dataclass
class Network:
    """No class that JAX could take apart."""

    weights: jax.Array

    def __call__(self, obs):
        return obs @ self.weights


def with_strange_part(*spaces):
    return Own.create(*spaces).replace(pi=Network(jnp.ones((1, 2))))


@pytest.mark.parametrize(
    ("actor_critic", "name"),
    [
        (Undecorated.create, "Undecorated"),
        (Unnamed.create, "Unnamed"),
        (with_strange_part, "Own"),
        (torch_core.TD3ActorCritic, "TD3ActorCritic"),
        (lambda *_: {}, "dict"),
    ],
)
def test_an_agent_that_cannot_be_trained_is_refused_before_it_is(actor_critic, name):
    with pytest.raises(UserError, match=rf"^actor_critic built a {name} that JAX cannot train: .*pytree\(\)"):
        td3(Target, actor_critic, logger_kwargs=dict(output_dir="run"), **BRIEF)
