"""What the training functions of DQN, DDPG, TD3 and SAC have in common: their loop, their files, their refusals."""

import csv
import inspect
import itertools
from types import SimpleNamespace

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from toy_envs import Counter, Steady, Target

import spinup
from spinup.algos.pytorch import core, ddpg, dqn, sac, td3, training
from spinup.errors import UserError
from spinup.experience.buffers import ReplayBuffer
from spinup.experience.envs import EnvFn

MODULES = {"dqn": dqn, "ddpg": ddpg, "td3": td3, "sac": sac}
AGENTS = {
    "dqn": core.DQNAgent,
    "ddpg": core.DDPGActorCritic,
    "td3": core.TD3ActorCritic,
    "sac": core.SACActorCritic,
}
CONTINUOUS = ["ddpg", "td3", "sac"]
every_algorithm = pytest.mark.parametrize("algorithm", MODULES)
_runs = itertools.count()


def train(algorithm, env_fn, **kwargs):
    """Train for a moment, in a new directory; returns the agent and the rows of progress.txt."""
    run = f"run{next(_runs)}"
    random = {} if algorithm == "dqn" else dict(start_steps=0)
    settings = dict(
        ac_kwargs=dict(hidden_sizes=[8]),
        epochs=2,
        steps_per_epoch=40,
        update_after=20,
        update_every=20,
        num_test_episodes=1,
        logger_kwargs=dict(output_dir=run),
    )
    ac = getattr(MODULES[algorithm], algorithm)(env_fn, **settings | random | kwargs)
    with open(f"{run}/progress.txt", newline="") as file:
        return ac, [*csv.DictReader(file, delimiter="\t")]


LOW, HIGH = np.float32([-1, 0]), np.float32([3, 0.5])
BOX = spaces.Box(LOW, HIGH, dtype=np.float32)
MANY = spaces.Discrete(1000)  # so many that chance does not meet a given one


class Spy(gym.Wrapper):
    """Keeps every action, and every seed, that it is given."""

    def __init__(self, env):
        super().__init__(env)
        self.actions, self.seeds = [], []

    def reset(self, *, seed=None, options=None):
        if seed is not None:
            self.seeds.append(seed)
        return super().reset(seed=seed, options=options)

    def step(self, action):
        self.actions.append(np.array(action))
        return super().step(action)


def spies(algorithm, length=5):
    """A function that builds environments with actions for ``algorithm``, and the list of those it has built."""
    made = []

    def env_fn():
        made.append(Spy(Steady("truncate", length, MANY if algorithm == "dqn" else BOX)))
        return made[-1]

    return env_fn, made


def count_gradient_steps(monkeypatch, algorithm, made):
    """Replace the update by one that does nothing but note ``(environment steps so far, gradient steps)``."""
    phases = []

    def update(learner, batches, *noise, **constants):
        phases.append((sum(len(env.actions) for env in made), len(batches.r)))
        return learner, {}

    monkeypatch.setattr(MODULES[algorithm], "update", update)
    return phases


# ---- steps ----


@every_algorithm
@pytest.mark.parametrize("num_envs", [1, 4])
def test_there_is_one_gradient_step_for_each_environment_step(monkeypatch, algorithm, num_envs):
    env_fn, made = spies(algorithm)
    phases = count_gradient_steps(monkeypatch, algorithm, made)
    train(algorithm, env_fn, num_envs=num_envs, epochs=1, steps_per_epoch=40, update_after=0, update_every=8)
    assert phases == [(8, 8), (16, 8), (24, 8), (32, 8), (40, 8)]


@every_algorithm
@pytest.mark.parametrize(("update_after", "first"), [(0, 10), (10, 10), (11, 20), (35, 40)])
def test_the_first_phase_waits_for_update_after(monkeypatch, algorithm, update_after, first):
    env_fn, made = spies(algorithm)
    phases = count_gradient_steps(monkeypatch, algorithm, made)
    train(algorithm, env_fn, epochs=1, steps_per_epoch=60, update_after=update_after, update_every=10)
    assert phases == [(steps, 10) for steps in range(first, 61, 10)]


