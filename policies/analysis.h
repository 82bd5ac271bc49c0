/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Analysis: from facts to the verdict of a check. Pure, in integers.
 *
 * A round is one look at a check: a fact for each new instance, or one for the release. Rounds in a row make a verdict:
 *
 *   - every fact passes: the round passes, and the check passes at once;
 *   - any fact fails: the round fails; `retries` failed rounds in a row make the check fail, until then it is inconclusive;
 *   - otherwise, or without any fact: the round is inconclusive, and so is the check. It ends both rows.
 *
 * Failures within the start period of an instance are inconclusive. A check that measures judges the series of its samples instead:
 * fewer than `samples`: inconclusive; a mean beyond min or max: failing; with a baseline, the score is the distance of the means in
 * standard deviations of the baseline's samples (at least a thousandth of the baseline's mean, so that a perfectly steady baseline does not
 * condemn a hair's breadth): beyond z on the worse side: failing. No traffic and no data are inconclusive and never a sample.
 */

#include "shared/model/check.h"

/* Facts of this check and no other. @now: wall ms. @state is what the rollout remembers, changed in place; new strings and lists live in @a. */
void analysis_round(const struct check *check, const struct check_fact *facts, size_t n, int64_t now, struct arena *a,
                    struct check_state *state);

/* The score of a series, millionths; false when it has fewer than two baselines, or no value. */
bool analysis_score(const struct check_sample *samples, size_t n, enum check_worse worse, int64_t *ret);

/* The strictest of all: fail before inconclusive before pass. No checks at all pass. A check without a state is inconclusive. */
enum check_verdict analysis_combined(const struct check *checks, size_t n, const struct check_state *states, size_t n_states);
