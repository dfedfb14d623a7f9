"""What a page shows is what the function computes.

Each equation that a page shows beside a function is kept here as the page has it, with a transcription into NumPy that
follows it letter by letter and shares nothing with the source. The page, the transcription and the function of every
backend must agree: a sign changed in any of them is a failure.
"""

import re
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import spinup
from spinup.backends import algorithms

DOCS = Path(spinup.__file__).parents[1] / "docs"
CHAIN = re.compile(r"^```{chain} (\w+ \d+)\n(.*?)\n```$", flags=re.MULTILINE | re.DOTALL)
SHOWN = [found for page in sorted(DOCS.rglob("*.md")) for found in CHAIN.findall(page.read_text(encoding="utf-8"))]
EQUATIONS = {}
BACKENDS = ["pytorch", pytest.param("jax", marks=pytest.mark.slow)]  # the first compilation takes seconds
B, OBS, ACT, ACTIONS = 7, 3, 2, 4


def equation(name, latex, call):
    """Keep ``latex``, the decorated transcription, and ``call``, which calls the function of a module."""

    def keep(transcription):
        EQUATIONS[name] = latex, transcription, call
        return transcription

    return keep


def inputs(array):
    """The same random numbers each time, as what ``array`` makes of them. Values and policies are linear."""
    rng = np.random.default_rng(0)
    x = SimpleNamespace(gamma=0.9, alpha=0.3, eps_clip=0.2, c=0.4, sigma=0.3, delta=0.01, damping=0.1)

    def draw(*shape):
        return array(rng.standard_normal(shape))

    batch = SimpleNamespace(o=draw(B, OBS), a=draw(B, ACT), r=draw(B), o2=draw(B, OBS))
    batch.d = array(np.array([0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0]))
    x.batch, x.eps = batch, draw(B, ACT)
    x.low, x.high = array(np.array([-1.0, -0.5])), array(np.array([1.0, 2.0]))
    mu, mu_targ, (w, w_targ), (u, u_targ) = draw(OBS, ACT), draw(OBS, ACT), draw(2, 2, OBS), draw(2, 2, ACT)
    x.mu, x.mu_targ = (lambda o: o @ mu), (lambda o: o @ mu_targ)
    x.q, x.q_targ = (lambda o, a: w[0] @ o.T + u[0] @ a.T), (lambda o, a: w_targ[0] @ o.T + u_targ[0] @ a.T)
    x.qs, x.qs_targ = (lambda o, a: w @ o.T + u @ a.T), (lambda o, a: w_targ @ o.T + u_targ @ a.T)
    x.pi = lambda o, eps: (o @ mu + eps, (o @ mu * eps).sum(-1))  # a sample, and a number in place of log pi
    v, v_targ = draw(OBS, ACTIONS), draw(OBS, ACTIONS)
    x.values, x.values_targ = (lambda o: o @ v), (lambda o: o @ v_targ)
    x.y, x.logp, x.logp_old, x.adv, x.v, x.ret = draw(6, B)
    x.logits, x.logits_old = draw(2, B, ACTIONS)
    return x


def value(found):
    """The number or numbers of an equation, of which some functions return more than its value."""
    found = found[0] if isinstance(found, tuple) else found
    return np.asarray(found.detach() if hasattr(found, "detach") else found)


def arrays_of(backend):
    """How ``backend`` makes an array, in double precision where it can."""
    return np.array if backend == "numpy" else import_module("torch").tensor if backend == "pytorch" else jax_array


def jax_array(x):
    return import_module("jax.numpy").asarray(x)


# ---- what all algorithms share ----

LOG_STD = np.array([-0.5, 0.3])


@equation(
    "core 1",
    r"\log \mathcal{N}(x; \mu, \sigma) = -\sum_i \Big[\tfrac{1}{2} \Big(\frac{x_i - \mu_i}{\sigma_i}\Big)^2 + "
    r"\log \sigma_i + \tfrac{1}{2} \log 2\pi\Big]",
    lambda f, x: f.gaussian_log_density(x.batch.a, x.eps, x.array(LOG_STD)),
)
def _(x):
    sigma = np.exp(LOG_STD)
    return -(((x.batch.a - x.eps) / sigma) ** 2 / 2 + np.log(sigma) + np.log(2 * np.pi) / 2).sum(-1)


