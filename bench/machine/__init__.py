"""What the harness runs on: `process` sets JAX up, `environments` is what rows say of it, `facts` what `machine.json` does."""

from bench.machine.environments import BASE_SEED as BASE_SEED
from bench.machine.environments import Environment as Environment
from bench.machine.environments import environment as environment
from bench.machine.facts import THIS as THIS
from bench.machine.facts import describe as describe
from bench.machine.facts import differences as differences
from bench.machine.facts import environment_of as environment_of
from bench.machine.facts import finished as finished
from bench.machine.facts import identity_hash as identity_hash
from bench.machine.facts import packages as packages
from bench.machine.facts import provenance as provenance
from bench.machine.process import BACKENDS as BACKENDS
from bench.machine.process import DTYPES as DTYPES
from bench.machine.process import configure as configure
