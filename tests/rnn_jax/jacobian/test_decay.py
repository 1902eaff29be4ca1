import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax as rj


def times_factor(state, factor):
    """A net whose step Jacobian is the input times the identity."""
    return factor * state


step = jax.tree_util.Partial(times_factor)
LOG_THOUSAND = np.log(1000.0)


def chain_of(factors, lags=None, norms=("frobenius",), size=1):
    """The chain of scalar step Jacobians; the last factor comes first in the product."""
    state = jnp.ones(size, factors.dtype)
    return rj.jacobian_chain(step, state, jnp.asarray(factors), lags, norms)


def constant(factor, steps, dtype=np.float64):
    return np.full(steps, factor, dtype)


@pytest.fixture(scope="module")
def random_walks():
    """300 chains of 800 independent factors whose logs have mean -0.02 and deviation 0.3."""
    logs = np.random.default_rng(0).normal(-0.02, 0.3, (300, 800))
    return jax.vmap(chain_of)(jnp.asarray(np.exp(logs)))


def test_a_constant_contraction_has_its_rate_and_reach_exactly():
    decay = rj.decay(chain_of(constant(0.9, 500)))
    assert decay.rate == pytest.approx(np.log(0.9), rel=1e-12)
    assert decay.rate_stderr == pytest.approx(0.0, abs=1e-12)
    assert decay.reach == pytest.approx(LOG_THOUSAND / -np.log(0.9), rel=1e-12)
    assert not decay.reach_censored
    assert np.isnan(decay.explosion_lag)
    assert decay.regime == "vanishing"
    assert decay.norm == "frobenius"
    assert decay.sequence_count == 1


def test_the_rate_of_a_long_float32_chain_is_not_rounded_by_its_large_log_norms():
    decay = rj.decay(chain_of(constant(0.5, 100_000, np.float32), np.arange(0, 100_001, 1_000)))
    assert decay.rate == pytest.approx(np.log(0.5), rel=1e-12)
    assert decay.rate_stderr < 1e-12


def test_a_reach_beyond_the_sequence_is_censored_at_its_length():
    decay = rj.decay(chain_of(constant(0.99, 50)))
    assert (decay.reach, decay.reach_censored, decay.regime) == (50.0, True, "stable")


def test_reach_is_where_the_norm_stays_under_not_where_it_first_falls_under():
    # From the last step back: down to e-10 at lag 10, up to 1 at lag 20, down for good.
    increments = np.concatenate([constant(-1.0, 10), constant(1.0, 10), constant(-0.5, 40)])
    decay = rj.decay(chain_of(np.exp(increments[::-1])))
    assert decay.reach == pytest.approx(20 + LOG_THOUSAND / 0.5, rel=1e-9)


def test_reach_is_interpolated_between_distant_lags():
    chain = chain_of(constant(0.9, 500), np.array([0, 50, 100, 300, 500]))
    assert rj.decay(chain).reach == pytest.approx(LOG_THOUSAND / -np.log(0.9), rel=1e-12)


def test_an_explosion_is_dated_by_the_first_lag_over_a_thousand():
    decay = rj.decay(chain_of(constant(1.1, 500)))
    assert decay.explosion_lag == np.ceil(LOG_THOUSAND / np.log(1.1))
    assert decay.regime == "exploding"
    assert decay.rate == pytest.approx(np.log(1.1), rel=1e-12)
    assert (decay.reach, decay.reach_censored) == (500.0, True)


@pytest.mark.parametrize(
    ("log_norm", "regime"), [(-6.9, "stable"), (-6.92, "vanishing"), (6.92, "exploding")]
)
def test_the_regime_turns_at_a_factor_of_a_thousand(log_norm, regime):
    assert rj.decay(chain_of(constant(np.exp(log_norm / 20), 20))).regime == regime


def test_the_transient_is_left_out_of_the_rate():
    factors = np.concatenate([constant(0.9, 450), constant(0.1, 50)])  # the last steps are the first lags
    chain = chain_of(factors)
    assert rj.decay(chain).rate == pytest.approx(np.log(0.9), rel=1e-9)
    with_it = (450 * np.log(0.9) + 50 * np.log(0.1)) / 500
    assert rj.decay(chain, transient=0).rate == pytest.approx(with_it, rel=1e-9)


def test_sequences_are_pooled_by_their_log_norms():
    factors = jnp.asarray(np.stack([constant(0.8, 200), constant(0.95, 200)]))
    decay = rj.decay(jax.vmap(chain_of)(factors))
    mean = 0.5 * (np.log(0.8) + np.log(0.95))
    assert decay.rate == pytest.approx(mean, rel=1e-12)
    assert decay.reach == pytest.approx(LOG_THOUSAND / -mean, rel=1e-12)
    assert decay.sequence_count == 2


def test_two_batch_axes_pool_as_one(random_walks):
    flat = jax.tree.map(lambda leaf: leaf[:6], random_walks)
    folded = jax.tree.map(lambda leaf: leaf.reshape(2, 3, *leaf.shape[1:]), flat)
    assert repr(rj.decay(folded)) == repr(rj.decay(flat))  # repr: the explosion lag is NaN


def test_the_order_of_the_lags_does_not_matter():
    factors = np.exp(np.random.default_rng(3).normal(-0.1, 0.3, 200))
    lags = np.arange(0, 201, 4)
    shuffled = np.random.default_rng(1).permutation(lags)
    assert repr(rj.decay(chain_of(factors, shuffled))) == repr(rj.decay(chain_of(factors, lags)))


def test_the_spectral_norm_is_used_where_there_is_one():
    decay = rj.decay(chain_of(constant(0.9, 100), norms=("spectral",), size=4))
    assert decay.norm == "spectral"
    # The Frobenius norm starts at 2, and would give a longer reach.
    assert decay.reach == pytest.approx(LOG_THOUSAND / -np.log(0.9), rel=1e-9)