@equation(
    "core 2",
    r"\log \pi(a \given s) = \log \mathcal{N}(u; \mu, \sigma) - \sum_i \log\big(1 - \tanh(u_i)^2\big), "
    r"\qquad a = \tanh(u)",
    lambda f, x: f.squashed_log_density(x.batch.a, x.eps, x.array(LOG_STD)),
)
def _(x):
    u, sigma = x.batch.a, np.exp(LOG_STD)
    density = np.exp(-(((u - x.eps) / sigma) ** 2) / 2) / (sigma * np.sqrt(2 * np.pi))
    return (np.log(density) - np.log(1 - np.tanh(u) ** 2)).sum(-1)


ENDED = np.array([0, 1, 0, 0, 0, 0, 1])


@equation(
    "buffers 1",
    r"y_t = x_t + \text{discount} \cdot (1 - \text{ended}_t) \, y_{t+1}",
    lambda f, x: f.discount_cumsum(value(x.ret), 0.9, ENDED),
)
def _(x):
    y = [0.0] * (B + 1)
    for t in reversed(range(B)):
        y[t] = x.ret[t] + 0.9 * (1 - ENDED[t]) * y[t + 1]
    return y[:B]


@equation(
    "buffers 3",
    r"\begin{aligned}"
    "\n"
    r"\delta_t &= r_t + \gamma (1 - d_t) V(s_{t+1}) - V(s_t) \\"
    "\n"
    r"\hat A_t &= \delta_t + \gamma \lambda \, (1 - \text{ended}_t) \, \hat A_{t+1}"
    "\n"
    r"\end{aligned}",
    lambda f, x: f.gae(*map(value, (x.batch.r, x.v, x.ret, x.batch.d)), ENDED, x.gamma, 0.6),
)
def _(x):
    r, v, v2, d, adv = x.batch.r, x.v, x.ret, x.batch.d, [0.0] * (B + 1)
    for t in reversed(range(B)):
        delta = r[t] + x.gamma * (1 - d[t]) * v2[t] - v[t]
        adv[t] = delta + x.gamma * 0.6 * (1 - ENDED[t]) * adv[t + 1]
    return adv[:B]


# ---- on-policy ----


@equation(
    "vpg 1",
    r"L_\pi(\theta) = -\E_{s, a \sim \pi_k}\big[\log \pi_\theta(a \given s)\, \hat{A}(s, a)\big]",
    lambda f, x: f.policy_loss(x.logp, x.adv),
)
def _(x):
    return -np.mean([logp * adv for logp, adv in zip(x.logp, x.adv)])


VALUE_LOSS = r"L_V(\phi) = \E_{s \sim \pi_k}\big[(V_\phi(s) - \hat{R})^2\big]"


@equation("vpg 2", VALUE_LOSS, lambda f, x: f.value_loss(x.v, x.ret))
@equation("ppo 3", VALUE_LOSS, lambda f, x: f.value_loss(x.v, x.ret))
@equation("trpo 7", VALUE_LOSS, lambda f, x: f.value_loss(x.v, x.ret))
def _(x):
    return np.mean([(v - ret) ** 2 for v, ret in zip(x.v, x.ret)])


@equation(
    "ppo 1",
    r"\begin{aligned} L_\pi(\theta) &= -\E_{s, a \sim \pi_k}\Big[\min\big(w \hat{A},\ "
    r"\operatorname{clip}(w, 1 - \epsilon, 1 + \epsilon)\, \hat{A}\big)\Big] \\ "
    r"w &= \frac{\pi_\theta(a \given s)}{\pi_{\theta_k}(a \given s)} \end{aligned}",
    lambda f, x: f.policy_loss(x.logp, x.logp_old, x.adv, x.eps_clip),
)
def _(x):
    terms = []
    for p, p_old, adv in zip(np.exp(x.logp), np.exp(x.logp_old), x.adv):
        w = p / p_old
        terms.append(min(w * adv, max(1 - x.eps_clip, min(w, 1 + x.eps_clip)) * adv))
    return -np.mean(terms)


@equation(
    "ppo 2",
    r"\KL \approx \E_{s, a \sim \pi_k}\big[\log \pi_{\theta_k}(a \given s) - \log \pi_\theta(a \given s)\big]",
    lambda f, x: f.approx_kl(x.logp, x.logp_old),
)
def _(x):
    return np.mean([old - new for new, old in zip(x.logp, x.logp_old)])


