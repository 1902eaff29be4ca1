"""The result files: their columns, types and meaning. `results/README.md` is written from here."""

from dataclasses import dataclass
from typing import Literal

SCHEMA_VERSION = 1

Type = Literal["text", "integer", "number", "truth"]


@dataclass(frozen=True)
class Column:
    """One column of a result file.

    Attributes:
        name: in snake_case, the unit included.
        type: of its values; integers, numbers and truths may be empty.
        meaning: one line for the data dictionary.
        is_time: True where two runs of the same case may differ: a time, not a result.
    """

    name: str
    type: Type
    meaning: str
    is_time: bool = False


@dataclass(frozen=True)
class ResultFile:
    """One kind of observation.

    Attributes:
        kind: the file's name without `.csv`.
        row: what a row is.
        columns: those that follow the common ones.
        order: the columns by which rows of one case are ordered, after the seed.
    """

    kind: str
    row: str
    columns: tuple[Column, ...]
    order: tuple[str, ...] = ()

    @property
    def all_columns(self) -> tuple[Column, ...]:
        """The common columns, then the file's own."""
        return COMMON + self.columns


COMMON = (
    Column("schema_version", "integer", "version of this dictionary"),
    Column("case_id", "text", "hash of the whole configuration and of the version of the measuring code"),
    Column("match_id", "text", "the same without machine, backend, dtype, precision, method, implementation"),
    Column("suite", "text", "the suite that the case belongs to"),
    Column("machine", "text", "the machine's name, as in its `machine.json`"),
    Column("backend", "text", "cpu or gpu"),
    Column("device_kind", "text", "the device as JAX names it"),
    Column("jax_version", "text", "version of JAX"),
    Column("dtype", "text", "of weights, states and products"),
    Column(
        "matmul_precision",
        "text",
        "of matrix products; `highest` is true float32, never TF32; BF16_BF16_F32 is bfloat16 with sums in float32",
    ),
    Column(
        "cell",
        "text",
        "the recurrent cell, as `rnn-bench list cells` names it, or gaussian_matrices: h_t = gain X_t h_(t-1)",
    ),
    Column("layers", "integer", "number of stacked cells"),
    Column("initialization", "text", "of the recurrent matrix"),
    Column("gain", "number", "scale of the recurrent matrix"),
    Column("forget_bias", "number", "initial bias of the forget gate, where there is one"),
    Column("input_size", "integer", "numbers in one input"),
    Column("hidden_size", "integer", "units"),
    Column("state_size", "integer", "real numbers in the state: twice hidden_size for an LSTM"),
    Column("input_kind", "text", "white_noise, none, or the task whose inputs drive the net"),
    Column("input_scale", "number", "standard deviation of white noise; factor on a task's inputs"),
    Column("sequence_length", "integer", "number of steps T"),
    Column("seed", "integer", "number of the random seed"),
)

_LOG10_NORM = "log10 of the {} norm of dh_T/dh_(T-lag)"
_WEIGHTS = Column("weights", "text", "initial, or trained on the task that input_kind names")

GRADIENT_NORMS = ResultFile(
    "gradient_norms",
    "case x seed x weights x sequence x lag (0 and geometrically spaced ones)",
    (
        _WEIGHTS,
        Column("sequence", "integer", "number of the input sequence; only the first few are written"),
        Column("lag", "integer", "T - t, in steps"),
        Column("method", "text", "how the product was formed"),
        Column("log10_frobenius_norm", "number", _LOG10_NORM.format("Frobenius")),
        Column("log10_spectral_norm", "number", _LOG10_NORM.format("spectral")),
        Column(
            "log10_output_norm",
            "number",
            "log10 of the Frobenius norm of dy_T/dh_(T-lag), y the visible part",
        ),
        Column(
            "log10_loss_gradient_norm",
            "number",
            "log10 of the norm of dL/dh_(T-lag); L is a fixed random direction of y_T for white noise, "
            "the task's loss of that sequence otherwise",
        ),
        Column("log10_input_gradient_norm", "number", "log10 of the norm of dL/dx_(T-lag); empty at lag T"),
    ),
    order=("weights", "sequence", "lag"),
)

PAIR_NORMS = ResultFile(
    "pair_norms",
    "case x seed x pair of times",
    (
        Column("later_time", "integer", "s, in steps from the start"),
        Column("earlier_time", "integer", "t, at most s"),
        Column("log10_frobenius_norm", "number", "log10 of the Frobenius norm of dh_s/dh_t"),
        Column("log10_spectral_norm", "number", "log10 of the spectral norm of dh_s/dh_t"),
    ),
    order=("later_time", "earlier_time"),
)

