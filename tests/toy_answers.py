"""Answers to the exercises, right and wrong, as students write them; ``xp`` stands for torch or jax.numpy."""

import ast
import importlib
import inspect
import textwrap

from spinup.exercises.exercise import BACKEND_FREE, exercise_file, find_exercise

XP = {"pytorch": "torch", "jax": "jnp", BACKEND_FREE: "np"}
SOFTPLUS = {"pytorch": "F.softplus", "jax": "jax.nn.softplus"}
STOP = {"pytorch": "torch.Tensor.detach", "jax": "__import__('jax').lax.stop_gradient"}


def source_of(blank, backend):
    """The source of the package's own function or class, of which a bugged one is a copy."""
    module = importlib.import_module(blank.home.format(backend=backend))
    return textwrap.dedent(inspect.getsource(getattr(module, blank.name.removeprefix("Bugged"))))


def answer(number, backend, bodies):
    """The file to complete, completed: each function with its body in ``bodies``, or else as in the package.

    A class is replaced as a whole, by its source in ``bodies`` or that of :data:`CLASSES`, with the pairs (old, new) of
    text in ``bodies`` exchanged.
    """
    text = exercise_file(number, backend).read_text(encoding="utf-8")
    for blank in find_exercise(number).blanks:
        old = ast.get_source_segment(text, definition(text, blank.name))
        body = bodies.get(blank.name)
        if blank.name in CLASSES:
            new = CLASSES[blank.name][backend]
            for before, after in (body or {}).get(backend, ()):
                assert before in new
                new = new.replace(before, after)
        elif body is None:
            new = source_of(blank, backend).rstrip()
            new = new[new.index(f"{old.split()[0]} {blank.name}") :]  # the file has its decorators already
        else:
            new = (
                old[: old.rindex(old.splitlines()[-1].strip())]
                + textwrap.indent(textwrap.dedent(body).strip(), "    ").lstrip()
            )
        new = new.replace("xp.", f"{XP[backend]}.").replace("stop(", f"{STOP.get(backend)}(")
        new = new.replace("SOFTPLUS", f"{SOFTPLUS.get(backend)}")
        text = text.replace(old, new)
    return text


def definition(text, name):
    """The node of the function or class ``name`` in ``text``."""
    return next(node for node in ast.parse(text).body if getattr(node, "name", "") == name)


CLASSES = {  # as a student may write them
    "MLPGaussianActor": {
        "pytorch": """class MLPGaussianActor(nn.Module):
    def __init__(self, obs_dim, action_space, hidden_sizes, activation):
        super().__init__()
        layers, n_in = [], obs_dim
        for n in hidden_sizes:
            layers += [nn.Linear(n_in, n), activation()]
            n_in = n
        self.net = nn.Sequential(*layers, nn.Linear(n_in, action_space.shape[0]))
        self.log_std = nn.Parameter(torch.full(action_space.shape, -0.5))

    def forward(self, obs, act=None):
        pi = Independent(Normal(self.net(obs), torch.exp(self.log_std)), 1)
        return pi, None if act is None else pi.log_prob(act)

    @torch.no_grad()
    def act(self, obs, deterministic):
        pi, _ = self(torch.as_tensor(obs))
        return (pi.mean if deterministic else pi.sample()).numpy()
""",
        "jax": """class MLPGaussianActor:
    mu_net: core.MLP
    log_std: jax.Array

    @classmethod
    def create(cls, obs_dim, action_space, hidden_sizes, activation):
        n = action_space.shape[0]
        return cls(core.MLP.create([obs_dim, *hidden_sizes, n], activation), jnp.full(n, -0.5))

    def __call__(self, obs, act=None):
        pi = core.Gaussian(self.mu_net(obs), self.log_std)
        return pi, None if act is None else pi.log_prob(act)

    def act(self, obs, deterministic):
        mu = self.mu_net.forward_numpy(obs)
        noise = 0 if deterministic else np.random.standard_normal(mu.shape).astype(mu.dtype)
        return mu + np.exp(np.asarray(self.log_std)) * noise
""",
    }
}

