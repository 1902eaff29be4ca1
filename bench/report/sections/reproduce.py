"""How to make all of it again."""

import pandas as pd

from bench.report.content import Commands, Part, Section, Table, Text
from bench.report.results import Folder, Results
from bench.tables.rerun import command_of


def reproduce(results: Results) -> Section:
    """The commands, and the one that each folder keeps of its last run."""
    parts: list[Part] = [
        Text(
            "In a copy of the repository, with Python 3.11 or later and make; the first command installs everything and "
            "measures the quick suite, and the program is .venv/bin/rnn-bench. A run that was stopped goes on where it stopped."
        ),
        Commands(
            [
                "make bench",
                *dict.fromkeys(_command(folder) for folder in results.folders),
                *("rnn-bench compare LEFT RIGHT --out FOLDER" for _ in results.comparisons[:1]),
                "rnn-bench report --out report.html",
            ]
        ),
        Text(
            "Same command, same versions, same kind of machine: the same numbers apart from times, and of the same CSV "
            "files the same page, byte for byte. Every number in it is rounded to five digits in charts and four in "
            "tables; the CSV files hold nine."
        ),
    ]
    rows = [
        {"results": folder.label, "commit": folder.facts.get("volatile", {}).get("commit"),
         "last command": folder.facts.get("volatile", {}).get("command")}
        for folder in results.folders
    ]  # fmt: skip
    parts.append(Table("The last run that wrote into each folder", pd.DataFrame(rows)))
    return Section("reproduce", "How to reproduce", "Which commands give these results?", parts)


def _command(folder: Folder) -> str:
    """The run of a whole suite that a folder is of."""
    identity = folder.facts["identity"]
    options = [f"--{key} {identity[key]}" for key in ("backend", "dtype") if key in identity]
    if identity.get("backend") == "cpu" and identity.get("device_count", 1) > 1:
        options.append(f"--simulated-devices {identity['device_count']}")
    return " ".join([command_of(folder.suite), *options])
