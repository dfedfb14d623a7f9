"""The directives ``command-builder``, a form that writes a training command, and ``hyperparameters``, their table.

Both are made from the signatures and docstrings of the training functions, so that they cannot differ from them. The
form itself works in ``_static/command_builder.js``; a reader without scripts sees its first command.
"""

import html
import inspect
import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from docutils import nodes
from gymnasium import spaces
from sphinx.util.docutils import SphinxDirective

import spinup
from spinup import user_config
from spinup.commands.flags import NOT_FLAGS
from spinup.errors import UserError

NAMES = {"pytorch": "PyTorch", "jax": "JAX", "tf1": "TensorFlow"}
OBSERVATIONS = spaces.Box(-1, 1, (3,), np.float32)
DISCRETE, CONTINUOUS = spaces.Discrete(2), spaces.Box(-1, 1, (2,), np.float32)  # actions of these kinds
ENVS = dict.fromkeys(("CartPole-v1", "Acrobot-v1", "LunarLander-v3"), DISCRETE)
ENVS |= dict.fromkeys(("Pendulum-v1", "Swimmer-v5", "Hopper-v5", "HalfCheetah-v5"), CONTINUOUS)
OWN_FIELDS = (*NOT_FLAGS, "actor_critic", "ac_kwargs", "seed", "epochs", "resume")  # not in the list of the form
SHORTCUTS = {  # of entries of ac_kwargs, whose defaults are those of the networks
    "hid": ("", "sizes of the hidden layers, such as [64,64]"),
    "act": ("", "activation of the hidden layers, such as tanh or relu"),
}
FIRST = {"algorithm": "ppo", "env": "CartPole-v1", "epochs": 30, "seeds": "0 10 20", "exp_name": "first"}


def training_functions() -> dict[str, Callable]:
    """The training functions by algorithm, in its default backend; tests check that the others take the same."""
    return {algo: getattr(spinup, f"{algo}_{backend}") for algo, backend in user_config.DEFAULT_BACKEND.items()}


def parameters_of(function: Callable) -> dict[str, tuple[str, str]]:
    """By name, the default and the description of each parameter of a training function that is a flag."""
    described = dict(re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", inspect.getdoc(function), flags=re.MULTILINE))
    return {
        parameter.name: (_as_text(parameter.default), _plain(described[parameter.name]))
        for parameter in inspect.signature(function).parameters.values()
        if parameter.name not in NOT_FLAGS
    }


def _as_text(default: Any) -> str:
    return str(getattr(default, "__qualname__", default))


def _plain(description: str) -> str:
    """A description without line breaks and the marks of reStructuredText."""
    return re.sub(r":\w+:`~?([^`]*)`|``", r"\1", " ".join(description.split()))


def suits(function: Callable, actions: spaces.Space) -> bool:
    """Whether the agent of a training function can act in the space ``actions``."""
    agent = inspect.signature(function).parameters["actor_critic"].default
    try:
        agent(OBSERVATIONS, actions)
    except UserError:
        return False
    return True


def form_data() -> dict[str, Any]:
    """All that the script knows of each algorithm."""
    return {
        algo: {
            "default": user_config.DEFAULT_BACKEND[algo],
            "backends": [backend for backend, algos in spinup.ALGORITHMS.items() if algo in algos],
            "unsuited": [name for name, actions in ENVS.items() if not suits(function, actions)],
            "steps": inspect.signature(function).parameters["steps_per_epoch"].default,
            "parameters": SHORTCUTS | {k: v for k, v in parameters_of(function).items() if k not in OWN_FIELDS},
        }
        for algo, function in training_functions().items()
    }


class CommandBuilder(SphinxDirective):
    """The form, hidden until its script runs, and below it the command."""

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(__file__)
        data = form_data()
        up = "../" * self.env.docname.count("/")
        return [nodes.raw("", _form(data, up), format="html")]


def _form(data: dict[str, Any], up: str) -> str:
    options = "".join(f"<option{' selected' if algo == FIRST['algorithm'] else ''}>{algo}</option>" for algo in data)
    backends = "".join(f'<option value="{b}">{NAMES[b]}</option>' for b in spinup.ALGORITHMS)
    envs = "".join(f'<option value="{env}">' for env in ENVS)
    command = "spinup {algorithm} --env {env} --epochs {epochs} --seed {seeds} --exp_name {exp_name}".format(**FIRST)
    return f"""<div class="builder" id="command-builder">
<noscript><p>The form that belongs here needs JavaScript. An example of what it writes:</p></noscript>
<form hidden>
<label>Algorithm <select name="algorithm">{options}</select></label>
<label>Backend <select name="backend">{backends}</select></label>
<label>Environment <input name="env" list="builder-envs" value="{FIRST["env"]}"></label>
<datalist id="builder-envs">{envs}</datalist>
<label>Experiment name <input name="exp_name" value="{FIRST["exp_name"]}"></label>
<label>Epochs <input name="epochs" type="number" min="1" value="{FIRST["epochs"]}"></label>
<label>Seeds <input name="seed" value="{FIRST["seeds"]}"></label>
<fieldset><legend>Hyperparameters; several values make a grid</legend><div class="rows"></div>
<button type="button" name="add">Add a hyperparameter</button></fieldset>
<label class="wide">Runs <select name="jobs"><option value="">one after the other</option>
<option value="auto">in parallel, one on each core</option></select></label>
</form>
<div class="highlight"><pre tabindex="0" aria-live="polite">{html.escape(command)}</pre></div>
<p class="sum" aria-live="polite">3 runs = 3 seeds</p>
<script type="application/json">{json.dumps(data)}</script>
<script defer src="{up}_static/command_builder.js"></script>
</div>"""


class Hyperparameters(SphinxDirective):
    """A table of all hyperparameters with the default of each algorithm."""

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(__file__)
        return self.parse_text_to_nodes("\n".join(hyperparameter_table()))


def hyperparameter_table() -> list[str]:
    """The lines of the table, in Markdown."""
    of_algo = {algo: parameters_of(function) for algo, function in training_functions().items()}
    names = dict.fromkeys(name for parameters in of_algo.values() for name in parameters)
    lines = [f"| parameter | {' | '.join(of_algo)} |", f"|---|{'---|' * len(of_algo)}"]
    for name in names:
        if name not in ("actor_critic", "ac_kwargs"):
            cells = [parameters.get(name, ("",))[0] for parameters in of_algo.values()]
            lines.append(f"| `{name}` | {' | '.join(cells)} |")
    return lines


def setup(app):
    """Register the directives."""
    app.add_directive("command-builder", CommandBuilder)
    app.add_directive("hyperparameters", Hyperparameters)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
