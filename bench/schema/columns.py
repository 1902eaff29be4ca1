"""What a column and a result file are, and the columns that begin every file."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

SCHEMA_VERSION = 1
PROBED = "probe"
"""The suite of rows that `rnn-bench probe` gave."""

Type = Literal["text", "integer", "number", "truth"]


@dataclass(frozen=True)
class Column:
    """One column of a result file.

    Attributes:
        name: in snake_case, the unit included.
        type: of its values; integers, numbers and truths may be empty.
        meaning: one line for the data dictionary.
        is_time: True where two runs of the same case may differ: a time, not a result.
        later: True where files were published before it existed: there it may be missing, and reads as empty.
    """

    name: str
    type: Type
    meaning: str
    is_time: bool = False
    later: bool = False


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

    def header_like(self, header: Sequence[str]) -> list[str]:
        """What a file's header must be: all columns in order, of those that came later the ones that `header` has."""
        return [column.name for column in self.all_columns if column.name in header or not column.later]


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
        "the recurrent cell, as `rnn-bench list cells` names it, or gaussian_matrices: h_t = gain X_t h_(t-1), "
        "or MODULE:FUNCTION, which `rnn-bench probe` was given",
    ),
    Column("layers", "integer", "number of stacked cells"),
    Column("initialization", "text", "of the recurrent matrix"),
    Column("gain", "number", "scale of the recurrent matrix"),
    Column("forget_bias", "number", "initial bias of the forget gate, where there is one"),
    Column("dt", "number", "step in time of a cell that has one, where it is not the cell's own", later=True),
    Column(
        "input_deviation",
        "number",
        "standard deviation of the input weights, where it is not the cell's own",
        later=True,
    ),
    Column("input_size", "integer", "numbers in one input"),
    Column("hidden_size", "integer", "units"),
    Column("state_size", "integer", "real numbers in the state: twice hidden_size for an LSTM"),
    Column("input_kind", "text", "white_noise, none, or the task whose inputs drive the net"),
    Column("input_scale", "number", "standard deviation of white noise; factor on a task's inputs"),
    Column("sequence_length", "integer", "number of steps T"),
    Column("seed", "integer", "number of the random seed"),
)

TASK_NAME = (
    Column("task", "text", "the task"),
    Column("variant", "text", "which of its published definitions, or which data"),
)
TASK = (
    *TASK_NAME,
    Column("task_length", "integer", "the task's own length; sequence_length counts every step"),
)
REMEDY = (
    Column("remedy", "text", "what was done about vanishing or exploding gradients"),
    Column("remedy_strength", "number", "the remedy's one number"),
)
"""Those of the task that a net is trained on."""