DECAY = ResultFile(
    "decay",
    "case x seed x weights",
    (
        _WEIGHTS,
        Column("sequence_count", "integer", "input sequences over which log norms were averaged"),
        Column(
            "rate_nats_per_step", "number", "mean increment of the log spectral norm a step, after lag T/10"
        ),
        Column("rate_stderr_nats_per_step", "number", "its standard error, by batch means"),
        Column(
            "step_norm_bound_nats_per_step",
            "number",
            "mean of log of the largest singular value of J_t, from 32 steps t spread over the last 9/10 of the sequence: an estimate of the rate's upper bound",
        ),
        Column(
            "reach_steps", "number", "smallest lag from which the averaged spectral norm stays under 1e-3"
        ),
        Column("reach_censored", "truth", "True where it never does within T; reach_steps is then T"),
        Column("explosion_lag_steps", "number", "first measured lag at which it exceeds 1e3; empty if none"),
        Column(
            "regime",
            "text",
            "vanishing, stable, exploding (norm at lag T under 1e-3, between, over 1e3), not_finite",
        ),
        Column(
            "lag_of_half_update_steps", "number", "smallest k such that the last k steps give half of dL/dW"
        ),
        Column(
            "share_beyond_half_length",
            "number",
            "share of dL/dW that comes from steps more than T/2 back: 1 - <g_k, g>/<g, g>, median over sequences",
        ),
    ),
    order=("weights",),
)

EXACTNESS = ResultFile(
    "exactness",
    "case x seed x lag",
    (
        Column("lag", "integer", "T - t, in steps"),
        Column(
            "relative_error",
            "number",
            "Frobenius distance of the chain's product from `jax.jacrev` of the unrolled net, over the norm of the latter",
        ),
    ),
    order=("lag",),
)

_STATE_SCALE = Column("state_scale", "number", "standard deviation of the initial state about the cell's own")

LYAPUNOV = ResultFile(
    "lyapunov",
    "case x seed x index",
    (
        _STATE_SCALE,
        Column("index", "integer", "1 is the largest; state_size is the smallest, where all were asked for"),
        Column("exponent_nats_per_step", "number", "Lyapunov exponent; -inf where the chain is singular"),
        Column("stderr_nats_per_step", "number", "its standard error, by means over 20 batches of steps"),
        Column("steps", "integer", "over how many steps it was measured, after the transient"),
        Column("qr_interval_steps", "integer", "steps between two factorizations"),
        Column(
            "logdet_residual_nats_per_step",
            "number",
            "distance of the mean exponent from the mean of ln abs det J_t over n, on sampled steps; empty where not "
            "all exponents were asked for",
        ),
    ),
    order=("index",),
)

SINGULAR_VALUES = ResultFile(
    "singular_values",
    "case x seed x lag x index",
    (
        _STATE_SCALE,
        Column("lag", "integer", "T - t, in steps"),
        Column("index", "integer", "1 is the largest"),
        Column("log10_singular_value", "number", "log10 of a singular value of dh_T/dh_(T-lag)"),
        Column("log10_singular_value_error", "number", "its estimated absolute error"),
    ),
    order=("lag", "index"),
)

TASK_ACCURACY = ResultFile(
    "task_accuracy",
    "case x seed",
    (
        Column("task", "text", "the task"),
        Column("variant", "text", "which of its published definitions"),
        Column("task_length", "integer", "the task's own length; sequence_length counts every step"),
        Column("remedy", "text", "what was done about vanishing or exploding gradients"),
        Column("remedy_strength", "number", "the remedy's one number"),
        Column("clip_threshold", "number", "where the remedy clips: its threshold"),
        Column("parameter_count", "integer", "trained numbers, the readout's included"),
        Column("optimizer", "text", "optax optimiser"),
        Column("learning_rate", "number", "its step size"),
        Column("batch_size", "integer", "examples a training step"),
        Column(
            "data_regime",
            "text",
            "fresh: new examples at every step; fixed: drawn from a fixed set of examples, scored on others",
        ),
        Column("step_budget", "integer", "training steps at most"),
        Column("steps_run", "integer", "training steps taken until solved, diverged or out of budget"),
        Column("evaluation_examples", "integer", "held-out examples"),
        Column("metric", "text", "what accuracy counts"),
        Column("accuracy", "number", "at the last evaluation; empty where the seed diverged"),
        Column("loss", "number", "at the last evaluation; empty where the seed diverged"),
        Column("baseline_loss", "number", "loss of the best constant guess, computed"),
        Column("verdict", "text", "solved, better_than_baseline, at_baseline or diverged"),
        Column(
            "steps_to_solve", "integer", "training steps at the evaluation that first met the task's rule"
        ),
        Column("first_nonfinite_step", "integer", "training step, from 1"),
        Column("first_nonfinite_quantity", "text", "loss, gradient, update or optimizer_state"),
        Column("largest_gradient_norm", "number", "largest finite gradient norm of the run, before clipping"),
        Column("median_gradient_norm", "number", "median gradient norm of the run, before clipping"),
        Column(
            "rate_before_nats_per_step", "number", "of the initial net on the task's inputs, as in decay.csv"
        ),
        Column("rate_after_nats_per_step", "number", "of the trained net, or the last finite one"),
        Column(
            "reach_before_steps",
            "number",
            "as in decay.csv: sequence_length where the norm never stays under 1e-3",
        ),
        Column("reach_after_steps", "number", "likewise"),
        Column("train_s", "number", "seconds of training, all seeds of the case together", is_time=True),
        Column("compile_s", "number", "seconds of compiling it", is_time=True),
    ),
)

