"""The probes: the algorithms pass them, and each mutant fails at the one that is about its fault."""

import importlib
from functools import partial
from types import SimpleNamespace

import gymnasium as gym
import jax
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env

import spinup
from spinup.algos.pytorch import ddpg, dqn, ppo
from spinup.commands import probe as command
from spinup.errors import UserError
from spinup.exercises.probes import KINDS, PROBES, ProbeEnv, judge
from spinup.exercises.pytorch.problem_set_2.exercise2_2 import BuggedDDPGActorCritic
from spinup.experience import buffers
from spinup.experience.buffers import RolloutBuffer

BY_NAME = {probe.name: probe for probe in PROBES}
GAMMA = 0.5
every_probe = pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
every_kind = pytest.mark.parametrize("kind", KINDS)


# ---- the environments ----


@pytest.mark.filterwarnings("ignore:.*")  # the checker dislikes spaces that it thinks unusual
@every_kind
@every_probe
def test_a_probe_is_an_environment_like_any_other(probe, kind):
    if probe.truncates:
        pytest.skip("the checker thinks that no episode is cut after one step")
    check_env(gym.make(f"spinup.exercises.probes:{probe.env_name(kind)}").unwrapped, skip_render_check=True)


@every_kind
@every_probe
@pytest.mark.parametrize("c", [-1, 1])
def test_the_right_values_are_those_of_the_rewards_that_follow(probe, kind, c):
    env = ProbeEnv(probe.name, kind)
    for seed in range(4):
        (o,), _ = env.reset(seed=seed)
        action = (c + 1) // 2 if kind == "discrete" else np.float32([c])
        (o2,), r, terminated, truncated, _ = env.step(action)
        after = 0 if terminated else max(probe.q(o2, c2, GAMMA) for c2 in (-1, 1))
        assert r + GAMMA * after == probe.q(o, c, GAMMA)
        assert truncated == (probe.truncates and not terminated)


# ---- judging agents that need no training ----


