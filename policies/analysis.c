/* SPDX-License-Identifier: Apache-2.0 */

#include "policies/analysis.h"

#include <string.h>

#include "shared/base/text.h"
#include "shared/model/micro.h"

#define Z_DEFAULT  (3 * MICRO)
#define SCORE_MAX  INT64_MAX
#define SCALE_BITS 60

typedef __int128 wide;
typedef unsigned __int128 uwide;

/*
 * Arithmetic. The samples are int64_t, their sums and the deviations times n have at most 72 bits; only squares need
 * care.
 */

static uwide size_of(wide value) {
        return value < 0 ? -(uwide)value : (uwide)value;
}

static int bits_of(uwide value) {
        int bits = 0;

        for (; value; value >>= 1)
                bits++;
        return bits;
}

/* @value times two to the power of @by; only called where it fits. */
static uwide scaled(uwide value, int by) {
        return by >= 0 ? value << by : value >> -by;
}

struct sums {
        int64_t n;            /* pairs of value and baseline */
        wide value, baseline; /* their sums */
};

static struct sums sum_of(const struct check_sample *samples, size_t n, bool pairs) {
        struct sums s = { .n = 0 };

        for (size_t i = 0; i < n; i++) {
                if (pairs && !samples[i].has_baseline)
                        continue;
                s.n++;
                s.value += samples[i].value;
                s.baseline += samples[i].baseline;
        }
        return s;
}

/* n times the deviation of a baseline from the mean: exact. */
static uwide deviation(const struct check_sample *sample, const struct sums *s) {
        return size_of((wide)sample->baseline * s->n - s->baseline);
}

/*
 * n times the standard deviation of the baselines (of a sample: divided by n - 1), at least a thousandth of their mean
 * and a millionth; times two to the power of *ret_scale, so that it has about SCALE_BITS bits whatever the magnitude.
 */
static uwide spread(const struct check_sample *samples, size_t n, const struct sums *s, int *ret_scale) {
        uwide least = size_of(s->baseline) / 1000, largest, squares = 0;
        uint64_t root;

        if (least < (uwide)s->n)
                least = (uwide)s->n;
        largest = least;
        for (size_t i = 0; i < n; i++)
                if (samples[i].has_baseline && deviation(&samples[i], s) > largest)
                        largest = deviation(&samples[i], s);
        *ret_scale = SCALE_BITS - bits_of(largest);
        for (size_t i = 0; i < n; i++) {
                uwide d = samples[i].has_baseline ? scaled(deviation(&samples[i], s), *ret_scale) : 0;

                squares += d * d;
        }
        root = micro_root(squares / (uwide)(s->n - 1));
        least = scaled(least, *ret_scale);
        return root > least ? root : least;
}

/* @distance / (@by / 2^@scale) in millionths, capped. @by has SCALE_BITS bits or few more, @distance at most 72. */
static int64_t quotient(uwide distance, uwide by, int scale) {
        uwide result;

        if (distance >> 44 > scaled(by, -scale))
                return SCORE_MAX;
        result = scaled(distance * (uwide)MICRO, scale) / by;
        return result > (uwide)SCORE_MAX ? SCORE_MAX : (int64_t)result;
}

bool analysis_score(const struct check_sample *samples, size_t n, enum check_worse worse, int64_t *ret) {
        size_t skip = n > CHECK_SAMPLES_MAX ? n - CHECK_SAMPLES_MAX : 0;
        struct sums s = sum_of(samples += skip, n -= skip, true);
        wide distance = s.value - s.baseline;
        int64_t score;
        int scale;
        uwide by;

        if (s.n < 2)
                return false;
        by = spread(samples, n, &s, &scale);
        score = quotient(size_of(distance), by, scale);
        *ret = (distance < 0) == (worse == WORSE_LOWER) ? score : -score;
        return true;
}

/*
 * Rounds
 */

struct round {
        enum check_verdict verdict;
        const char *detail;
};

static const char *text_of(int64_t value, struct arena *a) {
        char text[MICRO_TEXT_MAX];

        return arena_strdup(a, micro_format(value, text));
}

/* What an instance says while it starts proves nothing yet. */
static enum check_verdict verdict_of(const struct check *check, const struct check_fact *fact, int64_t now) {
        bool starting = fact->started_at > 0 && now - fact->started_at < check->start_period_ms;

        return fact->verdict == CHECK_FAIL && starting ? CHECK_INCONCLUSIVE : fact->verdict;
}

/* Pass is the mildest, so the order of the words does not do. */
static int strictness(enum check_verdict v) {
        return v == CHECK_FAIL ? 2 : v == CHECK_INCONCLUSIVE ? 1 : 0;
}

static const char *detail_of(const struct check_fact *fact, enum check_verdict verdict, size_t n, struct arena *a) {
        const char *text = fact->detail ? fact->detail : check_verdict_names[fact->verdict];

        if (n > 1 && fact->instance && verdict != CHECK_PASS)
                text = arena_printf(a, "%.12s: %s", fact->instance, text);
        if (verdict != fact->verdict)
                text = arena_printf(a, "%s, but it is only starting", text);
        return arena_strdup(a, text);
}

static struct round judge_facts(const struct check *check, const struct check_fact *facts, size_t n, int64_t now,
                                struct arena *a) {
        struct round round = { .verdict = CHECK_PASS };

        if (n == 0)
                return (struct round){ .verdict = CHECK_INCONCLUSIVE, .detail = "nothing was checked" };
        for (size_t i = 0; i < n; i++) {
                enum check_verdict v = verdict_of(check, &facts[i], now);

                if (round.detail && strictness(v) <= strictness(round.verdict))
                        continue;
                round = (struct round){ .verdict = v, .detail = detail_of(&facts[i], v, n, a) };
        }
        return round;
}

