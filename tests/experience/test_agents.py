"""What an algorithm asks of an agent is checked once, when the agent is built: one sentence, before anything starts."""

import importlib
import inspect
import random
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import nn

import spinup
from spinup.algos.jax import core as jax_core
from spinup.algos.pytorch import core
from spinup.errors import UserError
from spinup.exercises.pytorch.problem_set_2 import exercise2_2
from spinup.hyperparameters import check_hyperparameters

OBS, BOX, DISCRETE = spaces.Box(-1, 1, (4,)), spaces.Box(-2, 2, (3,)), spaces.Discrete(3)
ALGORITHMS = [(backend, algo) for backend, algos in spinup.ALGORITHMS.items() for algo in algos]
SMALL = {"hidden_sizes": [8]}


def default_agent(backend, algo):
    return inspect.signature(getattr(spinup, f"{algo}_{backend}")).parameters["actor_critic"].default


def build(backend, algo, actor_critic, action_space=None, obs=OBS, **ac_kwargs):
    """The agent as ``algo`` builds it."""
    training = importlib.import_module(f"spinup.algos.{backend}.training")
    asked = importlib.import_module(f"spinup.algos.{backend}.{algo}").AGENT
    space = action_space or (DISCRETE if algo == "dqn" else BOX)
    envs = SimpleNamespace(observation_space=obs, action_space=space)
    return training.build(actor_critic, envs, ac_kwargs, torch.device("cpu"), asked)


def refusal(*args, **kwargs):
    with pytest.raises(UserError) as raised:
        build(*args, **kwargs)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def random_states():
    return str((np.random.get_state(), random.getstate(), torch.get_rng_state()))


@pytest.mark.parametrize(("backend", "algo"), ALGORITHMS)
def test_the_check_draws_no_random_numbers(backend, algo):
    make, spaces_ = default_agent(backend, algo), (OBS, DISCRETE if algo == "dqn" else BOX)
    states = []
    for construct in (lambda: make(*spaces_, **SMALL), lambda: build(backend, algo, make, **SMALL)):
        np.random.seed(0), random.seed(0), torch.manual_seed(0)
        construct()
        states.append(random_states())
    assert states[0] == states[1]


@pytest.mark.parametrize("backend", spinup.ALGORITHMS)
@pytest.mark.parametrize("algo", ["ppo", "dqn", "ddpg", "td3", "sac"])
def test_an_agent_of_another_algorithm_is_refused(backend, algo):
    agents = {default_agent(backend, other) for other in spinup.ALGORITHMS[backend]} - {default_agent(backend, algo)}
    for make in agents:
        space = DISCRETE if "DQN" in make.__qualname__ else BOX
        assert refusal(backend, algo, make, space, **SMALL)


def test_the_sentence_says_what_is_missing_or_not_of_this_kind():
    assert refusal("pytorch", "ppo", core.SACActorCritic) == (
        "actor_critic built a SACActorCritic, which has no v: this algorithm needs act(obs, deterministic=False); "
        "pi(o, a) -> distribution, [B]; v(o) -> [B]."
    )
    assert refusal("pytorch", "td3", core.DDPGActorCritic) == (
        "DDPGActorCritic.q(o, a) returned shape [5] for 5 observations, expected [2, 5]: this algorithm needs [2, B]."
    )
    assert refusal("jax", "sac", jax_core.DDPGActorCritic.create).startswith(
        "DDPGActorCritic.pi(o, eps) fails for 5 observations ("
    )


# ---- custom agents in PyTorch ----


class Mine(core.MLPActorCritic):
    """An agent that follows the contract; those below do not."""

    def act(self, obs, deterministic=False):
        return core.evaluate(self.pi.mode, obs)


class OfDirections(Mine):
    """One that no observation of zeros could be given to."""

    def act(self, obs, deterministic=False):
        length = np.linalg.norm(obs, axis=-1, keepdims=True)
        assert (length > 0).all()
        return super().act(obs / length)


class Unsqueezed(Mine):
    def __init__(self, observation_space, action_space):
        super().__init__(observation_space, action_space)
        self.v = nn.Linear(4, 1)


class OfTheOriginal(Mine):
    @torch.no_grad()
    def act(self, obs):
        return self.pi(obs)[0].sample().numpy()


class ReturnsTensors(Mine):
    def act(self, obs, deterministic=False):
        return torch.as_tensor(super().act(obs))


class OneNumber(Mine):
    def act(self, obs, deterministic=False):
        return super().act(obs).sum()


class OnlyBatches(Mine):
    def act(self, obs, deterministic=False):
        return super().act(np.atleast_2d(obs))


class Floats(Mine):
    def act(self, obs, deterministic=False):
        return super().act(obs).astype(float)


class PerDimension(Mine):
    def __init__(self, observation_space, action_space):
        super().__init__(observation_space, action_space)
        self.pi.forward = lambda o, a=None: (torch.distributions.Normal(self.pi.mode(o), 1), self.pi.mode(o).sum(-1))


class NoLogProbability(Mine):
    def __init__(self, observation_space, action_space):
        super().__init__(observation_space, action_space)
        self.pi.forward = lambda o, a=None: torch.distributions.Normal(self.pi.mode(o), 1)


