"""Factorizations beside each other, from frames whose numbers are known."""

import math

import pytest

from bench.tables.factorizations import factorizations


@pytest.fixture
def table(row, folder_of):
    """`table(method=exponents)`: one net whose exponents several methods found, their errors all 0.1."""

    def make(seconds=1.0, **spectra):
        rows = {"lyapunov": [], "timings": []}
        for method, exponents in spectra.items():
            setting = {"case_id": method, "match_id": method, "state_size": len(exponents)}
            rows["timings"].append(
                row(
                    "timings",
                    operation="lyapunov_spectrum",
                    method=f"{method}_every_4",
                    run_s=seconds,
                    **setting,
                )
            )
            rows["lyapunov"] += [
                row(
                    "lyapunov",
                    index=index,
                    exponent_nats_per_step=exponent,
                    stderr_nats_per_step=0.1,
                    logdet_residual_nats_per_step=1e-12,
                    **setting,
                )
                for index, exponent in enumerate(exponents, start=1)
            ]
        store = folder_of(**rows)
        found = factorizations(store.read("lyapunov"), store.read("timings"))
        return found.set_index("method") if len(found) else found

    return make


def test_deviations_are_from_elimination_in_nats_and_in_errors(table):
    found = table(elimination=[1.0, -1.0], cholesky=[1.0, -1.25], seconds=3.0)
    assert found.loc["elimination_every_4", "largest_deviation"] == 0.0
    assert found.loc["cholesky_every_4", "largest_deviation"] == 0.25
    assert found.loc["cholesky_every_4", "deviation_in_stderr"] == pytest.approx(2.5)
    assert found["logdet_residual"].to_list() == [1e-12, 1e-12]
    assert found["run_s"].to_list() == [3.0, 3.0]


def test_an_exponent_that_only_one_of_them_has_is_infinitely_far(table):
    found = table(elimination=[1.0, -math.inf], cholesky=[1.0, -3.0], qr=[1.0, -math.inf])
    assert found.loc["cholesky_every_4", "largest_deviation"] == math.inf
    assert found.loc["qr_every_4", "largest_deviation"] == 0.0


def test_without_elimination_there_is_nothing_to_hold_them_to(table):
    found = table(qr=[1.0], cholesky=[1.0])
    assert found["largest_deviation"].isna().all()


def test_one_factorization_alone_is_no_row(table):
    assert table(elimination=[1.0]).empty