@equation(
    "trpo 1",
    r"\mathcal{L}(\theta_k, \theta) = \E_{s, a \sim \pi_k}\left[\frac{\pi_\theta(a \given s)}"
    r"{\pi_{\theta_k}(a \given s)}\, \hat{A}(s, a)\right]",
    lambda f, x: f.surrogate(x.logp, x.logp_old, x.adv),
)
def _(x):
    return np.mean([p / old * adv for p, old, adv in zip(np.exp(x.logp), np.exp(x.logp_old), x.adv)])


@equation(
    "trpo 2",
    r"\bar{D}_{\mathrm{KL}}(\theta_k, \theta) = \E_{s \sim \pi_k}\Big[\KL\big(\pi_{\theta_k}(\cdot \given s) "
    r"\,\big\|\, \pi_\theta(\cdot \given s)\big)\Big]",
    lambda f, x: f.mean_kl(categorical(f, x.logits), categorical(f, x.logits_old)),
)
def _(x):
    new, old = (np.exp(logits) / np.exp(logits).sum(-1, keepdims=True) for logits in (x.logits, x.logits_old))
    return np.mean((old * np.log(old / new)).sum(-1))


def categorical(f, logits):
    """The distribution that the policies of the backend of ``f`` return."""
    return f.core.Categorical(logits=logits) if hasattr(f.core, "Categorical") else torch_categorical(logits)


def torch_categorical(logits):
    return import_module("torch.distributions").Categorical(logits=logits)


# The divergence of a policy with two parameters, whose Hessian is known: (theta_1^2 + theta_1 theta_2 + 2 theta_2^2).
HESSIAN, POINT, VECTOR = np.array([[2.0, 1.0], [1.0, 4.0]]), np.array([0.3, -0.7]), np.array([0.5, -2.0])


def quadratic(theta):
    return theta[0] ** 2 + theta[0] * theta[1] + 2 * theta[1] ** 2


def product_of(f, x):
    """(3), whose arguments differ: PyTorch has the divergence and its parameters, JAX the function."""
    theta, vector = x.array(POINT), x.array(VECTOR)
    if not hasattr(theta, "requires_grad_"):
        return f.hessian_vector_product(quadratic, theta, vector, x.damping)
    theta.requires_grad_()
    return f.hessian_vector_product(quadratic(theta), [theta], vector, x.damping)


@equation(
    "trpo 3",
    r"H x = \nabla_\theta \big((\nabla_\theta \bar{D}_{\mathrm{KL}})^{\top} x\big) + c_{\text{damp}}\, x",
    product_of,
)
def _(x):
    return HESSIAN @ VECTOR + x.damping * VECTOR


@equation(
    "trpo 4",
    r"x \approx H^{-1} g, \qquad g = \nabla_\theta \mathcal{L}",
    lambda f, x: f.conjugate_gradient(lambda v: x.array(HESSIAN) @ v, x.array(VECTOR), 10),
)
def _(x):
    return np.linalg.inv(HESSIAN) @ VECTOR


@equation(
    "trpo 5",
    r"\Delta\theta = \sqrt{\frac{2 \delta}{x^{\top} H x}}\; x",
    lambda f, x: f.natural_step(x.array(VECTOR), x.array(HESSIAN @ VECTOR), x.delta),
)
def _(x):
    return np.sqrt(2 * x.delta / (VECTOR.T @ HESSIAN @ VECTOR)) * VECTOR


def searched(f, x):
    """(6), where the surrogate grows along the step and the divergence is its squared length."""
    theta, step = x.array(POINT), x.array(np.array([0.5, 0.0]))
    return f.line_search(lambda new: (new[0], ((new - theta) ** 2).sum()), theta, step, x.delta, 0.8, 20)


@equation("trpo 6", r"\theta_{k+1} = \theta_k + \alpha^j \Delta\theta", searched)
def _(x):
    j = next(j for j in range(20) if (0.8**j * 0.5) ** 2 <= x.delta)
    return POINT + 0.8**j * np.array([0.5, 0.0])


# ---- off-policy ----


@equation(
    "dqn 1",
    r"\begin{aligned} y &= r + \gamma (1 - d)\, Q_{\phi_{\text{targ}}}(s', a_2) \\ "
    r"a_2 &= \arg\max_{a} Q_\phi(s', a) \end{aligned}",
    lambda f, x: f.td_target(x.values_targ, x.values, x.batch, x.gamma, True),
)
def _(x):
    b, q, q_targ = x.batch, x.values(x.batch.o2), x.values_targ(x.batch.o2)
    return [b.r[i] + x.gamma * (1 - b.d[i]) * q_targ[i, np.argmax(q[i])] for i in range(B)]


