"""Answers to the exercises, right and wrong, as students write them; ``xp`` stands for torch or jax.numpy."""

import ast
import importlib
import inspect
import textwrap

from spinup.exercises.exercise import BACKEND_FREE, exercise_file, find_exercise

XP = {"pytorch": "torch", "jax": "jnp", BACKEND_FREE: "np"}
STOP = {"pytorch": "torch.Tensor.detach", "jax": "__import__('jax').lax.stop_gradient"}


def source_of(blank, backend):
    """The source of the package's own function (or class)."""
    module = importlib.import_module(blank.home.format(backend=backend))
    return textwrap.dedent(inspect.getsource(getattr(module, blank.name)))


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
            head = old[: old.rindex("raise NotImplementedError")]
            new = head + textwrap.indent(textwrap.dedent(body).strip(), "    ").lstrip()
        new = new.replace("xp.", f"{XP[backend]}.").replace("stop(", f"{STOP.get(backend)}(")
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
        pi = Normal(self.net(obs), torch.exp(self.log_std))
        return pi, None if act is None else pi.log_prob(act).sum(-1)

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

POLICY = "MLPGaussianActor"
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
                "pytorch": [("log_prob(act).sum(-1)", "log_prob(act)")],
                "jax": [("pi.log_prob(act)", "jax.scipy.stats.norm.logpdf(act, pi.mu, jnp.exp(pi.log_std))")],
            },
            "the log-density is not summed over the dimensions",
        ),
        (
            POLICY,
            {"pytorch": [("sum(-1)", "sum()")], "jax": [("log_prob(act)", "log_prob(act).sum()")]},
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
}
INDEPENDENT = [
    ("Normal(self.net(obs), torch.exp(self.log_std))", "Independent(Normal(self.net(obs), self.log_std.exp()), 1)")
]
RIGHT = {  # exercise, backend or None for all, and another way to write it
    "1.2": [
        (None, {}),
        ("pytorch", {POLICY: {"pytorch": [*INDEPENDENT, ("log_prob(act).sum(-1)", "log_prob(act)")]}}),
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
}