/* The oldest goes first. The list is made anew: the one before may live elsewhere. */
static void remember(struct check_state *state, const struct check_fact *fact, struct arena *a) {
        size_t n = state->samples.n, keep = n < CHECK_SAMPLES_MAX ? n : CHECK_SAMPLES_MAX - 1;
        struct check_sample *samples = arena_array(a, keep + 1, sizeof(*samples));

        if (keep > 0)
                memcpy(samples, (const struct check_sample *)state->samples.items + (n - keep),
                       keep * sizeof(*samples));
        samples[keep] = (struct check_sample){
                .value = *fact->value,
                .baseline = fact->baseline ? *fact->baseline : 0,
                .has_baseline = fact->baseline != NULL,
        };
        state->samples = (struct struct_list){ .items = samples, .n = keep + 1 };
}

/* The mean against a bound, without dividing: exact. */
static struct round judge_bounds(const struct check_prometheus *p, const struct sums *s, struct arena *a) {
        const char *mean = text_of((int64_t)(s->value / s->n), a);

        if (p->min && s->value < (wide)*p->min * s->n)
                return (struct round){ CHECK_FAIL, arena_printf(a, "mean %s, below %s", mean, text_of(*p->min, a)) };
        if (p->max && s->value > (wide)*p->max * s->n)
                return (struct round){ CHECK_FAIL, arena_printf(a, "mean %s, above %s", mean, text_of(*p->max, a)) };
        return (struct round){ CHECK_PASS, arena_printf(a, "mean %s", mean) };
}

static struct round judge_score(const struct check_prometheus *p, const struct check_state *state,
                                const struct sums *pairs, const char *mean, struct arena *a) {
        int64_t most = p->z ? *p->z : Z_DEFAULT;
        const char *text;

        /* Two samples is what a deviation needs. */
        if (!state->score)
                return (struct round){ CHECK_INCONCLUSIVE,
                                       arena_printf(a, "%s; too few baselines to compare with", mean) };
        text = arena_printf(a, "%s, baseline %s, score %s", mean, text_of((int64_t)(pairs->baseline / pairs->n), a),
                            text_of(*state->score, a));
        if (*state->score > most)
                return (struct round){ CHECK_FAIL, arena_printf(a, "%s, above %s", text, text_of(most, a)) };
        return (struct round){ CHECK_PASS, text };
}

/* A first release has nothing to be compared with: its probe says so by giving numbers without baseline. */
static struct round judge_series(const struct check_prometheus *p, const struct check_state *state, struct arena *a) {
        const struct check_sample *samples = state->samples.items;
        struct sums all = sum_of(samples, state->samples.n, false), pairs = sum_of(samples, state->samples.n, true);
        struct round round;

        if (all.n < p->samples)
                return (struct round){ CHECK_INCONCLUSIVE, arena_printf(a, "%lld of %lld samples", (long long)all.n,
                                                                        (long long)p->samples) };
        round = judge_bounds(p, &all, a);
        if (round.verdict == CHECK_FAIL || !p->baseline)
                return round;
        if (pairs.n == 0)
                return (struct round){ CHECK_PASS,
                                       arena_printf(a, "%s; no old release to compare with", round.detail) };
        return judge_score(p, state, &pairs, round.detail, a);
}

static void update_score(const struct check_prometheus *p, struct arena *a, struct check_state *state) {
        int64_t score;

        state->score = NULL;
        if (!p->baseline || !analysis_score(state->samples.items, state->samples.n, p->worse, &score))
                return;
        state->score = memcpy(arena_new_of(a, int64_t), &score, sizeof(score));
}

static struct round judge_measured(const struct check *check, const struct check_fact *facts, size_t n, struct arena *a,
                                   struct check_state *state) {
        bool measured = false;

        for (size_t i = 0; i < n; i++) {
                if (facts[i].verdict != CHECK_PASS || !facts[i].value)
                        return (struct round){ CHECK_INCONCLUSIVE,
                                               arena_strdup(a, facts[i].detail ? facts[i].detail : "no data") };
                measured = true;
        }
        if (!measured)
                return (struct round){ CHECK_INCONCLUSIVE, "nothing was measured" };
        for (size_t i = 0; i < n; i++)
                remember(state, &facts[i], a);
        update_score(check->prometheus, a, state);
        return judge_series(check->prometheus, state, a);
}

void analysis_round(const struct check *check, const struct check_fact *facts, size_t n, int64_t now, struct arena *a,
                    struct check_state *state) {
        struct round round =
                check->prometheus ? judge_measured(check, facts, n, a, state) : judge_facts(check, facts, n, now, a);

        state->check = check->name.text;
        state->at = now;
        state->passes = round.verdict == CHECK_PASS ? state->passes + 1 : 0;
        state->failures = round.verdict == CHECK_FAIL ? state->failures + 1 : 0;
        state->verdict = round.verdict;
        if (round.verdict == CHECK_FAIL && state->failures < check->retries)
                state->verdict = CHECK_INCONCLUSIVE;
        state->detail = round.detail;
}

enum check_verdict analysis_combined(const struct check *checks, size_t n, const struct check_state *states,
                                     size_t n_states) {
        enum check_verdict combined = CHECK_PASS;

        for (size_t i = 0; i < n; i++) {
                enum check_verdict v = CHECK_INCONCLUSIVE;

                for (size_t k = 0; k < n_states; k++)
                        if (str_eq(states[k].check, checks[i].name.text))
                                v = states[k].verdict;
                if (strictness(v) > strictness(combined))
                        combined = v;
        }
        return combined;
}