def intervals_that_hold_the_truth(chains, truth):
    decays = [rj.decay(jax.tree.map(lambda leaf, i=i: leaf[i], chains)) for i in range(300)]
    rates = np.array([decay.rate for decay in decays])
    errors = np.array([decay.rate_stderr for decay in decays])
    return np.mean(np.abs(rates - truth) < 1.96 * errors), rates, errors


def test_the_standard_error_of_one_sequence_is_honest(random_walks):
    share, rates, errors = intervals_that_hold_the_truth(random_walks, -0.02)
    assert 0.88 <= share <= 0.99
    # 720 increments after the transient
    assert np.mean(errors) == pytest.approx(0.3 / np.sqrt(720), rel=0.05)
    assert np.std(rates) == pytest.approx(0.3 / np.sqrt(720), rel=0.15)


def test_geometric_lags_give_the_rate_with_an_honest_error_too(random_walks):
    lags = np.unique(np.geomspace(1, 800, 60).astype(int))
    chosen = jax.tree.map(lambda leaf: leaf[:, lags], random_walks)
    share, rates, errors = intervals_that_hold_the_truth(chosen, -0.02)
    assert 0.88 <= share <= 0.99
    assert np.mean(rates) == pytest.approx(-0.02, abs=4 * 0.3 / np.sqrt(720 * 300))
    assert np.mean(errors) == pytest.approx(0.3 / np.sqrt(720), rel=0.1)


def test_the_standard_error_falls_with_the_number_of_sequences(random_walks):
    pooled = rj.decay(random_walks)
    assert pooled.sequence_count == 300
    assert pooled.rate_stderr == pytest.approx(0.3 / np.sqrt(720 * 300), rel=0.1)
    assert abs(pooled.rate + 0.02) < 3 * pooled.rate_stderr


def test_an_exactly_zero_product_has_rate_minus_infinity_and_a_reach():
    decay = rj.decay(chain_of(np.concatenate([constant(0.0, 1), constant(1.0, 30)])))
    assert decay.rate == -np.inf
    assert np.isnan(decay.rate_stderr)
    assert (decay.reach, decay.reach_censored, decay.regime) == (31.0, False, "vanishing")


def test_a_few_sequences_that_are_exactly_zero_do_not_decide_the_reach():
    """A mean of log norms is -inf as soon as one sequence is zero: the more there are, the shorter it would reach."""
    factors = np.stack([constant(0.97, 400)] * 5)
    factors[0, 390] = 0.0  # from lag 10 on
    factors[1, 300] = 0.0  # from lag 100 on
    decay = rj.decay(jax.vmap(chain_of)(jnp.asarray(factors)))
    assert decay.reach == pytest.approx(LOG_THOUSAND / -np.log(0.97), rel=1e-9)
    assert decay.rate == -np.inf
    factors[2, 250] = 0.0  # from lag 150 on most of them are
    decay = rj.decay(jax.vmap(chain_of)(jnp.asarray(factors)))
    assert (decay.reach, decay.reach_censored, decay.regime) == (150.0, False, "vanishing")


def test_a_norm_that_is_small_at_every_measured_lag_has_no_known_reach():
    decay = rj.decay(chain_of(constant(0.5, 400), np.array([200, 300, 400])))
    assert np.isnan(decay.reach)
    assert (decay.reach_censored, decay.regime) == (False, "vanishing")
    assert decay.rate == pytest.approx(np.log(0.5), rel=1e-12)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_one_sequence_that_is_not_finite_shows_in_the_regime(bad):
    factors = np.stack([constant(0.9, 60), constant(0.9, 60)])
    factors[1, 20] = bad
    decay = rj.decay(jax.vmap(chain_of)(jnp.asarray(factors)))
    assert decay.regime == "not_finite"
    assert np.isnan([decay.rate, decay.rate_stderr, decay.reach]).all()
    assert decay.reach_censored


@pytest.mark.parametrize("transient", [140, 149, 200])
def test_no_step_below_the_transient_that_is_asked_for_counts(transient):
    """Lag 0 is nearer to 140 than 300 is, and the norm falls up to lag 140 only."""
    factors = np.where(np.arange(1000) >= 860, 0.5, 1.0)
    assert rj.decay(chain_of(factors, [0, 300, 1000]), transient=transient).rate == pytest.approx(
        0, abs=1e-12
    )


def test_a_batch_of_no_sequences_is_refused():
    with pytest.raises(ValueError, match=r"chain holds no sequence or no lag, got lags of shape \(0, 6\)"):
        rj.decay(jax.vmap(chain_of)(jnp.ones((0, 5))))


@pytest.mark.parametrize("transient", [-1, 50, 60])
def test_a_transient_outside_the_lags_is_refused(transient):
    with pytest.raises(ValueError, match=rf"transient must lie in 0\.\.49.*got {transient}"):
        rj.decay(chain_of(constant(0.9, 50)), transient=transient)


def test_under_jit_it_says_where_to_call_it():
    with pytest.raises(ValueError, match="on the host; call it on the chain that jit or vmap returns"):
        jax.jit(lambda factors: rj.decay(chain_of(factors)).rate)(jnp.ones(20))


def test_no_batches_are_refused():
    with pytest.raises(ValueError, match="batches must be at least 1, got 0"):
        rj.decay(chain_of(constant(0.9, 50)), batches=0)


@pytest.mark.parametrize("lag", [0, 20])
def test_one_lag_is_too_few_for_a_rate(lag):
    with pytest.raises(ValueError, match="at least two measured lags"):
        rj.decay(chain_of(constant(0.9, 50), np.array([lag])))
