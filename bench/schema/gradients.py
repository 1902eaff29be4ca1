"""How far gradients reach: norms, rates, pairs, spectra, and how exact they are."""

from bench.schema.columns import Column, ResultFile

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
            "reach_steps",
            "number",
            "smallest lag from which the spectral norm stays under 1e-3: its geometric mean over sequences, its median "
            "where that of some is exactly zero",
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