def loss_of_actions(f, x):
    actions = x.array(np.arange(B) % ACTIONS)
    return f.q_loss(x.values, SimpleNamespace(o=x.batch.o, a=actions), x.y, "squared")


@equation("dqn 2", r"L_Q(\phi) = \E\big[h(Q_\phi(s, a) - y)\big]", loss_of_actions)
def _(x):
    q = x.values(x.batch.o)
    return np.mean([(q[i, i % ACTIONS] - x.y[i]) ** 2 for i in range(B)])


@equation(
    "dqn 3",
    r"a = \begin{cases} \text{a random action} & \text{with probability } \varepsilon \\ "
    r"\arg\max_a Q_\phi(s, a) & \text{otherwise} \end{cases}",
    lambda f, x: f.explore(np.full(10_000, 1), np.full(10_000, 0), np.linspace(0, 1, 10_000, False), 0.25).mean(),
)
def _(x):
    return 0.25 * 0 + 0.75 * 1  # the random action is 0, the greedy one 1


@equation(
    "dqn 4",
    r"\varepsilon(t) = \varepsilon + (\varepsilon_{\text{start}} - \varepsilon) "
    r"\max\Big(0,\ 1 - \frac{t}{\varepsilon_{\text{steps}}}\Big)",
    lambda f, x: np.array([f.epsilon_at(t, 0.9, 0.1, 50) for t in range(80)]),
)
def _(x):
    return [0.1 + (0.9 - 0.1) * max(0, 1 - t / 50) for t in range(80)]


@equation(
    "ddpg 1",
    r"y = r + \gamma (1 - d)\, Q_{\phi_{\text{targ}}}\big(s', \mu_{\theta_{\text{targ}}}(s')\big)",
    lambda f, x: f.td_target(x.mu_targ, x.q_targ, x.batch, x.gamma),
)
def _(x):
    b = x.batch
    return b.r + x.gamma * (1 - b.d) * x.q_targ(b.o2, x.mu_targ(b.o2))


@equation("ddpg 2", r"L_Q(\phi) = \E\big[(Q_\phi(s, a) - y)^2\big]", lambda f, x: f.q_loss(x.q, x.batch, x.y))
def _(x):
    return np.mean((x.q(x.batch.o, x.batch.a) - x.y) ** 2)


@equation(
    "ddpg 3",
    r"L_\mu(\theta) = -\E\big[Q_\phi(s, \mu_\theta(s))\big]",
    lambda f, x: f.pi_loss(x.mu, x.q, x.batch),
)
def _(x):
    return -np.mean(x.q(x.batch.o, x.mu(x.batch.o)))


EXPLORATION = (
    r"a = \operatorname{clip}\big(\mu_\theta(s) + \sigma \epsilon,\ a_{\text{low}}, a_{\text{high}}\big), "
    r"\qquad \epsilon \sim \mathcal{N}(0, I)"
)
SPACE = SimpleNamespace(low=np.array([-1.0, -1.0]), high=np.array([1.0, 1.0]))
GREEDY = np.linspace(-1, 1, 10).reshape(5, 2)


def explored(f, x):
    return f.explore(GREEDY, x.sigma, np.random.default_rng(1), SPACE)


@equation("ddpg 4", EXPLORATION, explored)
@equation("td3 5", EXPLORATION, explored)
def _(x):
    noise = np.random.default_rng(1).standard_normal(GREEDY.shape, np.float32)
    return np.minimum(np.maximum(GREEDY + x.sigma * noise, -1), 1)


def smoothed(x):
    """a' of TD3, in a space of which half the range is 1 and 1.25, which is the unit of the noise."""
    noise = np.clip(x.eps, -x.c, x.c) * np.array([1.0, 1.25])
    return np.clip(x.mu_targ(x.batch.o2) + noise, x.low, x.high)


@equation(
    "td3 1",
    r"a' = \operatorname{clip}\big(\mu_{\theta_{\text{targ}}}(s') + \operatorname{clip}(\epsilon, -c, c),\ "
    r"a_{\text{low}}, a_{\text{high}}\big)",
    lambda f, x: f.target_action(x.mu_targ, x.batch.o2, x.eps, x.c, x.low, x.high),
)
def _(x):
    return smoothed(x)


