"""Options of `rnn-bench run` that do not go together are told before anything is started."""

import pytest

from bench.cli.run import run
from bench.errors import UsageError


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"ray_cpus": 2}, "--ray-cpus and --ray-gpus go with --ray; add --ray auto"),
        ({"ray_gpus": 1}, "--ray-cpus and --ray-gpus go with --ray; add --ray auto"),
        ({"ray": "auto", "simulated_devices": 2}, "--simulated-devices does not go with --ray"),
    ],
)
def test_what_does_not_go_together(options, told):
    with pytest.raises(UsageError, match=told):
        run("quick", **options)