TRAINING_CURVES = ResultFile(
    "training_curves",
    "case x seed x recorded training step",
    (
        Column("task", "text", "the task"),
        Column("variant", "text", "which of its published definitions"),
        Column("remedy", "text", "what was done about vanishing or exploding gradients"),
        Column("remedy_strength", "number", "the remedy's one number"),
        Column("step", "integer", "training step, from 1; about 50 a run, and the last one"),
        Column("loss", "number", "training loss at that step; empty where it was NaN"),
        Column("gradient_norm", "number", "norm of the whole gradient before clipping"),
    ),
    order=("step",),
)

EXPLOSIONS = ResultFile(
    "explosions",
    "case x seed that went non-finite x sequence x lag (0 and geometrically spaced ones)",
    (
        Column("task", "text", "the task"),
        Column("variant", "text", "which of its published definitions"),
        Column("remedy", "text", "what was done about vanishing or exploding gradients"),
        Column("remedy_strength", "number", "the remedy's one number"),
        Column("step", "integer", "the training step that was not finite, from 1"),
        Column("quantity", "text", "what was not finite first: loss, gradient, update or optimizer_state"),
        Column("rank", "integer", "0 for the sequence with the largest norm of the step's batch"),
        Column("sequence", "integer", "the sequence's place in that batch; only the worst few are written"),
        Column("lag", "integer", "T - t, in steps"),
        Column(
            "log10_frobenius_norm",
            "number",
            _LOG10_NORM.format("Frobenius") + " with the last finite weights; empty where not a number",
        ),
        Column("log10_spectral_norm", "number", "likewise, of the spectral norm"),
    ),
    order=("rank", "lag"),
)

TIMINGS = ResultFile(
    "timings",
    "case x repetition",
    (
        Column("operation", "text", "what was timed"),
        Column(
            "implementation",
            "text",
            "whose: rnn_jax, bare_products (T matrix products of the same size), or a rival in `bench/peers/`",
        ),
        Column("implementation_version", "text", "its version"),
        Column("method", "text", "how the product was formed"),
        Column("batch_size", "integer", "sequences at once"),
        Column("lag_count", "integer", "lags at which norms were asked for"),
        Column("seed_count", "integer", "nets at once"),
        Column("process", "integer", "number of the fresh process"),
        Column("round", "integer", "number of the interleaved round"),
        Column(
            "inner_calls", "integer", "calls in one sample, so many that it lasts a millisecond", is_time=True
        ),
        Column("run_s", "number", "seconds a call", is_time=True),
        Column(
            "compile_s",
            "number",
            "seconds that the first call took longer than the median; of a long spectrum, what JAX says it compiled",
            is_time=True,
        ),
        Column("compile_cache", "text", "off, cold or warm"),
        Column(
            "peak_bytes",
            "integer",
            "most memory of the device so far, on a CPU of the process; empty where the device does not say",
            is_time=True,
        ),
        Column("flop", "number", "floating-point operations a call, by formula"),
    ),
    order=("operation", "implementation", "round"),
)

DEVICE_TIMINGS = ResultFile(
    "device_timings",
    "case x number of devices x repetition",
    (
        Column(
            "operation",
            "text",
            "jacobian_chain, its time shared out, or training_block, its seeds shared out: some training steps "
            "of an ensemble and the evaluation after them",
        ),
        Column("method", "text", "how it was done: sharded; on one device as without `devices`"),
        Column("batch_size", "integer", "sequences at once"),
        Column("lag_count", "integer", "lags at which norms were asked for"),
        Column("seed_count", "integer", "nets at once, over all devices"),
        Column("device_count", "integer", "devices that shared the work"),
        Column("simulated", "truth", "whether they are one CPU that plays several: its cores are shared"),
        Column("round", "integer", "number of the round"),
        Column("inner_calls", "integer", "calls in one sample", is_time=True),
        Column("run_s", "number", "seconds a call", is_time=True),
        Column("compile_s", "number", "seconds of compiling it", is_time=True),
    ),
    order=("operation", "device_count", "round"),
)