@equation(
    "td3 2",
    r"y = r + \gamma (1 - d) \min_{i=1,2} Q_{\phi_{\text{targ},i}}(s', a')",
    lambda f, x: f.td_target(x.mu_targ, x.qs_targ, x.batch, x.eps, x.gamma, x.c, x.low, x.high),
)
def _(x):
    b, (q1, q2) = x.batch, x.qs_targ(x.batch.o2, smoothed(x))
    return [b.r[i] + x.gamma * (1 - b.d[i]) * min(q1[i], q2[i]) for i in range(B)]


CRITIC_LOSS = r"L_Q(\phi_1, \phi_2) = \sum_{i=1,2} \E\big[(Q_{\phi_i}(s, a) - y)^2\big]"


@equation("td3 3", CRITIC_LOSS, lambda f, x: f.q_loss(x.qs, x.batch, x.y))
@equation("sac 2", CRITIC_LOSS, lambda f, x: f.q_loss(x.qs, x.batch, x.y))
def _(x):
    return sum(np.mean((q - x.y) ** 2) for q in x.qs(x.batch.o, x.batch.a))


@equation(
    "td3 4",
    r"L_\mu(\theta) = -\E\big[Q_{\phi_1}(s, \mu_\theta(s))\big]",
    lambda f, x: f.pi_loss(x.mu, x.qs, x.batch),
)
def _(x):
    return -np.mean(x.qs(x.batch.o, x.mu(x.batch.o))[0])


@equation(
    "sac 1",
    r"\begin{aligned} y &= r + \gamma (1 - d) \Big(\min_{i=1,2} Q_{\phi_{\text{targ},i}}(s', \tilde{a}') - "
    r"\alpha \log \pi_\theta(\tilde{a}' \given s')\Big) \\ \tilde{a}' &\sim \pi_\theta(\cdot \given s') \end{aligned}",
    lambda f, x: f.td_target(x.pi, x.qs_targ, x.batch, x.eps, x.gamma, x.alpha),
)
def _(x):
    b, (a2, logp) = x.batch, x.pi(x.batch.o2, x.eps)
    q1, q2 = x.qs_targ(b.o2, a2)
    return [b.r[i] + x.gamma * (1 - b.d[i]) * (min(q1[i], q2[i]) - x.alpha * logp[i]) for i in range(B)]


@equation(
    "sac 3",
    r"L_\pi(\theta) = \E_{\epsilon \sim \mathcal{N}}\Big[\alpha \log \pi_\theta\big(\tilde{a}_\theta(s, \epsilon) "
    r"\given s\big) - \min_{i=1,2} Q_{\phi_i}\big(s, \tilde{a}_\theta(s, \epsilon)\big)\Big]",
    lambda f, x: f.pi_loss(x.pi, x.qs, x.batch, x.eps, x.alpha),
)
def _(x):
    a, logp = x.pi(x.batch.o, x.eps)
    q1, q2 = x.qs(x.batch.o, a)
    return np.mean([x.alpha * logp[i] - min(q1[i], q2[i]) for i in range(B)])


@equation(
    "sac 4",
    r"L_\alpha = -\E\big[\log \alpha\, \big(\log \pi_\theta(\tilde{a} \given s) + \bar{\mathcal{H}}\big)\big]",
    lambda f, x: f.alpha_loss(x.array(np.log(x.alpha)), x.logp, -2.0),
)
def _(x):
    return -np.mean([np.log(x.alpha) * (logp + -2.0) for logp in x.logp])


# ---- the comparison ----


@pytest.mark.parametrize(("name", "latex"), [pytest.param(*found, id=found[0]) for found in SHOWN])
def test_a_page_shows_the_equation_that_is_compared(name, latex):
    assert latex == EQUATIONS[name][0]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", EQUATIONS)
def test_an_equation_is_what_its_function_computes(name, backend):
    if backend not in algorithms():
        pytest.skip(f"{backend} is not installed")
    _, transcription, call = EQUATIONS[name]
    module = import_module(home_of(name.split()[0], backend))
    x = inputs(arrays_of(backend))
    x.array = arrays_of(backend)
    expected = np.asarray(transcription(inputs(np.array)))
    np.testing.assert_allclose(value(call(module, x)), expected, rtol=1e-9 if backend == "pytorch" else 1e-5)


def home_of(module, backend):
    return "spinup.experience.buffers" if module == "buffers" else f"spinup.algos.{backend}.{module}"
