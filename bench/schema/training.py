"""What became of training."""

from bench.schema.columns import REMEDY, TASK, TASK_NAME, Column, ResultFile

_LOG10_NORM = "log10 of the {} norm of dh_T/dh_(T-lag)"

TASK_ACCURACY = ResultFile(
    "task_accuracy",
    "case x seed",
    (
        *TASK,
        *REMEDY,
        Column("clip_threshold", "number", "where the remedy clips: its threshold"),
        Column("parameter_count", "integer", "trained numbers, the readout's included"),
        Column("optimizer", "text", "optax optimiser"),
        Column("learning_rate", "number", "its step size"),
        Column(
            "learning_rate_grid",
            "text",
            "the step sizes from which it was chosen, on other seeds than those reported; empty: it was given",
            later=True,
        ),
        Column("tuning_seeds", "integer", "on how many seeds it was chosen", later=True),
        Column("tuning_steps", "integer", "training steps of each of them at each step size", later=True),
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
        Column("reach_before_censored", "truth", "true where the norm never stays under 1e-3", later=True),
        Column("reach_after_censored", "truth", "likewise", later=True),
        Column(
            "largest_exponent_before_nats_per_step",
            "number",
            "largest Lyapunov exponent of the initial net on the task's inputs, mean over sequences",
            later=True,
        ),
        Column("second_exponent_before_nats_per_step", "number", "the next one", later=True),
        Column("largest_exponent_after_nats_per_step", "number", "of the trained net", later=True),
        Column("second_exponent_after_nats_per_step", "number", "the next one", later=True),
        Column("target_id", "text", "the published result that the case is held against, if any", later=True),
        Column("train_s", "number", "seconds of training, all seeds of the case together", is_time=True),
        Column("compile_s", "number", "seconds of compiling it", is_time=True),
    ),
)

TRAINING_CURVES = ResultFile(
    "training_curves",
    "case x seed x recorded training step",
    (
        *TASK_NAME,
        *REMEDY,
        Column("step", "integer", "training step, from 1; about 50 a run, and the last one"),
        Column("loss", "number", "training loss at that step; empty where it was NaN"),
        Column("gradient_norm", "number", "norm of the whole gradient before clipping"),
    ),
    order=("step",),
)

EVALUATIONS = ResultFile(
    "evaluations",
    "case that is held against a published result x seed x evaluation",
    (
        *TASK,
        *REMEDY,
        Column("target_id", "text", "the published result"),
        Column("step", "integer", "training steps done"),
        Column("loss", "number", "on the held-out examples; empty where it was not a number"),
        Column("accuracy", "number", "likewise"),
    ),
    order=("step",),
)

EXPLOSIONS = ResultFile(
    "explosions",
    "case x seed that went non-finite x sequence x lag (0 and geometrically spaced ones)",
    (
        *TASK_NAME,
        *REMEDY,
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

TUNING = ResultFile(
    "tuning",
    "case x step size of the grid x tuning seed",
    (
        *TASK,
        *REMEDY,
        Column("learning_rate", "number", "one of the grid"),
        Column("steps_run", "integer", "training steps taken"),
        Column("accuracy", "number", "at the last evaluation; empty where the seed diverged"),
        Column("loss", "number", "at the last evaluation; empty where the seed diverged"),
        Column("verdict", "text", "solved, better_than_baseline, at_baseline or diverged"),
        Column("chosen", "truth", "true for the step size that the reported seeds were trained with"),
    ),
    order=("learning_rate",),
)

SNAPSHOTS = ResultFile(
    "snapshots",
    "case x training step, of its first seed",
    (
        *TASK,
        *REMEDY,
        Column("step", "integer", "training steps done: 0, some in between, and the last one"),
        Column("loss", "number", "on the held-out examples then; empty at step 0"),
        Column("accuracy", "number", "likewise"),
        Column("rate_nats_per_step", "number", "on the task's inputs, as in decay.csv"),
        Column("reach_steps", "number", "as in decay.csv"),
        Column("reach_censored", "truth", "true where the norm never stays under 1e-3"),
        Column("largest_exponent_nats_per_step", "number", "as in task_accuracy.csv"),
        Column("second_exponent_nats_per_step", "number", "the next one"),
    ),
    order=("step",),
)