CEILINGS = ResultFile(
    "ceilings",
    "case x quantity x size x round: what the device can do at best",
    (
        Column(
            "quantity",
            "text",
            "matrix_product: of two square matrices; copy: an array read and written in its own place; "
            "scan_iterations: a loop whose body does next to nothing",
        ),
        Column("size", "integer", "rows of the matrices, numbers copied, or iterations of the loop"),
        Column("round", "integer", "number of the round"),
        Column(
            "inner_calls", "integer", "calls in one sample, so many that it lasts a millisecond", is_time=True
        ),
        Column("run_s", "number", "seconds a call", is_time=True),
        Column(
            "compile_s", "number", "seconds that the first call took longer than the median", is_time=True
        ),
        Column("process", "integer", "number of the fresh process"),
        Column("compile_cache", "text", "off, cold or warm"),
        Column("peak_bytes", "integer", "as in timings.csv", is_time=True),
        Column("flop", "number", "floating-point operations a call"),
        Column("bytes_moved", "number", "bytes read and written a call"),
    ),
    order=("quantity", "size", "dtype", "matmul_precision", "round"),
)

PRECISION = ResultFile(
    "precision",
    "case x seed x arithmetic x lag: a chain's deviation from float64 on the CPU of the same process",
    (
        Column(
            "states",
            "text",
            "stored: Jacobians taken at the same states, those of the reference, in every arithmetic; own: at the "
            "states that this arithmetic reaches",
        ),
        Column("method", "text", "how the product was formed"),
        Column("lag", "integer", "T - t, in steps"),
        Column(
            "log_norm_error_nats",
            "number",
            "log Frobenius norm of dh_T/dh_(T-lag) minus the reference's",
        ),
        Column(
            "relative_product_error",
            "number",
            "Frobenius distance of dh_T/dh_(T-lag) from the reference's, over the norm of the latter; empty where "
            "states are own",
        ),
        Column(
            "changes_result",
            "truth",
            "False where every number is that of the same dtype at highest, or there is none: the device has no "
            "such arithmetic",
        ),
    ),
    order=("dtype", "matmul_precision", "states", "lag"),
)

AGREEMENT = ResultFile(
    "agreement",
    "case x implementation x quantity: what other implementations answer, checked before they are timed",
    (
        Column("operation", "text", "what was asked for, as in timings.csv"),
        Column("batch_size", "integer", "sequences at once"),
        Column("implementation", "text", "whose"),
        Column("implementation_version", "text", "its version"),
        Column("method", "text", "how it goes about it"),
        Column(
            "quantity",
            "text",
            "what was compared: log_norm (at every lag), exponents, logdet_residual, loss, gradient, update (Adam's first)",
        ),
        Column(
            "deviation",
            "number",
            "log_norm: largest difference from rnn_jax in nats; exponents: largest difference in nats a step from "
            "NumPy's QR after every step; logdet_residual: abs(mean exponent - mean of ln abs det J / n) along its own "
            "trajectory; the rest: distance from rnn_jax over the norm of rnn_jax's",
        ),
        Column("tolerance", "number", "the largest deviation that counts as agreement"),
        Column("agrees", "truth", "whether it is within it; only what agrees in all is timed"),
        Column("note", "text", "where the two part, or why there was nothing to compare"),
    ),
    order=("operation", "implementation", "quantity"),
)

FAILURES = ResultFile(
    "failures",
    "case that did not finish",
    (
        Column("kind", "text", "the kind of case"),
        Column("status", "text", "failed, timeout or out_of_memory"),
        Column("error", "text", "the error in one line"),
        Column("elapsed_s", "number", "seconds until then", is_time=True),
    ),
)

RESULT_FILES = {
    file.kind: file
    for file in (
        GRADIENT_NORMS,
        PAIR_NORMS,
        DECAY,
        EXACTNESS,
        LYAPUNOV,
        SINGULAR_VALUES,
        TASK_ACCURACY,
        TRAINING_CURVES,
        EXPLOSIONS,
        TIMINGS,
        DEVICE_TIMINGS,
        CEILINGS,
        PRECISION,
        AGREEMENT,
        FAILURES,
    )
}