def agent(kind, *, values=None, policy=None, probe, critics=1):
    """An agent that estimates ``values(o, c)``, as Q, or V if ``critics`` is 0, and acts on the side ``policy(o)``."""
    values = values or (lambda o, c: probe.q(o, c, GAMMA))
    policy = policy or (lambda o: probe.right_side(o, GAMMA) or 1)

    def act(obs):
        side = np.array([policy(o) for (o,) in obs])
        return ((side + 1) // 2).astype(int) if kind == "discrete" else side[:, None]

    def q(obs, actions=None):
        if kind == "discrete":
            return np.array([[values(o, c) for c in (-1, 1)] for (o,) in obs])
        return np.squeeze([[values(o, c) for (o,), (c,) in zip(obs, actions)] for _ in range(critics)])

    v = {"v": lambda obs: np.array([values(o, policy(o)) for (o,) in obs])}
    return SimpleNamespace(act=act, **v if not critics else {"q": q})


def fault(kind, name, critics=1, **wrong):
    probe = BY_NAME[name]
    return judge(agent(kind, probe=probe, critics=critics, **wrong), probe, ProbeEnv(name, kind).action_space, GAMMA)[1]


@every_kind
@pytest.mark.parametrize("critics", [0, 1, 2])
@every_probe
def test_the_right_agent_passes(probe, kind, critics):
    assert fault(kind, probe.name, critics) == ""


WRONG = [
    ("ConstantReward", dict(values=lambda o, c: 2), "nothing follows after a terminal state"),
    ("ConstantReward", dict(values=lambda o, c: 0), "Not even a constant"),
    ("ConstantReward", dict(values=lambda o, c: float("nan")), "Not even a constant"),
    ("RewardByObservation", dict(values=lambda o, c: 0), "broadcast"),
    ("RewardByObservation", dict(values=lambda o, c: -o), "wrong sign"),
    ("RewardByObservation", dict(values=lambda o, c: 0.5 * o), "not a function of the observation"),
    ("RewardLater", dict(values=lambda o, c: 0), "no bootstrap"),
    ("RewardLater", dict(values=lambda o, c: 1), "gamma is missing"),
    ("RewardLater", dict(values=lambda o, c: 0.25), "once too often"),
    ("RewardLater", dict(values=lambda o, c: 0.75), "not of two"),
    ("RewardByAction", dict(policy=lambda o: -1), "Value learning is right, but the policy prefers the worse"),
    ("RewardByBoth", dict(policy=lambda o: 1), "a single action"),
    ("TimeLimit", dict(values=lambda o, c: 1), "A time limit is treated as a terminal state"),
    ("TimeLimit", dict(values=lambda o, c: 1.5), "what is bootstrapped"),
    ("NowOrLater", dict(policy=lambda o: -1), "not discounted"),
]


@every_kind
@pytest.mark.parametrize("critics", [0, 1, 2])
@pytest.mark.parametrize(("name", "wrong", "sentence"), WRONG)
def test_what_is_wrong_is_named(name, wrong, sentence, kind, critics):
    assert sentence in fault(kind, name, critics, **wrong)


def test_an_undecided_policy_is_told_from_a_reversed_one():
    assert "does not reach the policy" in fault("continuous", "RewardByAction", policy=lambda o: 0)


# ---- training ----


def first_fault(train, kind="discrete"):
    """The first probe that fails, and the sentence; None if all are passed."""
    for probe in PROBES:
        _, what = command.try_probe(train, probe, kind, seed=0)
        if what:
            return probe.name, what
    return None


@pytest.mark.slow
def test_training_passes_a_probe_and_a_mutant_does_not(monkeypatch):
    assert command.try_probe(ppo.ppo, BY_NAME["RewardByAction"], "discrete", 0)[1] == ""
    loss = ppo.policy_loss
    monkeypatch.setattr(ppo, "policy_loss", lambda *args: -loss(*args))
    assert "wrong sign" in command.try_probe(ppo.ppo, BY_NAME["RewardByAction"], "discrete", 0)[1]


ALL = [
    pytest.param(f"{algo}_{backend}", marks=pytest.mark.slow)
    for backend, algos in spinup.ALGORITHMS.items()
    for algo in algos
]


@pytest.mark.parametrize("name", ALL)
def test_every_algorithm_passes(name, capsys):
    command.main([name])
    train = getattr(spinup, name)
    assert capsys.readouterr().out.count("right  ") == len(PROBES) * len(command.kinds_of(train))


def reverse(loss):
    """The mutant whose ``loss`` has the other sign."""
    return lambda m, module: m.setattr(module, loss, partial(negative, getattr(module, loss)))


def negative(loss, *args):
    return -loss(*args)


def learn_no_policy(m, module):
    m.setattr(module, "policy_loss", lambda logp, *_: 0 * logp.sum())


def forget_gamma(m, module):
    gae = buffers.gae
    m.setattr(buffers, "gae", lambda r, v, v2, d, ended, gamma, lam: gae(r, v, v2, d, ended, 1.0, lam))


def change_step(change):
    """The mutant of an on-policy algorithm that stores ``change(step)``."""
    store = RolloutBuffer.store
    return lambda m, _: m.setattr(RolloutBuffer, "store", lambda self, o, a, step: store(self, o, a, change(step)))


def never_terminated(m, module):
    target = module.td_target
    m.setattr(module, "td_target", lambda a, b, batch, *rest: target(a, b, batch._replace(d=0 * batch.d), *rest))


def no_bootstrap(m, module):
    m.setattr(module, "td_target", lambda pi, q, batch, gamma: batch.r)


def no_gamma(m, module):
    target = module.td_target
    m.setattr(module, "td_target", lambda pi, q, batch, gamma: target(pi, q, batch, 1.0))


def broadcast(m, module):
    m.setattr(module, "ddpg", partial(module.ddpg, actor_critic=BuggedDDPGActorCritic))


ALIVE, TIMED_OUT = (lambda step: step._replace(d=0 * step.d)), (lambda step: step._replace(d=step.ended))
MUTANTS = [  # backend, algorithm, what is changed, the probe that fails, what it says
    ("pytorch", "ppo", reverse("policy_loss"), "RewardByAction", "wrong sign"),
    ("pytorch", "ppo", learn_no_policy, "RewardByAction", "does not reach the policy"),
    ("pytorch", "ppo", forget_gamma, "NowOrLater", "not discounted"),
    ("pytorch", "ppo", change_step(ALIVE), "ConstantReward", "(1 - d) is missing"),
    ("pytorch", "ppo", change_step(TIMED_OUT), "TimeLimit", "A time limit is treated"),
    ("pytorch", "dqn", never_terminated, "ConstantReward", "(1 - d) is missing"),
    ("pytorch", "ddpg", never_terminated, "ConstantReward", "(1 - d) is missing"),
    ("pytorch", "ddpg", reverse("pi_loss"), "RewardByAction", "wrong sign"),
    ("pytorch", "ddpg", no_bootstrap, "RewardLater", "no bootstrap"),
    ("pytorch", "ddpg", no_gamma, "RewardLater", "gamma is missing"),
    ("pytorch", "ddpg", broadcast, "RewardByObservation", "broadcast"),
    ("jax", "ppo", reverse("policy_loss"), "RewardByAction", "wrong sign"),
    ("jax", "ddpg", never_terminated, "ConstantReward", "(1 - d) is missing"),
    ("jax", "ddpg", no_bootstrap, "RewardLater", "no bootstrap"),
]


@pytest.fixture
def fresh_jax():
    """What JAX has compiled is forgotten, or a mutated function would not be traced, and then one would stay."""
    jax.clear_caches()
    yield
    jax.clear_caches()


@pytest.mark.slow
@pytest.mark.parametrize(("backend", "algo", "mutate", "probe", "sentence"), MUTANTS)
def test_mutants_fail_at_the_probe_of_their_fault(backend, algo, mutate, probe, sentence, monkeypatch, fresh_jax):
    module = importlib.import_module(f"spinup.algos.{backend}.{algo}")
    mutate(monkeypatch, module)
    train = getattr(module, algo)
    failed, what = first_fault(train, command.kinds_of(train)[0])
    assert failed == probe and sentence in what


# ---- the command ----


class Fake:
    """Training functions that learn nothing."""

    @staticmethod
    def right(env_fn, gamma):
        """The right agent, without training."""
        env = env_fn().unwrapped
        kind = "discrete" if hasattr(env.action_space, "n") else "continuous"
        return agent(kind, probe=env._probe)

    @staticmethod
    def impatient(env_fn, gamma, seed):
        """Takes any time limit for the end."""
        env = env_fn().unwrapped
        return agent("discrete", probe=env._probe, values=lambda o, c: env._probe.outcome(o, c)[0])


def test_the_command_prints_each_probe_and_stops_at_the_first_fault(monkeypatch, capsys):
    monkeypatch.setattr(command, "find_training_function", lambda name: getattr(Fake, name))
    command.main(["right"])
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("  right") for line in lines) == 14
    with pytest.raises(SystemExit, match="1"):
        command.main(["impatient", "--actions", "discrete"])
    output = capsys.readouterr().out
    assert "  wrong  3  RewardLater: a reward of 1, one step later\n" in output
    assert "  Q(-1, -1) is 0.00 (right: 0.50), Q(-1, 1) is 0.00 (right: 0.50)\n" in output
    assert output.endswith("  The value of the next state does not reach the target: no bootstrap.\n")