@every_algorithm
def test_phases_do_not_care_about_epochs(monkeypatch, algorithm):
    env_fn, made = spies(algorithm)
    monkeypatch.setattr(MODULES[algorithm], "test_agent", lambda *args, **kwargs: dict(TestEpRet=0.0, TestEpLen=0))
    phases = count_gradient_steps(monkeypatch, algorithm, made)
    train(algorithm, env_fn, epochs=6, steps_per_epoch=5, update_after=0, update_every=7)
    assert phases == [(7, 7), (14, 7), (21, 7), (28, 7)]


@every_algorithm
@pytest.mark.parametrize("num_envs", [1, 4])
def test_environment_steps_are_counted_over_all_environments(algorithm, num_envs):
    env_fn, made = spies(algorithm)
    _, rows = train(algorithm, env_fn, num_envs=num_envs, epochs=3, steps_per_epoch=40)
    assert [len(env.actions) for env in made[:num_envs]] == [120 // num_envs] * num_envs
    assert [row["TotalEnvInteracts"] for row in rows] == ["40", "80", "120"]


@every_algorithm
def test_episodes_survive_the_ends_of_epochs(algorithm):
    env_fn, _ = spies(algorithm, length=10)
    _, rows = train(algorithm, env_fn, epochs=5, steps_per_epoch=4, update_after=1000)
    assert [row["EpLen"] for row in rows] == ["", "", "10.0", "", "10.0"]
    assert [row["AverageEpRet"] for row in rows] == ["", "", "10.0", "", "10.0"]
    assert [row["TestEpLen"] for row in rows] == ["10.0"] * 5


# ---- transitions ----


@every_algorithm
@pytest.mark.parametrize("end", ["terminate", "truncate"])
def test_what_is_stored_is_what_happened(monkeypatch, algorithm, end):
    stored, told = [], []

    class Buffer(ReplayBuffer):
        def store(self, o, a, step):
            stored.append((o.item(), step.o2.item(), step.r.item(), bool(step.d.item())))
            told.append(a[0])
            super().store(o, a, step)

    def env_fn():
        made.append(Spy(Counter(end, 3, MANY if algorithm == "dqn" else BOX)))
        return made[-1]

    made = []
    monkeypatch.setattr(MODULES[algorithm], "ReplayBuffer", Buffer)
    train(algorithm, env_fn, epochs=2, steps_per_epoch=4)
    last = (2, 3, 3, end == "terminate")
    assert stored == [(0, 1, 1, False), (1, 2, 2, False), last] * 2 + [(0, 1, 1, False), (1, 2, 2, False)]
    np.testing.assert_array_equal(told, made[0].actions)


@every_algorithm
def test_the_agent_acts_on_the_reset_that_followed_an_episode(monkeypatch, algorithm):
    seen = []
    own = AGENTS[algorithm].act
    monkeypatch.setattr(AGENTS[algorithm], "act", lambda self, o: seen.append(o.ravel()[0]) or own(self, o))
    monkeypatch.setattr(MODULES[algorithm], "test_agent", lambda *args, **kwargs: dict(TestEpRet=0.0, TestEpLen=0))
    space = MANY if algorithm == "dqn" else BOX
    train(algorithm, lambda: Counter(length=3, action_space=space), epochs=1, steps_per_epoch=7)
    assert seen[-7:] == [0, 1, 2, 0, 1, 2, 0]  # before that, the agent is checked


def test_td3_smooths_its_target_by_noise_of_the_deviation_asked_for(monkeypatch):
    seen, improve = [], td3.update

    def update(learner, batches, noise, **constants):
        seen.append((noise, learner.steps.item()))
        return improve(learner, batches, noise, **constants)

    monkeypatch.setattr(td3, "update", update)
    train("td3", spies("td3")[0], target_noise=0.3, batch_size=100)
    assert [steps for _, steps in seen] == [0, 20, 40, 60], "gradient steps are counted over all phases"
    noise = torch.stack([noise for noise, _ in seen])
    assert noise.shape == (4, 20, 100, 2)
    assert noise.std().item() == pytest.approx(0.3, rel=0.05)
    assert noise.mean().item() == pytest.approx(0, abs=0.01)


def test_sac_draws_new_noise_for_each_of_its_two_expectations(monkeypatch):
    seen = []

    def update(learner, batches, noise, **constants):
        seen.append(noise)
        return learner, {}

    monkeypatch.setattr(sac, "update", update)
    train("sac", spies("sac")[0], batch_size=100)
    noise = torch.stack(seen)
    assert noise.shape == (4, 20, 2, 100, 2)
    assert noise.std().item() == pytest.approx(1, rel=0.05)
    assert abs(np.corrcoef(noise[:, :, 0].ravel(), noise[:, :, 1].ravel())[0, 1]) < 0.05


# ---- exploration ----


def mark_own_actions(monkeypatch, algorithm):
    """Let the agent always do what chance alone would hardly choose, see :func:`is_own`; and learn nothing."""

    def act(self, obs, deterministic=False):
        rows = np.shape(obs)[:-1]
        return np.full(rows, 999) if algorithm == "dqn" else np.broadcast_to(HIGH, (*rows, 2))

    monkeypatch.setattr(AGENTS[algorithm], "act", act)
    monkeypatch.setattr(MODULES[algorithm], "update", lambda learner, *args, **kwargs: (learner, {}))


def is_own(actions):
    """Which actions were the agent's own."""
    return [bool(np.all(a == (999 if np.ndim(a) == 0 else HIGH))) for a in actions]


@pytest.mark.parametrize("algorithm", CONTINUOUS)
@pytest.mark.parametrize("num_envs", [1, 4])
@pytest.mark.parametrize("start_steps", [0, 24, 60])
def test_exactly_start_steps_are_random(monkeypatch, algorithm, num_envs, start_steps):
    env_fn, made = spies(algorithm)
    mark_own_actions(monkeypatch, algorithm)
    quiet = {} if algorithm == "sac" else dict(act_noise=0.0)
    train(algorithm, env_fn, num_envs=num_envs, start_steps=start_steps, **quiet)
    n, total = start_steps // num_envs, 80 // num_envs
    for env in made[:num_envs]:
        assert is_own(env.actions) == [False] * n + [True] * (total - n)


@pytest.mark.parametrize("algorithm", CONTINUOUS)
def test_random_actions_fill_the_whole_range_of_each_dimension(monkeypatch, algorithm):
    env_fn, made = spies(algorithm)
    count_gradient_steps(monkeypatch, algorithm, made)
    train(algorithm, env_fn, start_steps=1000, epochs=1, steps_per_epoch=1000, update_every=1000)
    a = np.array(made[0].actions)
    np.testing.assert_allclose(a.mean(0), (LOW + HIGH) / 2, atol=0.05 * (HIGH - LOW).max())
    np.testing.assert_allclose(a.std(0), (HIGH - LOW) / 12**0.5, rtol=0.1)


@pytest.mark.parametrize("module", [ddpg, td3])
@pytest.mark.parametrize(
    ("a", "eps", "expected"),
    [
        # half ranges are 2 and 0.25
        ([1.0, 0.25], [0.1, -0.1], [1.2, 0.225]),
        ([1.0, 0.25], [0.0, 0.0], [1.0, 0.25]),
        # beyond the bounds
        ([2.9, 0.1], [0.1, -0.5], [3.0, 0.0]),
        ([-0.9, 0.4], [-0.1, 0.5], [-1.0, 0.5]),
    ],
)
def test_explore_by_hand(module, a, eps, expected):
    rng = SimpleNamespace(standard_normal=lambda *_: 10 * np.array([eps]))
    explored = module.explore(np.float32([a]), 0.1, rng, BOX)
    np.testing.assert_allclose(explored, [expected], rtol=1e-6)


@pytest.mark.parametrize("algorithm", ["ddpg", "td3"])
def test_noise_is_in_units_of_half_the_range_of_each_dimension(monkeypatch, algorithm):
    env_fn, made = spies(algorithm)
    count_gradient_steps(monkeypatch, algorithm, made)
    ac, _ = train(algorithm, env_fn, act_noise=0.1, epochs=1, steps_per_epoch=2000, update_every=2000)
    noise = (np.array(made[0].actions) - ac.act(np.ones(1))) / [2, 0.25]
    np.testing.assert_allclose(noise.std(0), 0.1, rtol=0.1)
    np.testing.assert_allclose(noise.mean(0), 0, atol=0.01)
    assert abs(np.corrcoef(noise.T)[0, 1]) < 0.1


def test_sac_explores_with_its_own_policy(monkeypatch):
    env_fn, made = spies("sac")
    count_gradient_steps(monkeypatch, "sac", made)
    ac, _ = train("sac", env_fn, epochs=1, steps_per_epoch=1000, update_every=1000)
    told, asked = np.array(made[0].actions), ac.act(np.ones((1000, 1)))
    np.testing.assert_allclose(told.mean(0), asked.mean(0), atol=0.2)
    np.testing.assert_allclose(told.std(0), asked.std(0), rtol=0.15)


@pytest.mark.parametrize(
    ("steps", "expected"), [(0, 0.9), (25, 0.7), (50, 0.5), (75, 0.3), (100, 0.1), (101, 0.1), (10**6, 0.1)]
)
def test_epsilon_falls_linearly_and_stays(steps, expected):
    assert dqn.epsilon_at(steps, 0.9, 0.1, 100) == pytest.approx(expected)


def test_epsilon_that_never_falls():
    assert dqn.epsilon_at(1, 1.0, 0.05, 0) == 0.05


def test_dqn_explores_where_the_dice_are_below_epsilon():
    a = dqn.explore(np.array([7, 7, 7]), np.array([1, 2, 3]), np.array([0.0, 0.29, 0.3]), 0.3)
    assert a.tolist() == [1, 2, 7]


@pytest.mark.parametrize("num_envs", [1, 4])
def test_dqn_takes_random_actions_with_falling_probability(monkeypatch, num_envs):
    env_fn, made = spies("dqn")
    mark_own_actions(monkeypatch, "dqn")
    exploration = dict(epsilon_start=1.0, epsilon=0.0, epsilon_steps=1000)
    train("dqn", env_fn, num_envs=num_envs, epochs=1, steps_per_epoch=1200, **exploration)
    own = np.array([is_own(env.actions) for env in made[:num_envs]]).mean(0).repeat(num_envs)
    assert own[1000:].all()
    for tenth in range(10):  # the share of own actions is 5 %, 15 %, ... in each hundred steps
        share = (tenth + 0.5) / 10
        assert abs(own[100 * tenth : 100 * tenth + 100].mean() - share) < 4 * (share * (1 - share) / 100) ** 0.5


@pytest.mark.parametrize("epsilon", [0.0, 0.2])
def test_dqn_goes_on_exploring_with_epsilon(monkeypatch, epsilon):
    env_fn, made = spies("dqn")
    mark_own_actions(monkeypatch, "dqn")
    exploration = dict(epsilon_start=epsilon, epsilon=epsilon)
    train("dqn", env_fn, epochs=1, steps_per_epoch=1000, update_every=1000, **exploration)
    assert np.mean(is_own(made[0].actions)) == pytest.approx(1 - epsilon, abs=0.05)


# ---- evaluation ----


@every_algorithm
def test_the_evaluation_does_not_explore(algorithm):
    env_fn, made = spies(algorithm, length=6)
    ac, rows = train(algorithm, env_fn, epochs=1, num_test_episodes=3)
    expected = ac.act(np.ones(1, np.float32), deterministic=True)
    for env in made[1:4]:
        assert len(env.actions) == 6
        np.testing.assert_allclose(env.actions, [expected] * 6, rtol=1e-5)
    assert (rows[0]["AverageTestEpRet"], rows[0]["TestEpLen"]) == ("6.0", "6.0")


@every_algorithm
def test_each_evaluation_has_starts_of_its_own(algorithm):
    env_fn, made = spies(algorithm)
    train(algorithm, env_fn, num_envs=2, num_test_episodes=2, epochs=3)
    seeds = [seed for env in made[:4] for seed in env.seeds]
    assert [len(env.seeds) for env in made[:4]] == [1, 1, 3, 3]
    assert len({*seeds}) == 8


@every_algorithm
def test_the_evaluation_leaves_training_as_it_is(algorithm):
    env_fn = EnvFn("CartPole-v1" if algorithm == "dqn" else "Pendulum-v1")
    one, three = (train(algorithm, env_fn, num_test_episodes=n, max_ep_len=30)[1] for n in (1, 3))
    for few, more in zip(one, three, strict=True):
        assert few["AverageTestEpRet"] != more["AverageTestEpRet"]
        same = [key for key in few if "Test" not in key and key != "Time"]
        assert [few[key] for key in same] == [more[key] for key in same]


# ---- the same seed ----


@pytest.mark.slow
@every_algorithm
@pytest.mark.parametrize("num_envs", [1, 4])
def test_the_same_seed_gives_the_same_run_and_another_seed_another(algorithm, num_envs):
    env_fn = EnvFn("CartPole-v1" if algorithm == "dqn" else "Pendulum-v1")

    random = {} if algorithm == "dqn" else dict(start_steps=20)

    def table(seed):
        _, rows = train(algorithm, env_fn, seed=seed, num_envs=num_envs, max_ep_len=15, **random)
        return [{key: val for key, val in row.items() if key != "Time"} for row in rows]

    assert table(3) == table(3) != table(4)


# ---- progress.txt ----

START = (
    "Epoch AverageEpRet StdEpRet MaxEpRet MinEpRet AverageTestEpRet StdTestEpRet MaxTestEpRet MinTestEpRet "
    "EpLen TestEpLen TotalEnvInteracts"
)


def four(key):
    return " ".join(kind + key for kind in ("Average", "Std", "Max", "Min"))


@pytest.mark.parametrize(
    ("algorithm", "diagnostics"),
    [
        ("dqn", f"{four('QVals')} LossQ"),
        ("ddpg", f"{four('QVals')} LossPi LossQ"),
        ("td3", f"{four('Q1Vals')} {four('Q2Vals')} LossPi LossQ"),
        ("sac", f"{four('Q1Vals')} {four('Q2Vals')} {four('LogPi')} LossPi LossQ Alpha"),
    ],
)
def test_columns_have_the_names_people_know(algorithm, diagnostics):
    _, rows = train(algorithm, spies(algorithm)[0], epochs=3, update_after=80)
    assert " ".join(rows[0]) == f"{START} {diagnostics} Time"
    assert [row["LossQ"] == "" for row in rows] == [True, False, False], "there is nothing to tell before learning"
    assert all(all(row.values()) for row in rows[1:])


# ---- SAC's temperature ----


def spy_on_temperature(monkeypatch):
    seen = []

    def update(learner, *args, target_entropy, **constants):
        seen.append((learner.log_alpha.exp().item(), learner.alpha_optimizer is not None, target_entropy))
        return learner, {}

    monkeypatch.setattr(sac, "update", update)
    return seen


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, (0.2, False, -2)),
        (dict(alpha=0.5), (0.5, False, -2)),
        (dict(alpha=0), (0, False, -2)),
        (dict(alpha=1), (1, False, -2)),
        (dict(alpha="auto"), (1, True, -2)),
        (dict(alpha="auto", target_entropy=-0.5), (1, True, -0.5)),
        (dict(alpha="auto", target_entropy=0), (1, True, 0)),
    ],
)
def test_temperature_is_fixed_unless_it_is_to_be_learned(monkeypatch, settings, expected):
    seen = spy_on_temperature(monkeypatch)
    train("sac", Target, epochs=1, **settings)
    assert seen[0] == pytest.approx(expected)


