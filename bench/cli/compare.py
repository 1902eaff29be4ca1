"""`rnn-bench compare`."""

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.show import print_rows, say


def compare(
    left: Annotated[Path, typer.Argument(help="A result folder.")],
    right: Annotated[Path, typer.Argument(help="Another one: of a GPU, another dtype, another JAX.")],
    out: Annotated[
        Path | None, typer.Option(help="Keep the tables and a picture in this folder.", show_default=False)
    ] = None,
) -> None:
    """Compare two result folders: ratio of times, difference of rates, verdicts that differ.

    Ratios and differences are RIGHT against LEFT: a ratio under 1 says that RIGHT is faster.
    """
    from bench import compare as both
    from bench import comparison

    joined = both.compared(left, right)
    say(f"left:  {left}")
    say(f"right: {right}")
    for line in both.unlike(left, right):
        say(f"  differs in {line}")
    if "times" in joined:
        kept = ["operation", "implementation", "cell", "state_size", "sequence_length", "batch_size",
                "seed_count", "method_left", "method_right", "run_s_left", "run_s_right", "ratio"]  # fmt: skip
        short = {"state_size": "n", "sequence_length": "T", "batch_size": "batch", "seed_count": "seeds"}
        print_rows(joined["times"][kept].rename(columns=short).to_dict("records"), "Time, right over left")
    if "crossovers" in joined:
        ours = joined["crossovers"][joined["crossovers"]["implementation"] == "rnn_jax"]
        kept = ["operation", "cell", "varied", "fixed", "smallest", "largest", "faster", "from_size",
                "ratio_at_smallest", "ratio_at_largest"]  # fmt: skip
        print_rows(ours[kept].to_dict("records"), "Who is faster at the largest size, and from which size on")
    if "rates" in joined:
        rates = joined["rates"]
        summary = rates.groupby(["cell", "gain", "input_kind", "weights"], as_index=False).agg(
            pairs=("difference", "size"),
            largest_difference=("difference", lambda each: each.abs().max()),
            in_stderr=("difference_in_stderr", lambda each: each.abs().max()),
            same_regime=("same_regime", "sum"),
        )
        print_rows(summary.to_dict("records"), "Rate in nats a step, right minus left, over seeds")
    if "exponents" in joined:
        exponents = joined["exponents"]
        summary = exponents.groupby(["cell", "gain", "state_size", "input_scale"], as_index=False).agg(
            pairs=("difference", "size"),
            largest_difference=("difference", lambda each: each.abs().max()),
            root_mean_square_in_stderr=("difference_in_stderr", lambda each: (each**2).mean() ** 0.5),
        )
        print_rows(
            summary.to_dict("records"), "Lyapunov exponents in nats a step, right minus left, over seeds"
        )
    if "verdicts" in joined:
        verdicts = joined["verdicts"]
        differing = verdicts[~verdicts["same_verdict"]]
        say(f"verdicts: {int(verdicts['same_verdict'].sum())} of {len(verdicts)} seeds agree")
        kept = ["task", "task_length", "cell", "gain", "remedy", "seed", "verdict_left", "verdict_right"]
        print_rows(differing[kept].to_dict("records"), "Verdicts that differ")
    if out is not None:
        comparison.keep(left, right, out)
        say(f"tables and picture: {out}")