for _backend in ("pytorch", "jax"):
    _text = exercise_file("2.2", _backend).read_text(encoding="utf-8")
    _bugged = ast.get_source_segment(_text, definition(_text, "BuggedMLPQFunction"))
    CLASSES.setdefault("BuggedMLPQFunction", {})[_backend] = _bugged.replace("act))", "act)).squeeze(-1)").replace(
        "net(x)", "net(x).squeeze(-1)"
    )

INDEPENDENT = "Independent(Normal(self.net(obs), torch.exp(self.log_std)), 1)"
POLICY, CRITIC = "MLPGaussianActor", "BuggedMLPQFunction"
GAUSSIAN = "gaussian_log_density"
TERMS = "0.5 * ((x - mu) / xp.exp(log_std)) ** 2 + log_std + 0.5 * math.log(2 * math.pi)"
A2 = "a2 = target_action(pi_targ, batch.o2, eps, noise_clip, act_low, act_high)\n"
CLIP = "xp.clip(eps, -noise_clip, noise_clip)"
HALF = "(act_high - act_low) / 2"
WRONG = {  # exercise, function, body, and how the mistake is called
    "1.1": [
        (GAUSSIAN, f"return ({TERMS}).sum(-1)", "the sign is wrong"),
        (GAUSSIAN, f"return -({TERMS})", "the sum over the dimensions is missing"),
        (GAUSSIAN, f"return -({TERMS}).sum()", "you summed over the batch too"),
        (GAUSSIAN, f"return -({TERMS}).sum(0)", "you summed over the rows"),
        (GAUSSIAN, f"return -({TERMS}).sum(-1)[:, None]", "a dimension of length 1 is left over"),
        (
            GAUSSIAN,
            "return -(0.5 * ((x - mu) / log_std) ** 2 + xp.log(log_std) + 0.5 * math.log(2 * math.pi)).sum(-1)",
            "you took the last argument for std",
        ),
        (
            GAUSSIAN,
            """
            k = x.shape[-1]
            return -0.5 * (((x - mu) / xp.exp(log_std)) ** 2 + 2 * log_std).sum(-1) - 0.5 * math.log(2 * math.pi)
            """,
            "log(2 pi) is counted once a row",
        ),
        (
            GAUSSIAN,
            "return -0.5 * (((x - mu) / xp.exp(log_std)) ** 2 + log_std + math.log(2 * math.pi)).sum(-1)",
            "log std has half its weight",
        ),
        (GAUSSIAN, f"return xp.exp(-({TERMS}).sum(-1))", "you returned the density"),
    ],
    "1.2": [
        (
            POLICY,
            {
                "pytorch": [("pi.log_prob", "Normal(pi.mean, pi.stddev).log_prob")],
                "jax": [("pi.log_prob(act)", "jax.scipy.stats.norm.logpdf(act, pi.mu, jnp.exp(pi.log_std))")],
            },
            "the log-density is not summed over the dimensions",
        ),
        (
            POLICY,
            {
                "pytorch": [
                    (INDEPENDENT, "Normal(self.net(obs), self.log_std.exp())"),
                    ("pi.log_prob(act)", "pi.log_prob(act).sum(-1)"),
                ],
            },
            "the entropy is not summed",
        ),
        (
            POLICY,
            {backend: [("log_prob(act)", "log_prob(act).sum()")] for backend in ("pytorch", "jax")},
            "the log-density is summed over the batch too",
        ),
        (
            POLICY,
            {
                "pytorch": [("torch.exp(self.log_std)", "self.log_std")],
                "jax": [("(obs), self.log_std)", "(obs), jnp.log(self.log_std))")],
            },
            "the parameters are the deviations, not their logarithms",
        ),
        (
            POLICY,
            {
                "pytorch": [
                    ("nn.Parameter(torch.full(action_space.shape, -0.5))", "torch.full(action_space.shape, -0.5)")
                ],
                "jax": [("(obs), self.log_std)", "(obs), jnp.full(self.log_std.shape, -0.5))")],
            },
            "the deviations are no parameters",
        ),
        (
            POLICY,
            {
                "pytorch": [("action_space.shape[0])", "action_space.shape[0]), nn.Tanh()")],
                "jax": [("n], activation)", "n], activation, jax.nn.tanh)")],
            },
            "there is an activation after the last layer",
        ),
        (
            POLICY,
            {
                "pytorch": [(", activation()]", "]")],
                "jax": [("n], activation)", "n], activation).replace(activation=core.identity)")],
            },
            "there is no activation between the layers",
        ),
        (
            POLICY,
            {
                "pytorch": [("for n in hidden_sizes:", "for n in hidden_sizes[1:]:")],
                "jax": [("*hidden_sizes", "*hidden_sizes[1:]")],
            },
            "the first of the hidden layers is missing",
        ),
    ],
    "1.3": [
        ("target_action", f"return xp.clip(pi_targ(o2) + {HALF} * eps, act_low, act_high)", "the noise is not clipped"),
        ("target_action", f"return pi_targ(o2) + {HALF} * {CLIP}", "the action is not clipped"),
        (
            "target_action",
            f"""
            noise = xp.clip({HALF} * eps, -noise_clip, noise_clip)
            return xp.clip(pi_targ(o2) + noise, act_low, act_high)
            """,
            "the noise is clipped after it was scaled",
        ),
        ("target_action", f"return xp.clip(pi_targ(o2) + {CLIP}, act_low, act_high)", "the noise is not scaled"),
        ("target_action", f"return xp.clip(pi_targ(o2) + {HALF} * {CLIP}, -1, 1)", "the bounds are taken to be -1 and"),
        (
            "td_target",
            A2 + "return batch.r + gamma * xp.amin(q_targ(batch.o2, a2), 0)",
            "the factor (1 - d) is missing",
        ),
        (
            "td_target",
            A2 + "return batch.r + gamma * (1 - batch.d) * q_targ(batch.o2, a2).mean(0)",
            "you took the mean",
        ),
        (
            "td_target",
            A2 + "return batch.r + gamma * (1 - batch.d) * q_targ(batch.o2, a2).min()",
            "you took the minimum over the critics and the batch",
        ),
        (
            "td_target",
            A2 + "q1, q2 = q_targ(batch.o2, a2)\nreturn batch.r + gamma * (1 - batch.d) * xp.maximum(q1, q2)",
            "you took the higher of the two critics",
        ),
        (
            "td_target",
            "q1, q2 = q_targ(batch.o2, pi_targ(batch.o2))\nreturn batch.r + gamma * (1 - batch.d) * xp.minimum(q1, q2)",
            "the target action is not smoothed",
        ),
        (
            "td_target",
            A2 + "q1, q2 = q_targ(batch.o2, a2)\nreturn (1 - batch.d) * (batch.r + gamma * xp.minimum(q1, q2))",
            "(1 - d) also removes the reward",
        ),
        (
            "q_loss",
            "q_vals = q(batch.o, batch.a)\nreturn ((q_vals - y) ** 2).mean(), q_vals",
            "you took the mean over both",
        ),
        (
            "q_loss",
            "q_vals = q(batch.o, batch.a)\nreturn ((q_vals - y) ** 2).sum(), q_vals",
            "you summed over the batch",
        ),
        (
            "q_loss",
            "q1, q2 = q(batch.o, batch.a)\nreturn ((q1 - y) ** 2).mean(), xp.stack([q1, q2])",
            "only the first critic",
        ),
        ("pi_loss", "return q(batch.o, pi(batch.o))[0].mean()", "the sign is wrong"),
        ("pi_loss", "return -q(batch.o, pi(batch.o)).mean()", "you took the mean over both critics"),
        ("pi_loss", "return -q(batch.o, pi(batch.o))[1].mean()", "you took the second critic"),
        (
            "pi_loss",
            "q1, q2 = q(batch.o, pi(batch.o))\nreturn -xp.minimum(q1, q2).mean()",
            "you took the lower of both",
        ),
        ("pi_loss", "return -q(batch.o, batch.a)[0].mean()", "you took the actions from the batch"),
        ("pi_loss", "return -q(batch.o, stop(pi(batch.o)))[0].mean()", "the gradient is cut off"),
    ],
    "2.2": [
        (CRITIC, {backend: [(".squeeze(-1)", way)] for backend in ("pytorch", "jax")}, name)
        for way, name in (
            ("", "the values have the shape [B, 1]"),
            (".squeeze()", "all dimensions of length 1 are gone"),
            (".reshape(1, -1)", "the values have the shape [1, B]"),
            (".mean()", "you took the mean over the batch"),
            ("[0]", "you took the first row of the batch"),
            (" * xp.ones(len(obs))", "the values are a matrix [B, B]"),
        )
    ],
    "3.1": [
        (
            "discount_cumsum",
            """
            y, total = np.zeros(x.shape), 0
            for t in reversed(range(len(x))):
                y[t] = total = x[t] + discount * total
            return y
            """,
            "the sum runs on across the end of an episode",
        ),
        (
            "discount_cumsum",
            """
            y, total = np.zeros_like(x), 0
            for t in reversed(range(len(x))):
                y[t] = total = x[t] + discount * total * (1 - ended[t])
            return y
            """,
            "the sums are stored as whole numbers",
        ),
        (
            "discount_cumsum",
            """
            y, total = np.zeros(x.shape), 0
            for t in range(len(x)):
                total = x[t] + (discount * (1 - ended[t - 1]) * total if t else 0)
                y[t] = total
            return y
            """,
            "the sum is over the past",
        ),
        ("gae", "return discount_cumsum(r + gamma * v2 - v, gamma * lam, ended)", "terminal states are bootstrapped"),
        (
            "gae",
            "return discount_cumsum(r + gamma * (1 - ended) * v2 - v, gamma * lam, ended)",
            "a time limit counts as",
        ),
        (
            "gae",
            "return discount_cumsum(r + gamma * (1 - d) * v2 - v, gamma * lam, d)",
            "the sum runs on behind a time",
        ),
        ("gae", "return discount_cumsum(r + gamma * (1 - d) * v2 - v, gamma, ended)", "lambda is missing"),
        ("gae", "return discount_cumsum(r + (1 - d) * v2 - v, gamma * lam, ended)", "V(o2) is not discounted"),
        (
            "gae",
            """
            v_next = np.append(v[1:], v2[-1:], axis=0)
            return discount_cumsum(r + gamma * (1 - d) * v_next - v, gamma * lam, ended)
            """,
            "the value of the next row stands for that of the successor",
        ),
    ],
    "3.2": [
        (
            "td_target",
            f"return batch.r + gamma * {factor} * pick(values, a2)",
            name,
        )
        for factor, name in (
            ("1", "life goes on after a terminal state"),
            ("(1 - batch.ended)", "a time limit counts as death"),
            ("batch.d", "d stands where (1 - d) belongs"),
            ("(1 - batch.ended + batch.d)", "life goes on after a fall, but not after a time limit"),
        )
    ]
    + [
        (
            "td_target",
            "return (1 - batch.d) * (batch.r + gamma * pick(values, a2))",
            "(1 - d) also removes the reward",
        )
    ],
    "3.3": [
        ("policy_loss", f"w = xp.exp(logp - logp_old)\n{body}", name)
        for body, name in (
            (
                "return xp.minimum(w * adv, xp.clip(w, 1 - clip_ratio, 1 + clip_ratio) * adv).mean()",
                "the sign is wrong",
            ),
            (
                "return -xp.maximum(w * adv, xp.clip(w, 1 - clip_ratio, 1 + clip_ratio) * adv).mean()",
                "you took the larger",
            ),
            ("return -(w * adv).mean()", "the ratio is not clipped"),
            ("return -(xp.clip(w, 1 - clip_ratio, 1 + clip_ratio) * adv).mean()", "only the clipped term is left"),
            (
                "w = 1 / w\nreturn -xp.minimum(w * adv, xp.clip(w, 1 - clip_ratio, 1 + clip_ratio) * adv).mean()",
                "the ratio is up",
            ),
            (
                "return -xp.minimum(w * adv, xp.clip(w * adv, 1 - clip_ratio, 1 + clip_ratio)).mean()",
                "the product with the",
            ),
            (
                "return -xp.minimum(w * adv, xp.clip(w, 1 - clip_ratio, 1 + clip_ratio) * adv).sum()",
                "you took the sum over",
            ),
            (
                "return -xp.minimum(w * adv, xp.clip(w, 1 - clip_ratio, 1 + clip_ratio) * adv)",
                "the mean over the batch is missing",
            ),
            ("return -(logp * adv).mean()", "this is the loss of VPG"),
            (
                "w = stop(w)\nreturn -xp.minimum(w * adv, xp.clip(w, 1 - clip_ratio, 1 + clip_ratio) * adv).mean()",
                "the gradient is",
            ),
        )
    ],
    "3.4": [
        ("squashed_log_density", f"g = gaussian_log_density(u, mu, log_std)\n{body}", name)
        for body, name in (
            ("return g", "the correction for tanh is missing"),
            ("return g - xp.log(1 - xp.tanh(u) ** 2).sum(-1)", "the correction is rounded, since tanh(u) is 1"),
            ("return g - xp.log(1 - xp.tanh(u) ** 2 + 1e-6).sum(-1)", "the correction is rounded, and saved by 1e-6"),
            (
                "g = gaussian_log_density(xp.tanh(u), mu, log_std)\n"
                "return g - 2 * (math.log(2) - u - SOFTPLUS(-2 * u)).sum(-1)",
                "the Gaussian is eval",
            ),
            ("return g + 2 * (math.log(2) - u - SOFTPLUS(-2 * u)).sum(-1)", "the correction has the wrong sign"),
            ("return g - 2 * (math.log(2) - u - SOFTPLUS(-2 * u)).mean(-1)", "the correction is averaged"),
            ("return g - (math.log(2) - u - SOFTPLUS(-2 * u)).sum(-1)", "half of the correction is missing"),
        )
    ]
    + [
        (
            "td_target",
            f"a2, logp = pi(batch.o2, eps)\nq1, q2 = q_targ(batch.o2, a2)\nreturn batch.r + gamma * {body}",
            name,
        )
        for body, name in (
            ("(1 - batch.d) * xp.minimum(q1, q2)", "the entropy is missing"),
            ("(1 - batch.d) * (xp.minimum(q1, q2) + alpha * logp)", "the entropy has the wrong sign"),
            ("((1 - batch.d) * xp.minimum(q1, q2) - alpha * logp)", "the entropy counts after a terminal state"),
            ("(1 - batch.d) * xp.minimum(q1, q2) - alpha * logp", "the entropy stands outside the brackets"),
            ("(1 - batch.d) * (q1 - alpha * logp)", "you took the first critic only"),
            ("(xp.minimum(q1, q2) - alpha * logp)", "the factor (1 - d) is missing"),
        )
    ]
    + [
        ("pi_loss", f"a, logp = pi(batch.o, eps)\nq1, q2 = q(batch.o, a)\nreturn {body}.mean(), logp", name)
        for body, name in (
            ("(xp.minimum(q1, q2) - alpha * logp)", "the sign is wrong"),
            ("(-xp.minimum(q1, q2) - alpha * logp)", "the entropy has the wrong sign"),
            ("(-xp.minimum(q1, q2))", "the entropy is missing"),
            ("(alpha * logp - q1)", "you took the first critic only"),
            ("(alpha * logp - xp.minimum(*q(batch.o, batch.a)))", "the critic judges the actions of the batch"),
        )
    ],
}
RIGHT = {  # exercise, backend or None for all, and another way to write it
    "2.2": [
        (None, {}),
        (None, {CRITIC: {backend: [(".squeeze(-1)", "[..., 0]")] for backend in ("pytorch", "jax")}}),
        (None, {CRITIC: {backend: [(".squeeze(-1)", ".flatten()")] for backend in ("pytorch", "jax")}}),
    ],
    "1.2": [
        (None, {}),
        ("pytorch", {POLICY: {"pytorch": [("pi.log_prob(act)", "gaussian_log_density(act, pi.mean, self.log_std)")]}}),
        (
            "pytorch",
            {
                POLICY: {
                    "pytorch": [
                        (
                            INDEPENDENT,
                            "torch.distributions.MultivariateNormal(self.net(obs), torch.exp(2 * self.log_std).diag())",
                        )
                    ]
                }
            },
        ),
        ("jax", {POLICY: {"jax": [("pi.log_prob(act)", "gaussian_log_density(act, pi.mu, pi.log_std)")]}}),
    ],
    "1.1": [
        (
            "pytorch",
            {GAUSSIAN: "return torch.distributions.Normal(mu, log_std.exp()).log_prob(x).sum(axis=-1)"},
        ),
        (
            "jax",
            {GAUSSIAN: "import jax\nreturn jax.scipy.stats.norm.logpdf(x, mu, jnp.exp(log_std)).sum(axis=-1)"},
        ),
        (
            None,
            {
                GAUSSIAN: """
                total = 0
                for i in reversed(range(x.shape[-1])):
                    s = log_std[..., i]
                    total = total - (x[:, i] - mu[:, i]) ** 2 / (2 * xp.exp(2 * s) + 1e-8) - s
                return total - x.shape[-1] / 2 * math.log(2 * math.pi)
                """
            },
        ),
    ],
    "1.3": [
        (
            None,
            {
                "target_action": """
                half = 0.5 * (act_high - act_low)
                noise = xp.minimum(xp.maximum(eps, 0 * eps - noise_clip), 0 * eps + noise_clip) * half
                a = noise + pi_targ(o2)
                return xp.maximum(xp.minimum(a, act_high), act_low)
                """,
                "td_target": A2
                + """
q1, q2 = q_targ(batch.o2, a2)
rows = [r if d else r + gamma * min(x, y) for r, d, x, y in zip(batch.r, batch.d, q1, q2)]
return xp.stack(rows)""",
                "q_loss": """
                q1, q2 = values = q(batch.o, batch.a)
                return (y - q1) @ (y - q1) / len(y) + xp.square(q2 - y).mean(), values
                """,
                "pi_loss": "return (-q(batch.o, pi(batch.o))[0]).sum() / len(batch.o)",
            },
        ),
    ],
    "3.1": [
        (
            None,
            {
                "discount_cumsum": """
                T = len(x)
                y = np.array(x, float)
                for t in range(T):
                    weight = 1.0
                    for later in range(t + 1, T):
                        weight = weight * discount * (1 - 1.0 * ended[later - 1])
                        y[t] += weight * x[later]
                return y
                """,
                "gae": """
                adv, last = np.zeros(np.shape(r)), 0
                for t in range(len(r) - 1, -1, -1):
                    bootstrap = np.where(d[t], 0, v2[t])
                    last = r[t] + gamma * bootstrap - v[t] + np.where(ended[t], 0, gamma * lam * last)
                    adv[t] = last
                return adv
                """,
            },
        )
    ],
    "3.2": [
        (
            None,
            {"td_target": "return xp.where(batch.d > 0, batch.r, batch.r + gamma * pick(values, a2))"},
        ),
    ],
    "3.3": [
        (
            None,
            {
                "policy_loss": """
                w = xp.exp(logp) / xp.exp(logp_old)
                bound = xp.where(adv > 0, 1 + clip_ratio, 1 - clip_ratio)
                return -xp.where(adv > 0, xp.minimum(w, bound), xp.maximum(w, bound)).dot(adv) / len(adv)
                """
            },
        )
    ],
    "3.4": [
        (
            None,
            {
                "squashed_log_density": """
                x = abs(u)  # the slope is even
                log_slope = math.log(4) - 2 * x - 2 * xp.log1p(xp.exp(-2 * x))
                total = 0
                for i in range(u.shape[1]):
                    one = slice(i, i + 1)
                    total = total + gaussian_log_density(u[:, one], mu[:, one], log_std[:, one]) - log_slope[:, i]
                return total
                """,
                "td_target": """
                a2, logp = pi(batch.o2, eps)
                soft = xp.minimum(*q_targ(batch.o2, a2)) - alpha * logp
                return xp.where(batch.d == 1, batch.r, batch.r + gamma * soft)
                """,
                "pi_loss": """
                a, logp = pi(batch.o, eps)
                q1, q2 = q(batch.o, a)
                return -(xp.minimum(q1, q2) - alpha * logp).mean(), logp
                """,
            },
        )
    ],
}
