"""`rnn-bench targets`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.cli.document import AsJson, print_document
from bench.cli.show import print_rows, say

_TIERS = {
    "cpu": "Suite targets-cpu",
    "cpu_long": "Suite targets-cpu-long",
    "gpu": "Suite targets-gpu",
    "reference": "For reference: not repeated here",
}


def targets(
    folders: Annotated[
        list[Path] | None, typer.Argument(help="Result folders. Default: every one below results/.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Published results beside ours: do they agree, and if not, what differs?

    Ours are median (least..most) over seeds, success rates how many seeds of all.
    """
    from bench.running.folders import result_folders
    from bench.store import Store
    from bench.tables.target_table import counts, target_table

    table = target_table([Store(folder) for folder in folders or result_folders()])
    if as_json:
        print_document("targets", {"targets": table, "verdicts": counts(table)})
        return
    for tier, title in _TIERS.items():
        of_tier = table[table["tier"] == tier]
        print_rows([_shown(row) for row in of_tier.to_dict("records")], title)
    for row in table.to_dict("records"):
        for line in _remarks(row):
            say(line)
    counted = ", ".join(f"{verdict} {count}" for verdict, count in counts(table).items())
    weak = int((table["remark"] != "").sum())
    say(counted + (f"; {weak} of those that agree have a remark" if weak else ""))


def _shown(row: Mapping[Any, Any]) -> dict[str, Any]:
    ran = row["ours_median"] == row["ours_median"]
    shown = {"target": row["target_id"], "published": row["published"].replace("_baseline", " base")}
    if row["tier"] == "reference":
        return shown | {"metric": row["metric"]}
    span = f"{_short(row['ours_median'], 3)} ({_short(row['ours_least'])}..{_short(row['ours_most'])})"
    if ran and row["metric"].startswith("success rate"):
        span = f"{row['ours_median'] * row['seeds']:.0f} of {row['seeds']:.0f}"
    steps = f"{row['step_budget']:.0f}" if ran else ""
    return shown | {"ours": span if ran else "", "steps": steps, "verdict": row["verdict"]}


def _remarks(row: Mapping[Any, Any]) -> list[str]:
    if row["ours_median"] != row["ours_median"]:
        return []
    details = {
        "settings": row["settings_that_differ"],
        "shortened": row["shortened"],
        "why": row["why_differs"],
        "remark": row["remark"],
    }
    lines = [f"  {name}: {text}" for name, text in details.items() if text]
    return [f"{row['target_id']}: {row['verdict']} ({row['rule']}; {row['ours']})", *lines]


def _short(value: float, digits: int = 2) -> str:
    """So many digits, in five or six characters."""
    text = f"{value:.{digits}g}"
    if value != 0 and abs(value) < 0.01:
        mantissa, exponent = f"{value:.{digits - 2}e}".split("e")
        text = f"{mantissa}e{int(exponent)}"
    return text