class NoGradients(Mine):
    def __init__(self, observation_space, action_space):
        super().__init__(observation_space, action_space)
        self.v.forward = torch.no_grad()(self.v.forward)


class NumPyValues(Mine):
    def __init__(self, observation_space, action_space):
        super().__init__(observation_space, action_space)
        self.v.forward = lambda o: np.zeros(len(o))


class OtherObservations(Mine):
    def __init__(self, observation_space, action_space):
        super().__init__(spaces.Box(-1, 1, (2,)), action_space)


class Stranger:
    pass


@pytest.mark.parametrize(
    ("agent", "space", "told"),
    [
        (Unsqueezed, BOX, r"Unsqueezed\.v\(o\) returned shape \[5, 1\] .*, expected \[5\]: squeeze the last dimension"),
        (OfTheOriginal, BOX, r"OfTheOriginal\.act\(obs\) fails for the NumPy observation \[4\] \(.*\): act takes one "),
        (ReturnsTensors, BOX, r"ReturnsTensors\.act\(obs\) returned a Tensor: act takes .* as a NumPy array"),
        (OneNumber, BOX, r"OneNumber\.act\(obs\) returned shape \[\] .* \[4\], expected \[3\]"),
        (OneNumber, DISCRETE, r"OneNumber\.act\(obs\) returned shape \[\] .* \[5, 4\], expected \[5\]"),
        (OnlyBatches, BOX, r"OnlyBatches\.act\(obs\) returned shape \[1, 3\] .* \[4\], expected \[3\]"),
        (Floats, DISCRETE, r"Floats\.act\(obs\) returned float64, expected integers: its actions are Discrete\(3\)"),
        (PerDimension, BOX, r"a distribution whose entropy has shape \[5, 3\] .*, expected \[5\]: sum it over"),
        (NoLogProbability, BOX, r"\.pi\(o, a\) fails .* \(the number of results is 1\): expected distribution, \[B\]"),
        (NoGradients, BOX, r"NoGradients\.v\(o\) returned \[B\] that no gradient flows through: remove no_grad"),
        (NumPyValues, BOX, r"NumPyValues\.v\(o\) returned a ndarray for 5 .*, expected \[5\]: .* needs \[B\]"),
        (OtherObservations, BOX, r"OtherObservations\.act\(obs\) fails for the NumPy observation \[4\] \(mat"),
        (lambda *_: Stranger(), BOX, r"actor_critic built a Stranger: expected an agent that is a torch\.nn\.Module"),
        (lambda *_: None, BOX, r"actor_critic built a NoneType: expected"),
        (lambda obs_dim: None, BOX, r"actor_critic=.* cannot be called as actor_critic\(.* \(too many positional"),
    ],
)
def test_an_agent_that_breaks_the_contract_is_refused(agent, space, told):
    assert build("pytorch", "ppo", Mine, space) and build("pytorch", "ppo", OfDirections, space)
    with pytest.raises(UserError, match=told):
        build("pytorch", "ppo", agent, space)


def test_the_exercise_about_a_broadcast_is_exempt():
    class Unmarked(exercise2_2.BuggedDDPGActorCritic):
        unchecked = ()

    assert build("pytorch", "ddpg", exercise2_2.BuggedDDPGActorCritic)
    assert "Unmarked.q(o, a) returned shape [5, 1]" in refusal("pytorch", "ddpg", Unmarked)


def test_an_agent_in_place_of_its_class_is_refused_before_anything_else():
    for agent in (core.MLPActorCritic(OBS, BOX), jax_core.MLPActorCritic.create(OBS, BOX)):
        with pytest.raises(UserError) as raised:
            check_hyperparameters({"actor_critic": agent})
        assert str(raised.value) == (
            "actor_critic=MLPActorCritic(...) is invalid: expected a class of agents or a function that builds one, "
            "not an agent itself."
        )


# ---- custom agents in JAX ----


@jax_core.pytree()
class MineInJax(jax_core.MLPActorCritic):
    """One that follows the contract."""


@jax_core.pytree()
class UnsqueezedInJax(jax_core.MLPActorCritic):
    @classmethod
    def create(cls, *spaces_):
        agent = super().create(*spaces_)
        return agent.replace(v=agent.v.v_net)


@jax_core.pytree()
class ReturnsJax(jax_core.MLPActorCritic):
    def act(self, obs, deterministic=False):
        return jnp.asarray(super().act(obs))


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (UnsqueezedInJax.create, r"UnsqueezedInJax\.v\(o\) returned shape \[5, 1\] .*: squeeze the last dimension"),
        (ReturnsJax.create, r"ReturnsJax\.act\(obs\) returned a \w+: act takes one observation"),
        (core.MLPActorCritic, r"actor_critic built a MLPActorCritic that JAX cannot train"),
    ],
)
def test_an_agent_of_jax_that_breaks_the_contract_is_refused(make, told):
    assert build("jax", "ppo", MineInJax.create)
    with pytest.raises(UserError, match=told):
        build("jax", "ppo", make)
