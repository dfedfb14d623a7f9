"""The style of DESIGN, section by section, read from the source itself."""

import ast
import functools
import re
import subprocess
import sys
import time
import tomllib
from graphlib import TopologicalSorter
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import spinup

PACKAGE = Path(spinup.__file__).parent
ROOT = PACKAGE.parent
MODULES = sorted(PACKAGE.rglob("*.py"))
SCRIPTS = sorted([*ROOT.glob("tests/**/*.py"), *ROOT.glob("bench/**/*.py")])

FLOORS = (  # who may import whom: only what is on the same floor or below
    {"errors", "interrupts", "user_config"},
    {"mpi", "backends"},
    {"hyperparameters", "experience"},
    {"records"},
    {"algos", "analysis"},
    {"experiments", ""},  # the package itself, whose names are loaded lazily
    {"commands", "exercises"},
    {"run", "__main__", "examples", "utils"},
)
FRAMEWORKS = {"torch", "jax", "jaxlib", "flax", "optax", "tensorflow", "mpi4py", "ray"}
ALGORITHM_LINES, BODY_LINES, NESTED_DEFS = 250, 50, 2
EQUATIONS = {  # names that the course quotes and that may not drift; a new algorithm need not be listed
    "vpg": "policy_loss value_loss",
    "trpo": "surrogate mean_kl hessian_vector_product conjugate_gradient natural_step line_search value_loss",
    "ppo": "policy_loss value_loss approx_kl",
    "dqn": "td_target q_loss",
    "ddpg": "td_target q_loss pi_loss",
    "td3": "target_action td_target q_loss pi_loss",
    "sac": "td_target q_loss pi_loss alpha_loss",
}
# An algorithm's equations are documented, with their symbols, at the top of the file.
BLANKS = {*PACKAGE.glob("exercises/*/problem_set_?/*.py")}  # equations of the algorithms, for students to write
SHARED = {"core", "training", "backend", "__init__"}  # files of a backend that are no algorithms
WITH_EQUATIONS = {path for path in PACKAGE.glob("algos/*/*.py") if path.stem not in SHARED}
NUMBERED = sorted([*WITH_EQUATIONS, *PACKAGE.glob("algos/*/core.py"), *PACKAGE.glob("algos/*/training.py")])
NUMBERED.append(PACKAGE / "experience" / "buffers.py")
ALGORITHMS = [
    pytest.param(backend, algo, id=f"{backend}-{algo}")
    for backend, algos in spinup.ALGORITHMS.items()
    for algo in algos
]


@functools.cache
def parse(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def name_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def imports(nodes):
    """Full names of the modules that ``nodes`` import."""
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def imported_at_once(tree):
    """What a module imports when it is itself imported, not when a function of it is called."""
    nodes, found = list(tree.body), []
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "__name__ == '__main__'"):
            continue
        found.append(node)
        nodes.extend(ast.iter_child_nodes(node))
    return imports(found)


def functions(tree):
    """Every function with how deep it is nested in others (1: not at all)."""
    stack = [(tree, 0)]
    while stack:
        node, depth = stack.pop()
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if is_function:
            yield node, depth + 1
        stack.extend((child, depth + is_function) for child in ast.iter_child_nodes(node))


