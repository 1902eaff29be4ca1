"""`rnn-bench probe`: a cell of somebody's own, right and wrong in every way that is easily got."""

import json
import math
import sys
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bench.check import checked
from bench.probing import beside as probing
from bench.probing import own_cell
from bench.running.status import status_of
from bench.store import Store

LINEAR = """
import jax, jax.numpy as jnp
def make_cell(input_size, hidden_size, *, key):
    q, _ = jnp.linalg.qr(jax.random.normal(key, (hidden_size, hidden_size), "float32"))
    v = jax.random.normal(key, (hidden_size, input_size), "float32")
    return lambda h, x: 0.5 * (q @ h) + v @ x, jnp.zeros(hidden_size, "float32")
"""
HEAD = "import jax, jax.numpy as jnp\n"
GOOD_STATE = 'jnp.zeros(hidden_size, "float32")'


def cell(step, state=GOOD_STATE, returned="step, state", arguments="input_size, hidden_size, *, key"):
    """A file with a cell of this step and state."""
    return f"""{HEAD}
def make_cell({arguments}):
    W = jax.random.normal(key, (hidden_size, hidden_size), "float32") / 10
    V = jnp.ones((hidden_size, input_size), "float32")
    state = {state}
    def step(h, x):
        {step}
    return {returned}
"""


@pytest.fixture
def probe(typed, tmp_path, monkeypatch):
    """`probe(code, *more, name=...)`: probes a file's cell, and leaves no module behind."""
    path, modules = list(sys.path), set(sys.modules)
    assert probing.BESIDE == ("elman_tanh", "lstm", "gru")
    monkeypatch.setattr(probing, "BESIDE", ("elman_tanh",))  # compiling each takes seconds

    def call(code, *more, name="mycell:make_cell"):
        (tmp_path / "mycell.py").write_text(code, encoding="utf-8")
        arguments = ("--length", "200", "--hidden", "8", "--out", "out", *more)
        return typed("probe", name, *arguments, cwd=tmp_path)

    yield call
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.startswith("mycell"):
            del sys.modules[name]


