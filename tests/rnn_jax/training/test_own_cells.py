"""Cells of one's own: states with counters, complex weights and states, other optimisers than Adam."""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import rnn_jax as rj
from rnn_jax.leaves import to_numbers
from rnn_jax.training.model import Model
from rnn_jax.training.run import training_batch

KEY = jax.random.key(11)
TASK = rj.tasks.Adding(10)
HIDDEN = 5


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Plain:
    """A tanh net whose state has a name."""

    weight_hh: jax.Array
    weight_xh: jax.Array

    @classmethod
    def create(cls, key):
        keys = jax.random.split(key)
        shapes = (HIDDEN, HIDDEN), (HIDDEN, 2)
        return cls(*(jax.random.normal(k, s, jnp.float32) / 2 for k, s in zip(keys, shapes, strict=True)))

    def initial_state(self):
        return {"h": jnp.zeros(HIDDEN, jnp.float32)}

    def __call__(self, state, x):
        return {"h": jnp.tanh(self.weight_hh @ state["h"] + self.weight_xh @ x)}

    def output(self, state):
        return state["h"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Counting(Plain):
    """The same, and a counter that is the first of the state's leaves."""

    weight_hh: jax.Array
    weight_xh: jax.Array

    def initial_state(self):
        return {"count": jnp.zeros((), jnp.int32)} | super().initial_state()

    def __call__(self, state, x):
        return {"count": state["count"] + 1} | super().__call__({"h": state["h"]}, x)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Holding(Plain):
    """The same, and leaves that cannot be trained."""

    weight_hh: jax.Array
    weight_xh: jax.Array
    mask: jax.Array
    order: jax.Array
    key: jax.Array

    @classmethod
    def create(cls, key):
        plain = Plain.create(key)
        return cls(plain.weight_hh, plain.weight_xh, jnp.ones(HIDDEN, bool), jnp.arange(HIDDEN), key)

    def __call__(self, state, x):
        return {"h": jnp.where(self.mask, super().__call__(state, x)["h"], 0)[self.order]}


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class MaskedGRU(rj.cells.GRU):
    """An elementwise cell whose input weights a mask holds at zero."""

    mask: jax.Array

    def drive(self, x):
        return super().drive(x * self.mask)


def complex_drawn(key):
    phase_key, input_key = jax.random.split(key)
    phase = jax.random.uniform(phase_key, (HIDDEN,), jnp.float32)
    parts = jax.random.normal(input_key, (2, HIDDEN, 2), jnp.float32)
    return 0.9 * jnp.cos(phase), 0.9 * jnp.sin(phase), parts[0], parts[1]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Complex:
    """h = a h + B x with complex a, B and h."""

    a: jax.Array
    b: jax.Array

    @classmethod
    def create(cls, key):
        real, imaginary, b_real, b_imaginary = complex_drawn(key)
        return cls(jax.lax.complex(real, imaginary), jax.lax.complex(b_real, b_imaginary))

    def initial_state(self):
        return jnp.zeros(HIDDEN, jnp.complex64)

    def drive(self, x):
        return self.b @ x.astype(jnp.complex64)

    def affine(self, drive):
        return self.a, drive

    def __call__(self, state, x):
        return self.a * state + self.drive(x)

    def output(self, state):
        return jnp.real(state)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class InParts:
    """The same in real numbers."""

    a_real: jax.Array
    a_imaginary: jax.Array
    b_real: jax.Array
    b_imaginary: jax.Array

    @classmethod
    def create(cls, key):
        return cls(*complex_drawn(key))

    def initial_state(self):
        return jnp.zeros((2, HIDDEN), jnp.float32)

    def __call__(self, state, x):
        real, imaginary = state
        return jnp.stack(
            [
                self.a_real * real - self.a_imaginary * imaginary + self.b_real @ x,
                self.a_real * imaginary + self.a_imaginary * real + self.b_imaginary @ x,
            ]
        )

    def output(self, state):
        return state[0]


REMEDIES = [
    rj.remedies.clip_per_step(0.01),
    rj.remedies.leaky(0.3),
    rj.remedies.added_skip(2),
    rj.remedies.truncated_bptt(3),
    rj.remedies.pascanu_omega(1.0),
    rj.remedies.gradient_flossing(),
]
OF_WEIGHTS = [
    rj.remedies.clip_by_norm(0.01),
    rj.remedies.clip_by_value(0.001),
    rj.remedies.clip_per_step(0.001),
    rj.remedies.leaky(0.3),
]


def trained(create, **options):
    told = {"key": KEY, "seeds": [0, 0], "batch_size": 4, "step_budget": 4, "evaluate_every": 4}
    return rj.train(TASK, create, **(told | options))


@pytest.mark.costly
@pytest.mark.parametrize("remedy", REMEDIES, ids=lambda remedy: remedy.name)
def test_a_counter_in_the_state_changes_nothing(remedy, jax_promotes):
    plain, counting = (trained(create, remedy=remedy) for create in (Plain.create, Counting.create))
    np.testing.assert_allclose(plain.loss, counting.loss, rtol=1e-6)


def test_an_optimiser_never_takes_a_cell_for_one_of_another_class(jax_promotes):
    """Adam keeps a program for each structure; of 100 classes alike several got the updates of another."""
    optimizer = optax.adam(0.1)

    def stepped(model):
        updates, _ = optimizer.update(model, optimizer.init(model), model)
        return optax.apply_updates(model, updates)

    for _ in range(100):

        @jax.tree_util.register_dataclass
        @dataclass(frozen=True)
        class Again(Plain):
            weight_hh: jax.Array
            weight_xh: jax.Array

        model = Model.create(Again.create(KEY), 1, key=KEY)
        assert isinstance(jax.eval_shape(stepped, model).cell, Again)


def test_a_model_is_saved_and_loaded_where_its_class_was_defined_again(tmp_path):
    def model():
        @jax.tree_util.register_dataclass
        @dataclass(frozen=True)
        class Again(Plain):
            weight_hh: jax.Array
            weight_xh: jax.Array

        return Model.create(Again.create(KEY), 1, key=KEY)

    rj.cells.save(tmp_path / "model.npz", model())
    there = model()
    loaded = rj.cells.load(tmp_path / "model.npz", jax.tree.map(jnp.zeros_like, there))
    assert jax.tree.structure(loaded) == jax.tree.structure(there)
    np.testing.assert_array_equal(loaded.cell.weight_hh, there.cell.weight_hh)


@pytest.mark.costly
@pytest.mark.parametrize(
    "remedy", [*REMEDIES, rj.remedies.clip_by_norm(0.01)], ids=lambda remedy: remedy.name
)
def test_truths_whole_numbers_and_keys_in_a_cell_stay_as_they_are(remedy, jax_promotes):
    plain, holding = (trained(create, remedy=remedy) for create in (Plain.create, Holding.create))
    np.testing.assert_allclose(plain.loss, holding.loss, rtol=1e-6)
    moved = 0
    # A remedy may have wrapped the cell.
    for after, before in zip(
        *map(jax.tree.leaves, (holding.model.cell, holding.initial_model.cell)), strict=True
    ):
        if jnp.issubdtype(after.dtype, jnp.floating):
            moved += bool((after != before).any())
        else:
            np.testing.assert_array_equal(to_numbers(after), to_numbers(before))
    assert moved >= 2


@pytest.mark.costly
@pytest.mark.parametrize("kind", [int, bool])
def test_an_elementwise_cell_with_a_mask_trains_as_with_one_of_real_numbers(kind, jax_promotes):
    def create(dtype, key):
        plain = rj.cells.GRU.create(2, HIDDEN, key=key, dtype=jnp.float32)
        return MaskedGRU(**vars(plain), mask=jnp.array([1, 0], dtype))

    whole = trained(partial(create, kind))
    # Plain SGD leaves a real mask of which the loss knows nothing where it is; Adam would not.
    frozen = optax.multi_transform(
        {True: optax.adam(2e-3), False: optax.set_to_zero()},
        lambda model: jax.tree_util.tree_map_with_path(
            lambda path, _: "mask" not in jax.tree_util.keystr(path), model
        ),
    )
    real = trained(partial(create, jnp.float32), optimizer=frozen, backpropagation="autodiff")
    np.testing.assert_allclose(whole.loss, real.loss, rtol=1e-5)


def test_an_optimiser_that_wants_other_weights_is_told(jax_promotes):
    with pytest.raises(ValueError, match=r"optimizer must be one that trains a pytree of weights"):
        trained(Plain.create, optimizer=optax.lookahead(optax.sgd(0.1), 2, 0.5))


def scheduled(peak):
    return optax.adam(optax.warmup_cosine_decay_schedule(0.0, peak, 2, 4))


@pytest.mark.costly
def test_a_schedule_that_looks_at_its_peak_is_told_and_multiplied(jax_promotes):
    rates = {"learning_rates": [0.1, 0.2]}
    with pytest.raises(ValueError, match=r"optimizer must make an optimiser of a rate that is not known"):
        trained(Plain.create, optimizer=scheduled, **rates)
    both = trained(
        Plain.create, optimizer=lambda rate: optax.chain(scheduled(1.0), optax.scale(rate)), **rates
    )
    alone = trained(Plain.create, optimizer=scheduled(0.1))
    np.testing.assert_allclose(both.loss[0], alone.loss[0], rtol=1e-5)
    with pytest.raises(ValueError, match="must make an optax optimiser of a learning rate, it made None"):
        trained(Plain.create, optimizer=lambda rate: None, **rates)


@pytest.mark.costly
@pytest.mark.parametrize("remedy", [None, rj.remedies.truncated_bptt(3)], ids=["none", "truncated"])
def test_a_state_that_begins_with_a_plain_number(remedy, jax_promotes):
    class FromZero(Counting):
        def initial_state(self):
            return super().initial_state() | {"count": 0}

    FromZero = jax.tree_util.register_dataclass(FromZero, ["weight_hh", "weight_xh"], [])
    plain, counting = (trained(create, remedy=remedy) for create in (Plain.create, FromZero.create))
    np.testing.assert_array_equal(plain.loss, counting.loss)


@pytest.mark.costly
def test_a_loop_of_ones_own_goes_on_from_model_and_optimizer_state(jax_promotes):
    optimizer = optax.adam(0.01)
    shorter, longer = (
        trained(Plain.create, optimizer=optimizer, step_budget=steps, evaluate_every=4) for steps in (4, 5)
    )
    seed = lambda tree: jax.tree.map(lambda leaf: leaf[0], tree)  # noqa: E731
    model = seed(shorter.model)
    batch = training_batch(TASK, shorter.data_keys[0], 4, 4, jnp.float32)
    gradient = jax.grad(lambda model: TASK.loss(model.outputs(batch.inputs, 1), batch))(model)
    updates, _ = optimizer.update(gradient, seed(shorter.optimizer_state), model)
    after = optax.apply_updates(model, updates)
    np.testing.assert_allclose(after.cell.weight_hh, longer.model.cell.weight_hh[0], rtol=1e-5)


@pytest.mark.parametrize(
    "own",
    [
        {"learning_rates": [0.01, 0.1]},
        {"strengths": [0.1, 0.9], "remedy": rj.remedies.clip_by_norm, "optimizer": optax.sgd(0.1)},
    ],
    ids=["learning rates", "strengths"],
)
def test_numbers_of_each_seed_stay_what_they_are_where_a_state_begins_with_an_integer(own, jax_promotes):
    plain, counting = (trained(create, **own) for create in (Plain.create, Counting.create))
    np.testing.assert_array_equal(plain.loss, counting.loss)
    assert plain.loss[0, -1] != plain.loss[1, -1], "two equal seeds with two numbers"


@pytest.mark.costly
@pytest.mark.parametrize("remedy", [None, *OF_WEIGHTS], ids=lambda remedy: remedy and remedy.name)
def test_complex_weights_train_as_their_real_and_imaginary_parts_do(remedy, jax_promotes):
    options = {"remedy": remedy, "optimizer": optax.sgd(0.1), "seeds": 2}
    whole, parts = (trained(create, **options) for create in (Complex.create, InParts.create))
    np.testing.assert_allclose(whole.loss, parts.loss, rtol=1e-5)
    np.testing.assert_allclose(whole.gradient_norm, parts.gradient_norm, rtol=1e-5)
    cell = getattr(whole.model.cell, "cell", whole.model.cell)
    np.testing.assert_allclose(np.imag(cell.a), getattr(parts.model.cell, "cell", parts.model.cell).a_imaginary, rtol=1e-5)  # fmt: skip


def test_complex_states_all_at_once_are_those_of_the_loop():
    cell = Complex.create(KEY)
    xs = jax.random.normal(KEY, (17, 2), jnp.float32)
    found = rj.parallel_trajectory(cell, cell.initial_state(), xs)
    np.testing.assert_allclose(found, rj.trajectory(cell, cell.initial_state(), xs), atol=1e-5)


@dataclass(frozen=True)
class OneFactor(Complex):
    def affine(self, drive):
        return self.a[0], drive


def test_an_affine_of_other_shapes_is_told():
    jax.tree_util.register_dataclass(OneFactor, ["a", "b"], [])
    cell = OneFactor(*jax.tree.leaves(Complex.create(KEY)))
    with pytest.raises(ValueError, match=r"cell\.affine must give a of .* of shape \(5,\), got \(\)"):
        rj.parallel_trajectory(cell, cell.initial_state(), jnp.ones((3, 2), jnp.float32))


def test_an_output_that_is_no_vector_of_real_numbers_is_told():
    @jax.tree_util.register_dataclass
    @dataclass(frozen=True)
    class Shown(Complex):
        a: jax.Array
        b: jax.Array

        def output(self, state):
            return state

    with pytest.raises(ValueError, match=r"output\(state\) is one vector of real .*complex64"):
        trained(Shown.create)


def plateau():
    return optax.chain(optax.sgd(0.05), optax.contrib.reduce_on_plateau(patience=1, accumulation_size=4))


def sharpness_aware():
    return optax.contrib.sam(optax.sgd(0.05), optax.sgd(0.01))


@pytest.mark.costly
@pytest.mark.parametrize("optimizer", [optax.lbfgs, plateau, sharpness_aware])
def test_optimisers_that_ask_for_the_loss_or_begin_with_infinity(optimizer, jax_promotes):
    with jax.enable_x64(False):  # optax's line search promotes to float64 where that exists
        result = trained(
            Plain.create, optimizer=optimizer(), batch_size=64, step_budget=30, evaluate_every=30
        )
    assert result.first_nonfinite_quantity == ["", ""]
    assert (result.loss[:, -1] < result.loss[:, 0]).all()
