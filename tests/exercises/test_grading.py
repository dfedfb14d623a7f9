"""The exercises grade themselves: right answers pass however they are written, wrong ones are called by name."""

import ast
import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from toy_answers import RIGHT, WRONG, answer, definition, source_of

from spinup.commands import exercise as command
from spinup.errors import UserError
from spinup.exercises import progress
from spinup.exercises.exercise import all_backends, all_numbers, backend_for, exercise_file, find_exercise
from spinup.exercises.graders import exercise3_5
from spinup.exercises.grading import TOLERANCE, equation, numbers_of

WITH_FILES = [
    (number, backend)
    for number in all_numbers()
    for backend in sorted({backend_for(number, backend) for backend in all_backends()})
    if find_exercise(number).blanks
]
# JAX compiles each operation for each shape, which takes long: a grader is the same in both backends, so that one
# exercise in it will do every time.
IN_TIME = [
    pytest.param(number, backend, marks=[pytest.mark.slow] if backend == "jax" and number != "1.1" else [])
    for number, backend in WITH_FILES
]
BLANKS = [
    pytest.param(number, blank, id=f"{number}-{blank.name}")
    for number in all_numbers()
    for blank in find_exercise(number).blanks
]


@pytest.fixture
def run(capsys):
    """``run(*arguments)`` of `spinup exercise`: its exit status, and what it prints."""

    def run(*arguments):
        try:
            command.main([*arguments, "--data_dir", "data"])
            status = 0
        except SystemExit as end:
            status = end.code
        return status, " ".join(capsys.readouterr().out.split())

    return run


def check(run, number, backend, text):
    Path("mine.py").write_text(text, encoding="utf-8")
    return run(number, "--file", "mine.py", "--no_train")


# ---- each exercise ----


@pytest.mark.parametrize(("number", "backend"), IN_TIME)
def test_a_blank_fails_with_a_hint_and_its_solution_passes(number, backend, run):
    backend = ["--backend", backend] if backend in all_backends() else []
    status, output = run(number, *backend, "--no_train")
    assert status == 1 and ("is not written yet" in output or "It looks as if" in output)
    status, output = run(number, *backend, "--use_soln", "--no_train")
    assert status == 0 and "wrong" not in output
    assert not Path("data").exists(), "only an answer of one's own is recorded"


@pytest.fixture(autouse=True)
def _classes_of_students_are_forgotten(monkeypatch):
    """A class made for JAX is registered by its name, as those of saved agents are."""
    from spinup.algos.jax import core

    monkeypatch.setattr(core, "CLASSES", dict(core.CLASSES))


@pytest.mark.parametrize(("number", "backend"), IN_TIME)
def test_the_package_s_own_code_fits_into_the_blank(number, backend, run):
    status, output = check(run, number, backend, answer(number, backend, {}))
    assert status == 0, output


@pytest.mark.parametrize(("number", "backend"), WITH_FILES)
def test_a_blank_does_not_drift_from_its_algorithm(number, backend):
    """It has the signatures, comments and docstrings of the package's own code, and the equations of its module."""
    text = exercise_file(number, backend).read_text(encoding="utf-8")
    equations = " ".join(ast.get_docstring(ast.parse(text)).split())
    for blank in find_exercise(number).blanks:
        ours = source_of(blank, backend)
        pairs = [(definition(text, blank.name), ast.parse(ours).body[0])]
        if isinstance(pairs[0][0], ast.ClassDef):
            methods = [{node.name: node for node in c.body if isinstance(node, ast.FunctionDef)} for c in pairs[0]]
            pairs += [(methods[0][name], methods[1][name]) for name in methods[0]]
        bugged = blank.name.startswith("Bugged")  # whose words must not give the bug away
        for own, original in pairs[bugged:]:
            docs = [ast.get_docstring(node) or "" for node in (original, own)]
            assert bugged or docs[0].startswith(docs[1])  # of a class, the first line
            assert text.splitlines()[own.lineno - 1] == ours.splitlines()[original.lineno - 1]
        if len(pairs) == 1:
            assert ast.unparse(own.args) == ast.unparse(original.args)
            assert [*map(ast.unparse, own.decorator_list)] == [*map(ast.unparse, original.decorator_list)]
        for mistake in blank.mistakes:
            assert not mistake.line or equation(blank.home.format(backend=backend), mistake.line) in equations


