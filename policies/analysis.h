/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Analysis: from facts to the verdict of a check. Pure, in integers.
 *
 * A round is one look at a check: a fact for each new instance, or one for the release. Rounds in a row make a verdict:
 *
 *   - every fact passes: the round passes, and the check passes at once;
 *   - any fact fails: the round fails; `retries` failed rounds in a row make the check fail, until then it is
 *     inconclusive;
 *   - otherwise, or without any fact: the round is inconclusive, and so is the check. It ends both rows.
 *
 * Failures within the start period of an instance are inconclusive.
 *
 * A check that measures (Prometheus) judges the series of its samples instead, of which CHECK_SAMPLES_MAX are
 * remembered; the round is
 *
 *   - inconclusive when a number was not to be had (no traffic, no data, no answer), which never becomes a sample, and
 *     while there are fewer than `samples`;
 *   - failed when the mean of the values is beyond min or max;
 *   - with a baseline, failed when the score is above z: the distance of the two means in standard deviations (of a
 *     sample: divided by n - 1) of the baseline's values, positive on the worse side. A deviation counts as a
 *     thousandth of the baseline's mean and a millionth at least, so that a perfectly steady baseline does not condemn
 *     a hair's breadth. One baseline alone is inconclusive; values of which none has a baseline are those of a first
 *     release, which nothing can be compared with, and only held against the bounds.
 */

#include "shared/model/check.h"

/*
 * Facts of this check and no other. @now: wall ms. @state is what the rollout remembers, changed in place; new strings
 * and lists live in @a.
 */
void analysis_round(const struct check *check, const struct check_fact *facts, size_t n, int64_t now, struct arena *a,
                    struct check_state *state);

/*
 * The score of a series, millionths, at most ± INT64_MAX; false when fewer than two samples have a baseline. Samples
 * without are left out, and so are those before the last CHECK_SAMPLES_MAX.
 */
bool analysis_score(const struct check_sample *samples, size_t n, enum check_worse worse, int64_t *ret);

/*
 * The strictest of all: fail before inconclusive before pass. No checks at all pass. A check without a state is
 * inconclusive.
 */
enum check_verdict analysis_combined(const struct check *checks, size_t n, const struct check_state *states,
                                     size_t n_states);