def test_a_learned_temperature_has_the_learning_rate_of_the_rest():
    log_alpha, optimizer = sac.temperature("auto", 3e-3, "cpu")
    assert (optimizer.lr, optimizer.params) == (3e-3, [log_alpha])
    assert (log_alpha.item(), log_alpha.requires_grad) == (0, True)


# ---- refusals ----


@pytest.mark.parametrize("algorithm", CONTINUOUS)
def test_discrete_actions_are_refused_with_alternatives(algorithm):
    with pytest.raises(UserError, match=r"Discrete\(2\).*DQN or PPO"):
        train(algorithm, Steady)


@pytest.mark.parametrize("algorithm", CONTINUOUS)
@pytest.mark.parametrize("high", [[1.0, np.inf], [np.inf, np.inf]])
def test_unbounded_actions_are_refused_with_the_reason(algorithm, high):
    space = spaces.Box(np.float32([-1, -1]), np.float32(high), dtype=np.float32)
    with pytest.raises(UserError, match=r"Box\(-1.0, .*inf.*finite bounds"):
        train(algorithm, lambda: Steady(action_space=space))


@pytest.mark.parametrize("algorithm", CONTINUOUS)
@pytest.mark.parametrize("space", [spaces.MultiDiscrete([2, 3]), spaces.Box(-1, 1, (2, 2)), spaces.Box(-1, 1, (0,))])
def test_other_actions_are_refused_by_name(algorithm, space):
    with pytest.raises(UserError, match=type(space).__name__):
        train(algorithm, lambda: Steady(action_space=space))