def test_a_linear_cell_has_the_rate_and_reach_of_its_scale(probe, tmp_path, typed):
    done = probe(LINEAR, "--seeds", "1", "--sequences", "1", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["verb"] == "probe"
    own, *beside = document["cells"]
    assert [each["cell"] for each in beside] == ["elman_tanh"]
    assert own["cell"] == "mycell:make_cell"
    assert own["state_size"] == 8
    assert own["rate_nats_per_step"] == pytest.approx(math.log(0.5), rel=1e-6)
    assert own["reach_steps"] == pytest.approx(math.log(1000) / math.log(2), rel=1e-6)
    assert own["regime"] == "vanishing"
    assert own["reach_censored"] is False
    assert own["explosion_lag_steps"] is None
    assert own["exponents_nats_per_step"] == pytest.approx([math.log(0.5)] * 3, rel=1e-5)
    for number, name in ((1, "mycell:make_cell"), (2, "elman_tanh")):
        assert f"[{number}/2] {name}" in done.stderr

    store = Store(tmp_path / "out")
    decay = store.read("decay")
    (row,) = decay[decay["cell"] == "mycell:make_cell"].to_dict("records")
    assert row["rate_nats_per_step"] == pytest.approx(math.log(0.5), rel=1e-6)
    assert row["reach_steps"] == pytest.approx(math.log(1000) / math.log(2), rel=1e-6)
    assert row["step_norm_bound_nats_per_step"] == pytest.approx(math.log(0.5), rel=1e-5)
    norms = store.read("gradient_norms")
    norms = norms[norms["cell"] == "mycell:make_cell"]
    expected = norms["lag"].to_numpy(float) * math.log10(0.5)
    # One orthogonal matrix: every direction shrinks alike, and so does the gradient of the loss, of norm 1 at lag 0.
    for column in ("log10_spectral_norm", "log10_loss_gradient_norm"):
        np.testing.assert_allclose(norms[column].to_numpy(float), expected, atol=1e-4)
    assert norms["log10_output_norm"].isna().all()
    # Half of dL/dW from the last step or two: what a function closes over counts as its weights.
    assert 1 <= row["lag_of_half_update_steps"] <= 3
    lyapunov = store.read("lyapunov")
    assert sorted(lyapunov["index"].unique()) == [1, 2, 3]
    assert len(lyapunov) == 6
    for suffix in (".svg", ".png"):
        assert (tmp_path / "out" / "figures" / f"probed{suffix}").is_file()
    assert [each for each in checked(store.folder) if each.weight == "damaged"] == []

    # Again: ours are not measured twice, and the table is for people.
    again = probe(LINEAR, "--seeds", "1", "--sequences", "1")
    assert again.returncode == 0, again.stderr
    assert "1 case was done before" in again.stderr
    assert "[1/1] mycell:make_cell" in again.stderr
    for word in ("mycell:make_cell", "-0.693", "9.966", "vanishing", "elman_tanh", "probed.png"):
        assert word in again.stdout
    assert all(len(line.rstrip()) <= 80 for line in again.stdout.splitlines()[:4])
    found = status_of(tmp_path / "out")
    assert (found.suite, found.cases, found.done, found.left) == ("probe", 2, 2, 0)
    shown = typed("tables", "out", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "mycell:make_cell" in shown.stdout
    written = typed("report", "out", "--out", "report.html", cwd=tmp_path)
    assert written.returncode == 0, written.stderr
    assert "mycell:make_cell" in (tmp_path / "report.html").read_text(encoding="utf-8")
    beside = typed("compare", "out", "out", cwd=tmp_path)
    assert beside.returncode == 0, beside.stderr
    assert "mycell:make_cell" in beside.stdout


WRONG = {
    "no colon": (LINEAR, "mycell", ["MODULE:FUNCTION", "'mycell'"]),
    "a file": (LINEAR, "mycell.py:make_cell", ["not a file", "mycell:make_cell"]),
    "no module": (LINEAR, "mycel:make_cell", ["no module 'mycel'", "did you mean 'mycell'"]),
    "no function": (LINEAR, "mycell:mak_cell", ["no 'mak_cell'", "did you mean 'make_cell'"]),
    "no callable": (
        "make_cell = 3\n",
        "mycell:make_cell",
        ["is no function but int 3", "make_cell(input_size, hidden_size"],
    ),
    "an import that fails": ("x = 1\nimport nothing_such\n", "mycell:make_cell", ["mycell.py, line 2", "nothing_such"]),
    "a module that ends the program": (
        LINEAR + "import sys\nsys.exit()\n",
        "mycell:make_cell",
        ["mycell cannot be imported in mycell.py, line 8", "it ends the program (SystemExit)"],
    ),
    "a function that ends the program": (
        cell("return h", state="__import__('sys').exit(0)"), "mycell:make_cell", ["mycell.py, line 6, in make_cell", "(SystemExit: 0)"]
    ),
    "a step that ends the program": (
        cell("raise SystemExit(0)"), "mycell:make_cell", ["the step of mycell:make_cell failed", "(SystemExit: 0)"]
    ),
    "no Python": ("x = (\n", "mycell:make_cell", ["mycell.py, line 1", "SyntaxError"]),
    "another signature": (
        cell("return h", arguments="hidden_size"),
        "mycell:make_cell",
        ["cannot be called as make_cell(input_size, hidden_size, key=key)", "(input_size, hidden_size, *, key)"],
    ),
    "no pair": (cell("return h", returned="step"), "mycell:make_cell", ["returned function step; it must", "(step, initial_state)"]),
    "nothing": (cell("return h", returned="None"), "mycell:make_cell", ["returned nothing (None)"]),
    "three": (cell("return h", returned="step, state, 1"), "mycell:make_cell", ["returned 3 values"]),
    "swapped pair": (cell("return h", returned="state, step"), "mycell:make_cell", ["(initial_state, step); swap"]),
    "two functions": (cell("return h", returned="step, step"), "mycell:make_cell", ["a function where the initial state"]),
    "no step": (cell("return h", returned="state, state"), "mycell:make_cell", ["where the step belongs"]),
    "a text": (cell("return h", state='"zeros"'), "mycell:make_cell", ["holds str 'zeros'", "jnp.zeros"]),
    "another shape": (cell("return h[:3]"), "mycell:make_cell", ["keep the shape of the state", "(8,)", "(3,)"]),
    "another dtype": (
        cell('return h.astype("bfloat16")'), "mycell:make_cell", ["keep the dtype of the state", "bfloat16"]
    ),
    "another structure": (cell("return h, h"), "mycell:make_cell", ["state of the structure it was given"]),
    "one argument": (
        LINEAR.replace("lambda h, x: 0.5 * (q @ h) + v @ x", "lambda h: 0.5 * (q @ h)"),
        "mycell:make_cell",
        ["positional argument", "called as step(state, x)"],
    ),
    "swapped arguments": (
        cell("h, x = x, h; return jnp.tanh(W @ h + V @ x)"),
        "mycell:make_cell",
        ["(is the order (state, x)?)", "mycell.py, line 8, in step"],
    ),
    "a cell of another framework": (
        "import equinox, jax\ndef make_cell(input_size, hidden_size, *, key):\n    return equinox.nn.GRUCell(input_size, hidden_size, key=key)",
        "mycell:make_cell",
        ["returned GRUCell", "a cell of equinox comes in through rnn_jax.adapters"],
    ),
    "NumPy": (
        cell("import numpy; return numpy.asarray(h) * 0.5"), "mycell:make_cell", ["traced array to NumPy", "line 8, in step", "use jax.numpy there"]
    ),
    "an integer state": (
        cell("return h + 1", state='jnp.zeros(hidden_size, "int32")'), "mycell:make_cell", ["no floating"]
    ),
    "half precision": (
        cell("return h", state='jnp.zeros(hidden_size, "bfloat16")'), "mycell:make_cell", ["bfloat16; it must be float32"]
    ),
    "no derivative": (
        cell("return jax.lax.while_loop(lambda s: s.sum() < 9, lambda s: s + 1, h)"), "mycell:make_cell", ["Reverse-mode"]
    ),
    "a decision": (
        cell("return h if h[0] > 0 else -h"), "mycell:make_cell", ["Python decision", "jnp.where", "line 8, in step"]
    ),
    "a fault in the step": (
        cell("return h / (1 // 0)"), "mycell:make_cell", ["mycell.py, line 8, in step: ZeroDivisionError"]
    ),
    "a fault in make_cell": (
        cell("return h", state="{}[hidden_size]"), "mycell:make_cell", ["mycell.py, line 6, in make_cell: KeyError"]
    ),
    "nan": (cell("return jnp.log(h - 1.0)"), "mycell:make_cell", ["not finite from step 1 on (seed 0)", "NaN"]),
    "nan at once": (
        cell("return h", state='jnp.full(hidden_size, jnp.nan, "float32")'),
        "mycell:make_cell",
        ["not finite in the initial state"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_with_a_cell_is_one_sentence(wrong, probe, complaint, tmp_path):
    code, name, told = WRONG[wrong]
    line = complaint(probe(code, name=name))
    for word in told:
        assert word in line
    assert not (tmp_path / "out").exists(), "misuse left a folder behind"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--length", "9"), "--length must be a whole number from 10 to 1000000, got 9"),
        (("--hidden", "0"), "--hidden must be a whole number from 1 to 4096, got 0"),
        (("--input", "0"), "--input must be"),
        (("--seeds", "0"), "--seeds must be"),
        (("--sequences", "-1"), "--sequences must be"),
        (("--input-scale", "-1"), "--input-scale must be a number from 0 to 1e6, got -1"),
        (("--input-scale", "nan"), "--input-scale must be a number from 0 to 1e6, got nan"),
        (("--dtype", "float16"), "--dtype must be one of"),
        (("--out", "mycell.py"), "mycell.py is a file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_numbers_out_of_bounds(arguments, told, probe, complaint):
    assert told in complaint(probe(LINEAR, *arguments))


def test_swapped_arguments_are_seen_where_inputs_and_units_are_equally_many(probe, complaint):
    """There every shape fits, and the numbers would be silently wrong."""
    swapped = cell("h, x = x, h; return jnp.tanh(W @ h + V @ x)")
    assert "takes (x, state); it must take (state, x)" in complaint(probe(swapped, "--input", "8"))


def test_a_cell_that_needs_as_many_inputs_as_units_is_not_taken_for_a_swapped_one():
    def make(input_size, hidden_size, *, key):
        return lambda h, x: jnp.tanh(h + x), jnp.zeros(hidden_size, jnp.float32)

    net = own_cell.make("mycell:make", make, 4, 4, jax.random.key(0), "float32")
    assert net.state.shape == (4,)


def test_debug_shows_the_traceback_of_the_users_own_code(probe):
    done = probe(cell("return h / (1 // 0)"), "--debug")
    assert done.returncode == 2
    assert "Traceback" in done.stderr
    assert "in step" in done.stderr
    assert "ZeroDivisionError" in done.stderr.strip().splitlines()[-1]


def test_a_state_that_overflows_later_is_dated(environment):
    import jax
    import jax.numpy as jnp

    def grows(input_size, hidden_size, *, key):
        return lambda h, x: 1e10 * h + x.sum(), jnp.ones(hidden_size, "float32")

    net = own_cell.make("grows", grows, 1, 2, jax.random.key(0), "float32")
    # 1e10 to the power of 4 is over 3.4e38.
    assert own_cell.first_not_finite(net, jnp.zeros((2, 9, 1), "float32")) == 4
    assert own_cell.first_not_finite(net, jnp.zeros((2, 3, 1), "float32")) is None


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_where_a_state_overflows_the_wider_dtype_is_named_if_there_is_one(dtype, environment, monkeypatch):
    def grows(input_size, hidden_size, *, key):
        scale = 1e20 if dtype == "float32" else 1e200  # overflows at the second step
        return lambda h, x: scale * h + x.sum(), jnp.ones(hidden_size, dtype)

    def measures(*_, **__):
        raise InterruptedError

    case = probing.Setting(2, 1, 20, 1, 1, 1.0).case("mycell:grows")
    here = replace(environment, dtype=dtype)
    made = probing.maker(case, here, grows)
    monkeypatch.setattr(probing, "probe", measures)
    notes = []
    with pytest.raises(InterruptedError):
        probing.measured(case, here, made, lambda *_: None, notes.append)
    (note,) = notes
    assert "the state is not finite from step" in note
    assert ("--dtype float64, with another --out, may give them" in note) == (dtype == "float32")


def test_seeds_share_a_program(environment):
    import jax
    import jax.numpy as jnp

    def make(input_size, hidden_size, *, key):
        w = jax.random.normal(key, (hidden_size, hidden_size), "float32")
        return lambda h, x: jax.nn.relu(w @ h) + x.sum(), jnp.zeros(hidden_size, "float32")

    one, other = (own_cell.make("make", make, 1, 3, jax.random.key(seed), "float32") for seed in (0, 1))
    assert jax.tree.structure(one.step) == jax.tree.structure(other.step)
    h, x = jnp.arange(3.0, dtype="float32"), jnp.ones(1, "float32")
    assert not jnp.allclose(one.step(h, x), other.step(h, x))