def test_custom_training_functions_are_found(monkeypatch):
    assert command.find_training_function("spinup.algos.pytorch.ppo:ppo") is ppo.ppo
    assert command.kinds_of(Fake.right) == list(KINDS)
    assert command.kinds_of(dqn.dqn) == ["discrete"] and command.kinds_of(ddpg.ddpg) == ["continuous"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["pppo"], "no algorithm or command 'pppo'. Did you mean 'ppo'"),
        (["nosuchmodule:train"], "there is no module 'nosuchmodule'"),
        (["spinup.algos.pytorch.ppo:pppo"], "has no 'pppo'. Did you mean 'ppo'"),
        (["./my_module.py:train"], "expected an algorithm, or a training function as module:function"),
        (["spinup.algos.pytorch.ppo:COLUMNS"], "expected an algorithm, or a training function as module:function"),
        (["ddpg", "--actions", "discret"], "--actions 'discret' is not one of discrete, continuous"),
        (["os:getcwd"], "cannot be called as train"),
    ],
)
def test_mistakes_in_the_command_get_a_sentence(words, sentence):
    with pytest.raises(UserError, match=sentence):
        command.main(words)


def test_an_agent_of_any_class_is_judged_by_its_networks():
    v = torch.nn.Linear(1, 1)  # [B, 1], as a student may have it
    with torch.no_grad():
        v.weight[:], v.bias[:] = 0, 1
    space = ProbeEnv("ConstantReward", "discrete").action_space
    theirs = SimpleNamespace(act=lambda obs: np.zeros(len(obs), int), v=v)
    assert judge(theirs, PROBES[0], space, GAMMA)[1] == ""
    with pytest.raises(UserError, match="cannot be called with NumPy arrays"):
        judge(SimpleNamespace(act=theirs.act, v=lambda obs: v(obs)), PROBES[0], space, GAMMA)


def test_what_is_no_agent_is_refused():
    with pytest.raises(UserError, match="an object of type dict: expected an agent"):
        judge({}, PROBES[0], ProbeEnv(PROBES[0].name, "discrete").action_space, GAMMA)