@pytest.mark.parametrize(("number", "backend"), IN_TIME)
def test_wrong_answers_are_called_by_name(number, backend, run):
    wrong = WRONG[number]
    assert len(wrong) >= 5
    for function, body, name in wrong:
        if isinstance(body, dict) and backend not in body:
            continue
        status, output = check(run, number, backend, answer(number, backend, {function: body}))
        assert status == 1 and f"It looks as if {name}" in output, output


@pytest.mark.parametrize(("number", "backend"), IN_TIME)
def test_a_right_answer_may_be_written_in_another_way(number, backend, run):
    ways = [bodies for which, bodies in RIGHT[number] if which in (None, backend)]
    assert ways
    for bodies in ways:
        status, output = check(run, number, backend, answer(number, backend, bodies))
        assert status == 0, output


@pytest.mark.parametrize(("number", "blank"), BLANKS)
def test_every_mistake_is_one_and_can_be_told_from_the_others(number, blank):
    def numbers(function):
        return np.concatenate([np.r_[x.shape, x.ravel()] for c in blank.checks for x in numbers_of(c, function)])

    answers = {"right": numbers(blank.right)} | {m.name: numbers(m.wrong) for m in blank.mistakes}
    for name, some in answers.items():
        for other, others in answers.items():
            same = some.shape == others.shape and np.allclose(some, others, **TOLERANCE, equal_nan=True)
            assert same == (name == other), f"{name} | {other}"


# ---- questions ----


def test_a_choice_has_one_right_answer_and_a_sentence_on_each_wrong_one(run):
    for number, right in (("2.1", "c"), ("2.2", "d")):
        question = find_exercise(number).question
        judged = {letter: question.judge(letter) for letter in "abcdef"}
        assert [letter for letter, (is_right, _) in judged.items() if is_right] == [right]
        assert len({sentence for _, sentence in judged.values()}) == 6
        with pytest.raises(UserError, match="--answer 'z' is not one of a, b"):
            question.judge("z")
    status, output = run("2.1")
    assert status == 1 and "Answer with its letter" in output
    assert run("2.1", "--answer", "a")[0] == 1 and run("2.1", "--answer", "C")[0] == 0
    assert run("2.2", "--use_soln", "--answer", "a")[0] == 0, "a bonus need not be answered well"
    assert "2.1 Fitting the value function of TRPO 30 * passed" in run("--backend", "jax")[1], "in any backend"


def test_how_sure_one_can_be_is_compared_with_the_usual_mistakes(run):
    known = exercise3_5.known_answers()
    values = [value for value, _ in known.values()]
    assert len(known) >= 6 and np.diff(sorted(values)).min() > 0.001
    for name, (value, sentence) in known.items():
        is_right, said = exercise3_5.judge(f"b {value:.4f}")
        assert is_right == (name == "right") and said == sentence
    assert exercise3_5.judge("B 98%")[0] and exercise3_5.judge("b, 98.2")[0]
    assert "the probability is another one" in exercise3_5.judge("B 0.7")[1] and not exercise3_5.judge("A 0.98")[0]
    for typed in ("B", "98", "C 0.9", "B 0.9.8", "B 900"):
        with pytest.raises(UserError, match="give a variant and a probability"):
            exercise3_5.judge(typed)
    assert run("3.5", "--start", "here")[0] == 0 and Path("here/curves3_5.csv").is_file()
    assert run("3.5", "--answer", "B", "0.98")[0] == 0


# ---- answers of any kind ----

ODD = {
    "return None": "returned nothing (is there a `return`?), but",
    "return 0.0": "returned an object of type float, but",
    "return x * float('nan')": "The shape is [1, 1], as if the sum over the dimensions is missing",
    "return (x * float('nan')).sum(-1)": "Some of the numbers are not finite: nan",
    "return x[..., 0] * 0": "At [0], your number is 0, the right one is -",
    "return x @ mu[:, :0] @ x": "Your code stopped at line 19 of mine.py: return x @ mu[:, :0] @ x",
    "return undefined": "NameError: name 'undefined' is not defined",
    "return x +": "mine.py is not valid Python: invalid syntax, line 19.",
    "raise OSError": "Your code stopped at line 19 of mine.py: raise OSError OSError.",
}


