"""What real data allow: scores of nets and plain predictors on the same examples, and how far back data depend."""

from bench.schema.columns import TASK, Column, ResultFile

_SOURCE = Column("data_source", "text", "the package that ships the data, and its version")

HELD_OUT_SCORES = ResultFile(
    "held_out_scores",
    "case x seed x predictor x quantity x horizon: every held-out example once",
    (
        *TASK,
        _SOURCE,
        Column("remedy", "text", "against vanishing or exploding gradients, of the net"),
        Column(
            "predictor",
            "text",
            "net: the trained one; else a plain one that needs no net, such as seasonal_naive or copy_of_source",
        ),
        Column(
            "quantity",
            "text",
            "skill: 1 - squared error over the seasonal-naive forecast's, all horizons together; "
            "root_mean_squared_error, at one horizon; accuracy; exact_match; character_accuracy",
        ),
        Column("horizon_steps", "integer", "how many steps ahead; empty where all count, or there is none"),
        Column("score", "number", "its value"),
        Column("unit", "text", "of root_mean_squared_error: the series's own"),
        Column("training_examples", "integer", "there are in the training part"),
        Column("held_out_examples", "integer", "that were scored"),
    ),
    order=("predictor", "quantity", "horizon_steps"),
)

DEPENDENCE = ResultFile(
    "dependence",
    "case x length of context: how far back answers depend on what is read, whatever net reads it",
    (
        *TASK,
        _SOURCE,
        Column("context_steps", "integer", "the last steps that the reference predictor may see"),
        Column(
            "reference_loss",
            "number",
            "mean squared error of ridge regression on held-out answers, classes as one-hot",
        ),
    ),
    order=("context_steps",),
)