def test_dqn_refuses_continuous_actions_and_names_sac():
    with pytest.raises(UserError, match=r"Box\(.*SAC"):
        train("dqn", Target)


@pytest.mark.parametrize(
    ("algorithm", "setting"),
    [
        ("ddpg", dict(polyak=1.5)),
        ("ddpg", dict(q_lr=0)),
        ("ddpg", dict(pi_lr=-1e-3)),
        ("ddpg", dict(replay_size=0)),
        ("ddpg", dict(replay_size=1e6)),
        ("ddpg", dict(batch_size=0)),
        ("ddpg", dict(start_steps=-1)),
        ("ddpg", dict(update_after=-1)),
        ("ddpg", dict(update_every=0)),
        ("ddpg", dict(act_noise=-0.1)),
        ("ddpg", dict(num_test_episodes=0)),
        ("td3", dict(target_noise=-0.1)),
        ("td3", dict(noise_clip=-0.1)),
        ("td3", dict(policy_delay=0)),
        ("sac", dict(lr=0)),
        ("sac", dict(alpha=-0.1)),
        ("sac", dict(alpha="learned")),
        ("sac", dict(alpha=True)),
        ("sac", dict(target_entropy=float("nan"))),
        ("dqn", dict(epsilon=1.1)),
        ("dqn", dict(epsilon_start=-0.1)),
        ("dqn", dict(epsilon_steps=0.5)),
        ("dqn", dict(double_q=1)),
        ("dqn", dict(loss="l1")),
    ],
)
def test_values_out_of_range_are_refused_by_name(algorithm, setting):
    ((key, value),) = setting.items()
    with pytest.raises(UserError, match=f"^{key}={value!r} is invalid: expected "):
        train(algorithm, spies(algorithm)[0], **setting)


