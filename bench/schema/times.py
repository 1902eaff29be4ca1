"""Times, the ceilings they are held against, and whether rivals agree."""

from bench.schema.columns import TASK, Column, ResultFile

_STEADY = Column(
    "steady",
    "truth",
    "whether the last three samples of the warm-up lay within 5% of each other; empty where a call is too long for so many",
    is_time=True,
    later=True,
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
        _STEADY,
        Column(
            "compile_cache",
            "text",
            "JAX's persistent cache: off, cold, or warm where the first call found all of its programs in it",
            is_time=True,
        ),
        Column(
            "peak_bytes",
            "integer",
            "most memory of the device so far, on a CPU of the process; empty where the device does not say",
            is_time=True,
        ),
        Column("flop", "number", "floating-point operations a call, by formula"),
    ),
    order=("operation", "implementation", "process", "round"),
)

CASE_TIMES = ResultFile(
    "case_times",
    "case: what it took, from which later runs are estimated",
    (
        Column("kind", "text", "the kind of case"),
        Column(
            "elapsed_s",
            "number",
            "seconds that the case took, compiling included; empty where it went on from a checkpoint",
            is_time=True,
        ),
    ),
)

DATA_GENERATION = ResultFile(
    "data_generation",
    "case x part x repetition",
    (
        *TASK,
        Column("batch_size", "integer", "examples a training step"),
        Column("training_steps", "integer", "in one compiled loop"),
        Column(
            "part",
            "text",
            "drawing: the batches alone; step_on_given_batch: training steps whose batch is there; training_step: "
            "training steps that draw theirs",
        ),
        Column("round", "integer", "number of the interleaved round"),
        Column(
            "inner_calls", "integer", "loops in one sample, so many that it lasts a millisecond", is_time=True
        ),
        Column("run_s", "number", "seconds a loop of training_steps", is_time=True),
        Column(
            "compile_s", "number", "seconds that the first loop took longer than the median", is_time=True
        ),
        _STEADY,
    ),
    order=("part", "round"),
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
        _STEADY,
        Column("compile_cache", "text", "as in timings.csv", is_time=True),
        Column("peak_bytes", "integer", "as in timings.csv", is_time=True),
        Column("flop", "number", "floating-point operations a call"),
        Column("bytes_moved", "number", "bytes read and written a call"),
    ),
    order=("quantity", "size", "dtype", "matmul_precision", "round"),
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