@pytest.mark.parametrize("backend", all_backends())
@pytest.mark.parametrize(("body", "sentence"), ODD.items())
def test_any_answer_gets_a_sentence(backend, body, sentence, run):
    text = exercise_file("1.1", backend).read_text(encoding="utf-8")
    text = text.replace('raise NotImplementedError("YOUR CODE HERE")', body)
    status, output = check(run, "1.1", backend, text)
    assert status == 1 and sentence in output and "Traceback" not in output


def test_a_broken_file_gets_a_sentence(run):
    for text, sentence in {
        "x = 1": "mine.py has no function gaussian_log_density: keep the name that the exercise has.",
        "def gaussian_log_density(x): pass": "gaussian_log_density cannot be called as in the exercise: TypeError",
        "x = '\0'": "mine.py is not valid Python: source code",
        "import nothing_of_that_name": "Your code stopped at line 1 of mine.py: import nothing_of_that_name",
    }.items():
        status, output = check(run, "1.1", "pytorch", text)
        assert status == 1 and sentence in output


# ---- the command ----


def test_from_start_to_passed(run):
    status, output = run("1.1", "--backend", "jax", "--start", "work")
    file = Path("work/exercise1_1.py")
    assert (
        status == 0 and f"Complete {file}" in output and file.read_bytes() == exercise_file("1.1", "jax").read_bytes()
    )
    with pytest.raises(UserError, match="exists already, and is kept"):
        run("1.1", "--start", "work")
    with pytest.raises(UserError, match=r"Which exercise\? Put its number first"):
        run("--start", "1.1")
    Path("file").touch()
    with pytest.raises(UserError, match=r"exercise1_1.py' cannot be written \(File exists\)"):
        run("1.1", "--start", "file")
    with pytest.raises(UserError, match=r"'file' cannot be written \(File exists\)"):
        progress.record("file", "pytorch", "1.1")
    assert (
        f"exercise 2.2 --file {Path('work/exercise2_2.py')}`" in run("2.2", "--start", "work")[1]
    )  # to run its file would train six agents
    assert "1.1 The log-likelihood of a diagonal Gaussian 15 * not yet" in run()[1]

    text = answer("1.1", "jax", {})
    Path("exercise1_1.py").write_text(text, encoding="utf-8")  # found here, and known to be of JAX
    assert run("1.1")[0] == 0
    assert "1.1 The log-likelihood of a diagonal Gaussian 15 * passed 2" in run("--backend", "jax")[1]
    assert "passed" not in run("--backend", "pytorch")[1]
    assert list(json.loads(Path("data/exercises_jax.json").read_text(encoding="utf-8"))) == ["1.1"]
    with pytest.raises(UserError, match="is for jax, not for pytorch"):
        run("1.1", "--backend", "pytorch")
    Path("data/exercises_jax.json").write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match="cannot be read"):
        run("--backend", "jax")


def test_mistakes_in_the_command_get_a_sentence(run):
    for arguments, sentence in {
        ("1.7",): r"There is no exercise '1.7'.* Expected one of 1.1",
        ("1.1", "--file", "none.py"): "--file 'none.py' does not exist",
        ("1.1", "--backend", "torch"): "--backend 'torch' is not one of pytorch, jax",
    }.items():
        with pytest.raises(UserError, match=sentence):
            run(*arguments)


def test_a_file_checks_itself_when_run(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["exercise1_1.py", "--use_soln", "--data_dir", "data"])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(exercise_file("1.1", "pytorch")), run_name="__main__")
        raise SystemExit(0)
    assert end.value.code == 0 and "Exercise 1.1 is passed." in capsys.readouterr().out


def test_a_pair_must_be_one(run):
    for body, said in (("return y.sum()", "a tensor"), ("return y.sum(), y, y", "a tuple of 3")):
        status, output = check(run, "1.3", "pytorch", answer("1.3", "pytorch", {"q_loss": body}))
        assert status == 1 and f"q_loss returned {said}, but 2 results were expected" in output


def test_what_a_library_has_not_implemented_is_no_blank(run):
    text = exercise_file("1.1", "pytorch").read_text(encoding="utf-8")
    body = "import asyncio\n    return asyncio.AbstractEventLoop().time()"
    status, output = check(run, "1.1", "pytorch", text.replace('raise NotImplementedError("YOUR CODE HERE")', body))
    assert status == 1 and "return asyncio.AbstractEventLoop().time() NotImplementedError." in output