@every_algorithm
@pytest.mark.parametrize("key", ["steps_per_epoch", "update_every"])
def test_steps_must_be_divisible_among_environments(algorithm, key):
    with pytest.raises(UserError, match=f"{key}=50 cannot be divided among num_envs=4"):
        train(algorithm, spies(algorithm)[0], num_envs=4, **{key: 50})


# ---- what the course's readers type ----

SHARED = dict(seed=0, steps_per_epoch=4000, epochs=100, replay_size=1000000, gamma=0.99, polyak=0.995)
NOISE = dict(target_noise=0.2, noise_clip=0.5, policy_delay=2)
RATES, PHASES = dict(pi_lr=1e-3, q_lr=1e-3), dict(start_steps=10000, update_after=1000, update_every=50)
END = dict(num_test_episodes=10, max_ep_len=1000, logger_kwargs=None, save_freq=1)
DEFAULTS = {
    "ddpg": SHARED | RATES | dict(batch_size=100) | PHASES | dict(act_noise=0.1) | END,
    "td3": SHARED | RATES | dict(batch_size=100) | PHASES | dict(act_noise=0.1) | NOISE | END,
    "sac": SHARED | dict(lr=1e-3, alpha=0.2, batch_size=100) | PHASES | END,
}


@pytest.mark.parametrize("algorithm", CONTINUOUS)
def test_arguments_keep_their_order_and_defaults(algorithm):
    parameters = inspect.signature(getattr(spinup, f"{algorithm}_pytorch")).parameters
    positional = {p.name: p.default for p in parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD}
    assert [*positional][:3] == ["env_fn", "actor_critic", "ac_kwargs"]
    assert [*positional.items()][3:] == [*DEFAULTS[algorithm].items()]
    extras = {p.name: p.default for p in parameters.values() if p.kind is p.KEYWORD_ONLY}
    assert extras.items() >= dict(num_envs=1, device="cpu").items()


