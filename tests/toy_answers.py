"""Answers to the exercises, right and wrong, as students write them; ``xp`` stands for torch or jax.numpy."""

import ast
import importlib
import inspect
import textwrap

from spinup.exercises.exercise import BACKEND_FREE, exercise_file, find_exercise

XP = {"pytorch": "torch", "jax": "jnp", BACKEND_FREE: "np"}


def source_of(blank, backend):
    """The source of the package's own function (or class)."""
    module = importlib.import_module(blank.home.format(backend=backend))
    return textwrap.dedent(inspect.getsource(getattr(module, blank.name)))


def answer(number, backend, bodies):
    """The file to complete, completed: each function with its body in ``bodies``, or else as in the package."""
    text = exercise_file(number, backend).read_text(encoding="utf-8")
    for blank in find_exercise(number).blanks:
        body = bodies.get(blank.name)
        old = ast.get_source_segment(text, definition(text, blank.name))
        if body is None:
            new = source_of(blank, backend).rstrip()
            new = new[new.index(f"{old.split()[0]} {blank.name}") :]  # the file has its decorators already
        else:
            head = old[: old.rindex("raise NotImplementedError")]
            new = head + textwrap.indent(textwrap.dedent(body).strip(), "    ").lstrip()
        text = text.replace(old, new.replace("xp.", f"{XP[backend]}."))
    return text


def definition(text, name):
    """The node of the function or class ``name`` in ``text``."""
    return next(node for node in ast.parse(text).body if getattr(node, "name", "") == name)


GAUSSIAN = "gaussian_log_density"
TERMS = "0.5 * ((x - mu) / xp.exp(log_std)) ** 2 + log_std + 0.5 * math.log(2 * math.pi)"
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
}
RIGHT = {  # exercise, backend or None for all, and another way to write it
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
}