def body_lines(function):
    """Lines of the body, without the docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def public_functions(path):
    return [node.name for node in parse(path).body if isinstance(node, ast.FunctionDef) and node.name[0] != "_"]


def algorithm_file(backend, algo):
    return PACKAGE / "algos" / backend / f"{algo}.py"


# ---- who may import whom ----


# Rooms have a folder for each backend, and only there its framework is imported at once.
IN_A_BACKEND = {path for backend in spinup.ALGORITHMS for path in PACKAGE.glob(f"*/{backend}/**/*.py")}


@pytest.mark.parametrize("path", sorted({*MODULES} - IN_A_BACKEND), ids=name_of)
def test_imports_no_framework_until_asked(path):
    at_once = {name.split(".")[0] for name in imported_at_once(parse(path))}
    allowed = {"mpi4py", "torch", "tensorflow"} if path.parent.name == "mpi" or path.stem.startswith("mpi_") else set()
    assert not at_once & (FRAMEWORKS - allowed)


def module_of(path):
    """The dotted name that imports the file ``path``."""
    return name_of(path).removesuffix(".__init__")


def imported_modules(path, modules):
    """Which of ``modules`` the file imports, anywhere in it; only what runs it as a script may do as it likes."""
    body = [
        node for node in parse(path).body if not (isinstance(node, ast.If) and "__main__" in ast.unparse(node.test))
    ]
    found = set()
    for name in imports(node for statement in body for node in ast.walk(statement)):
        while name.startswith("spinup") and name not in modules:
            name = name.rpartition(".")[0]
        found |= {name} & modules
    return found - {module_of(path)}


def floor_of(module):
    """The floor of a module, and within a backend the storey, by DESIGN section 2."""
    _, room, backend, part, *_ = (*module.split("."), "", "", "", "")
    floor = next(i for i, rooms in enumerate(FLOORS) if room in rooms)
    storeys = {"": 0, "core": 1, "training": 2, "backend": 3}
    return floor, storeys.get(part, 4) if room == "algos" and backend else 0


def test_imports_only_look_down():
    modules = {module_of(path): path for path in MODULES}
    for module, path in modules.items():
        for imported in imported_modules(path, modules.keys()) - {"spinup"}:
            assert floor_of(imported) <= floor_of(module), f"{module} imports {imported}, which is above it"
            if module.startswith("spinup.algos."):
                assert floor_of(imported) < floor_of(module), f"{module} imports {imported}, which stands beside it"
                assert imported.split(".")[1:3] == module.split(".")[1:3] or "algos" not in imported


def test_no_import_leads_back():
    modules = {module_of(path): path for path in MODULES}
    TopologicalSorter({name: imported_modules(path, modules.keys()) for name, path in modules.items()}).prepare()


def test_no_room_is_crowded():
    for folder in {path.parent for path in MODULES}:
        assert len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) <= 14, folder


def test_everything_imported_is_a_declared_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    requirements = sum(project["optional-dependencies"].values(), project["dependencies"])
    declared = {re.match(r"[\w-]+", requirement)[0].lower().replace("_", "-") for requirement in requirements}
    declared |= {"pygame-ce", "box2d", "mujoco"}  # by way of Gymnasium's extras
    imported = {name.split(".")[0] for path in MODULES for name in imports(ast.walk(parse(path)))}
    homes = packages_distributions()
    for name in imported - set(sys.stdlib_module_names) - {"spinup", ""}:
        assert {home.lower().replace("_", "-") for home in homes.get(name, [name])} & declared, name


def test_importing_the_package_is_light():
    code = f"import sys, spinup; print(*{FRAMEWORKS | {'numpy', 'gymnasium', 'matplotlib'}} & set(sys.modules))"
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        seconds.append(time.perf_counter() - start)
        assert output.strip() == ""
    assert min(seconds) < 1.0  # mostly the interpreter itself; the least, as tests share the machine


# ---- the size of things ----


@pytest.mark.parametrize("path", [*MODULES, *SCRIPTS], ids=name_of)
def test_functions_are_short_and_flat(path):
    for function, depth in functions(parse(path)):
        assert body_lines(function) <= BODY_LINES, f"{function.name} is too long"
        assert depth <= NESTED_DEFS, f"{function.name} is nested too deep"


@pytest.mark.parametrize(("backend", "algo"), ALGORITHMS)
def test_algorithm_files_are_short(backend, algo):
    assert len(algorithm_file(backend, algo).read_text(encoding="utf-8").splitlines()) <= ALGORITHM_LINES


# ---- names ----


@pytest.mark.parametrize(("backend", "algo"), ALGORITHMS)
def test_the_equations_have_their_names(backend, algo):
    path = algorithm_file(backend, algo)
    assert set(EQUATIONS.get(algo, "").split()) <= set(public_functions(path))


@pytest.mark.parametrize("path", NUMBERED, ids=name_of)
def test_every_equation_has_its_line_of_code(path):
    numbered = re.findall(r"  \((\d+)\) ", ast.get_docstring(parse(path)))
    quoted = re.findall(r"# \((\d+)\)", path.read_text(encoding="utf-8"))
    assert numbered and set(quoted) == set(numbered)
    assert numbered == sorted(numbered, key=int), "equations are numbered in their order"


@pytest.mark.parametrize("algo", sorted({algo for algos in spinup.ALGORITHMS.values() for algo in algos}))
def test_the_same_names_in_the_same_order_in_every_backend(algo):
    names = {
        backend: public_functions(algorithm_file(backend, algo))
        for backend, algos in spinup.ALGORITHMS.items()
        if algo in algos
    }
    first, *others = names.values()
    assert all(other == first for other in others), names
    assert first[-2:] == ["update", algo], "an algorithm file ends with its update and its training function"


@pytest.mark.parametrize(("backend", "algo"), ALGORITHMS)
def test_update_has_one_shape(backend, algo):
    """``update(learner, batch[, noise], *, constants)``, which returns two things, signposted as the loop is."""
    tree, lines = parse(algorithm_file(backend, algo)), algorithm_file(backend, algo).read_text("utf-8").splitlines()
    update, training = (node for node in tree.body if getattr(node, "name", "") in ("update", algo))
    data = [argument.arg for argument in update.args.args]
    assert data[0] == "learner" and data[1] in ("batch", "batches") and data[2:] in ([], ["noise"])
    for function in (update, training):
        body = lines[function.body[0].end_lineno : function.end_lineno]
        source = lines if backend == "jax" and algo == "td3" else body  # its compiled half is a function of its own
        assert sum(line.strip().startswith("# ") for line in source) >= 2, f"{function.name} has no signposts"
    learner = next(node for node in tree.body if getattr(node, "name", "") == "Learner")
    assert learner.body[0].target.id == "ac", "the agent comes first"


def test_the_buffers_have_the_shared_equations():
    assert {"discount_cumsum", "gae"} <= set(public_functions(PACKAGE / "experience" / "buffers.py"))


# ---- any machine ----


@pytest.mark.parametrize("path", [*MODULES, *SCRIPTS], ids=name_of)
def test_nothing_assumes_one_operating_system(path):
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert not node.value.startswith("/" + "tmp"), f"line {node.lineno}: use tempfile"
        if isinstance(node, ast.Attribute):
            assert ast.unparse(node) != "os.fork", f"line {node.lineno}: use subprocess"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_public_names_have_docstrings(path):
    tree = parse(path)
    assert ast.get_docstring(tree) or path.name == "__init__.py"
    for node in tree.body:
        is_public = isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name[0] != "_"
        if is_public and path not in WITH_EQUATIONS | BLANKS:
            assert ast.get_docstring(node), f"{node.name} has none"