# ---- the trained agent ----


@every_algorithm
def test_the_saved_agent_is_the_trained_one_and_loads_by_default(algorithm):
    ac, _ = train(algorithm, spies(algorithm)[0])
    run = f"run{next(_runs) - 1}"
    o = np.random.default_rng(0).normal(size=(6, 1)).astype(np.float32)
    for agent in (torch.load(f"{run}/pyt_save/model.pt"), spinup.load(run)):
        np.testing.assert_array_equal(agent.act(o, deterministic=True), ac.act(o, deterministic=True))
        assert agent.act(torch.as_tensor(o)).shape == ((6,) if algorithm == "dqn" else (6, 2))
        assert agent.deterministic_by_default
        for p, saved in zip(ac.parameters(), agent.parameters(), strict=True):
            assert torch.equal(p, saved)


@every_algorithm
def test_counting_observations_and_actions_of_an_environment_is_not_the_users_business(algorithm):
    class Odd(Counter):
        """Observes a Dict, and counts its actions from 3."""

        def __init__(self):
            super().__init__(length=4)
            self.observation_space = spaces.Dict(t=spaces.Box(0, 9, (2,), np.float32), n=spaces.Discrete(3))
            self.action_space = spaces.Discrete(2, start=3) if algorithm == "dqn" else BOX

        def _observation(self):
            return dict(t=np.full(2, self._t, np.float32), n=self._t % 3)

        def step(self, action):
            assert self.action_space.contains(action)
            return super().step(action)

    ac, rows = train(algorithm, Odd)
    assert rows[-1]["EpLen"] == "4.0"
    assert ac.act(np.zeros(5)).shape == (() if algorithm == "dqn" else (2,))


