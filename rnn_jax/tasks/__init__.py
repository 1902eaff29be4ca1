"""Tasks that need long memory, made on the device from a key."""

from rnn_jax.tasks.adding import Adding as Adding
from rnn_jax.tasks.associative_recall import AssociativeRecall as AssociativeRecall
from rnn_jax.tasks.copy import Copy as Copy
from rnn_jax.tasks.delayed_copy import DelayedCopy as DelayedCopy
from rnn_jax.tasks.forecasting import Forecasting as Forecasting
from rnn_jax.tasks.induction_head import InductionHead as InductionHead
from rnn_jax.tasks.language_identification import LanguageIdentification as LanguageIdentification
from rnn_jax.tasks.memorization import NoiselessMemorization as NoiselessMemorization
from rnn_jax.tasks.modular_arithmetic import ModularArithmetic as ModularArithmetic
from rnn_jax.tasks.mqar import MQAR as MQAR
from rnn_jax.tasks.multiplication import Multiplication as Multiplication
from rnn_jax.tasks.parity import Parity as Parity
from rnn_jax.tasks.random_permutation import RandomPermutation as RandomPermutation
from rnn_jax.tasks.registry import TASKS as TASKS
from rnn_jax.tasks.selective_copy import SelectiveCopy as SelectiveCopy
from rnn_jax.tasks.sequential_images import SequentialDigits as SequentialDigits
from rnn_jax.tasks.sequential_images import SequentialMNIST as SequentialMNIST
from rnn_jax.tasks.task import Batch as Batch
from rnn_jax.tasks.task import Classification as Classification
from rnn_jax.tasks.task import Task as Task
from rnn_jax.tasks.temporal_order import TemporalOrder as TemporalOrder
from rnn_jax.tasks.temporal_xor import TemporalXOR as TemporalXOR
from rnn_jax.tasks.translation import Translation as Translation
from rnn_jax.tasks.variable_copy import VariableCopy as VariableCopy