class Apart(torch.nn.Module):
    """Policy and two critics as a reader of the course would write them: ``q1`` and ``q2`` are modules."""

    def __init__(self, observation_space, action_space, actor):
        super().__init__()
        sizes = (observation_space.shape[0], action_space, [4], torch.nn.ReLU)
        self.pi, self.q1, self.q2 = actor(*sizes), core.MLPQFunction(*sizes), core.MLPQFunction(*sizes)

    def act(self, obs, deterministic=False):
        return np.zeros((*np.shape(obs)[:-1], 2), np.float32)


def plain_policy(obs_dim, action_space, *_):
    """Maps observations to actions, and knows nothing else."""
    return torch.nn.Sequential(torch.nn.Linear(obs_dim, len(action_space.low)), torch.nn.Sigmoid())


def test_an_agent_that_explores_by_itself_never_may_have_plain_act(monkeypatch):
    class Plain(core.DDPGActorCritic):
        def act(self, obs):
            return super().act(obs)

    _, rows = train("ddpg", spies("ddpg")[0], actor_critic=Plain)
    assert np.isfinite(float(rows[-1]["AverageTestEpRet"]))


@pytest.mark.parametrize(
    ("algorithm", "actor"),
    [("td3", core.MLPActor), ("td3", plain_policy), ("sac", core.SquashedGaussianMLPActor)],
)
def test_an_agent_may_bring_two_critics_apart(algorithm, actor):
    torch.manual_seed(0)
    start = Apart(spaces.Box(-1, 1, (1,)), BOX, actor)
    constants = dict(actor_critic=lambda *_, **__: start, ac_kwargs={}, polyak=0.5, seed=0)
    before = training.target_of(start)
    ac, rows = train(algorithm, spies(algorithm)[0], **constants)
    assert ac is start
    for name in ("pi", "q1", "q2"):
        old, new = (torch.cat([p.ravel() for p in getattr(x, name).parameters()]) for x in (before, ac))
        assert not torch.equal(old, new)
    assert rows[-1]["AverageQ1Vals"] != rows[-1]["AverageQ2Vals"]
