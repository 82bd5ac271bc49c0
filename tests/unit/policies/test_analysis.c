/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "policies/analysis.h"
#include "shared/base/buffer.h"
#include "shared/base/text.h"
#include "shared/model/micro.h"
#include "tests/lib/group.h"

#define NOW          INT64_C(1700000000000)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LEAST        "-9223372036854.775807"
#define MOST         "9223372036854.775807"

/*
 * The score. The expected ones were computed with 80 decimal digits (Python, decimal), cut after six.
 */

static int64_t number(const char *text) {
        int64_t value;

        if (micro_parse(text, &value) < 0)
                fail_msg("%s is no number", text);
        return value;
}

/* "1 2 3" against "4 5 6"; a baseline "-" is none. */
static size_t read_series(const char *values, const char *baselines, struct check_sample *ret) {
        char v[4000], b[4000], *more_v = NULL, *more_b = NULL, *one, *other;
        size_t n = 0;

        (void)snprintf(v, sizeof(v), "%s", values);
        (void)snprintf(b, sizeof(b), "%s", baselines);
        for (one = strtok_r(v, " ", &more_v), other = strtok_r(b, " ", &more_b); one;
             one = strtok_r(NULL, " ", &more_v), other = strtok_r(NULL, " ", &more_b)) {
                ret[n] = (struct check_sample){ .value = number(one), .has_baseline = other && !str_eq(other, "-") };
                ret[n].baseline = ret[n].has_baseline ? number(other) : 0;
                n++;
        }
        return n;
}

static void assert_score(const char *values, const char *baselines, enum check_worse worse, const char *expected) {
        struct check_sample samples[200];
        size_t n = read_series(values, baselines, samples);
        char text[MICRO_TEXT_MAX] = "none";
        int64_t score;

        if (analysis_score(samples, n, worse, &score))
                (void)micro_format(score, text);
        if (!str_eq(text, expected))
                fail_msg("%s against %s: %s instead of %s", values, baselines, text, expected);
}

static void fixed_series_have_fixed_scores(void **state) {
        assert_score("0.02 0.03 0.02 0.025 0.03", "0.02 0.022 0.018 0.021 0.019", WORSE_HIGHER, "3.162277");
        assert_score("0.02 0.03 0.02 0.025 0.03", "0.02 0.022 0.018 0.021 0.019", WORSE_LOWER, "-3.162277");
        assert_score("0.021 0.020 0.022 0.019 0.020", "0.02 0.022 0.018 0.021 0.019", WORSE_HIGHER, "0.252982");
        assert_score("0.000001 0.000001 0.000001", "0.000001 0.000002 0.000004", WORSE_HIGHER, "-0.872871");
        assert_score("12345.678901 12345.678902 12346", "12345.67 12345.68 12345.69", WORSE_HIGHER, "0.00858");
}

static void two_samples_are_what_a_deviation_needs(void **state) {
        assert_score("100 100", "90 110", WORSE_HIGHER, "0");
        assert_score("104 106", "90 110", WORSE_LOWER, "-0.353553");
        assert_score("60 60", "90 110", WORSE_LOWER, "2.828427");
        assert_score("100", "90", WORSE_HIGHER, "none");
        assert_score("", "", WORSE_HIGHER, "none");
        assert_score("100 100 100", "90 - -", WORSE_HIGHER, "none");
        /* Values without a baseline are left out on both sides. */
        assert_score("60 5000 60", "90 - 110", WORSE_LOWER, "2.828427");
}

static void a_steady_baseline_does_not_condemn_a_hairs_breadth(void **state) {
        assert_score("1.0005 1.0005", "1 1", WORSE_HIGHER, "0.5");
        assert_score("1.01 1.01", "1 1", WORSE_HIGHER, "10");
        assert_score("-1.0005 -1.0005", "-1 -1", WORSE_LOWER, "0.5");
        assert_score("0 0", "0 0", WORSE_HIGHER, "0");
        assert_score("0 0.000004", "0 0", WORSE_HIGHER, "2");
        assert_score("0.5 0.5", "0 0", WORSE_HIGHER, "500000");
}

static void the_extremes_neither_overflow_nor_wrap(void **state) {
        own_buffer struct buffer mosts = BUFFER_INIT, both = BUFFER_INIT;

        assert_score(MOST " " MOST, LEAST " " LEAST, WORSE_HIGHER, "2000");
        assert_score(LEAST " " LEAST, MOST " " MOST, WORSE_HIGHER, "-2000");
        assert_score(MOST " " LEAST, LEAST " " MOST, WORSE_HIGHER, "0");
        assert_score(LEAST " " LEAST, LEAST " " MOST, WORSE_HIGHER, "-0.707106");
        assert_score(MOST " " MOST, "0 0.000002", WORSE_HIGHER, MOST);
        assert_score(MOST " " MOST, "0 0.000002", WORSE_LOWER, LEAST);
        assert_score(MOST " " MOST, "0 0", WORSE_HIGHER, MOST);
        for (int i = 0; i < 60; i++) {
                buffer_puts(&mosts, i ? " " MOST : MOST);
                buffer_puts(&both, i % 2 ? " " LEAST : i ? " " MOST : MOST);
        }
        assert_score(buffer_str(&mosts), buffer_str(&both), WORSE_HIGHER, "0.991631");
}

static uint64_t next_random(uint64_t *x) {
        *x ^= *x << 13, *x ^= *x >> 7, *x ^= *x << 17; /* xorshift64 */
        return *x;
}

/* The same in floating point, for a comparison. */
static long double reference(const struct check_sample *samples, size_t n) {
        long double value = 0, baseline = 0, squares = 0, by;

        for (size_t i = 0; i < n; i++)
                value += (long double)samples[i].value / n, baseline += (long double)samples[i].baseline / n;
        for (size_t i = 0; i < n; i++)
                squares += (samples[i].baseline - baseline) * (samples[i].baseline - baseline);
        by = sqrtl(squares / (n - 1));
        by = fmaxl(by, fmaxl(fabsl(baseline) / 1000, 1));
        return (value - baseline) / by;
}

static void random_series_of_all_magnitudes_agree_with_floating_point(void **state) {
        uint64_t random = 88172645463325252;

        for (int round = 0; round < 20000; round++) {
                struct check_sample samples[CHECK_SAMPLES_MAX];
                size_t n = 2 + next_random(&random) % (CHECK_SAMPLES_MAX - 1);
                int large = (int)(next_random(&random) % 63), small = (int)(next_random(&random) % 63);
                long double expected;
                int64_t score = 0;

                for (size_t i = 0; i < n; i++)
                        samples[i] = (struct check_sample){ .value = (int64_t)next_random(&random) >> (1 + large),
                                                            .baseline = (int64_t)next_random(&random) >> (1 + small),
                                                            .has_baseline = true };
                expected = reference(samples, n) * 1e6L;
                assert_true(analysis_score(samples, n, WORSE_HIGHER, &score));
                if (fabsl(expected) > 9.2e18L)
                        assert_true(score == (expected > 0 ? INT64_MAX : -INT64_MAX));
                else if (fabsl(expected - score) > 2 + fabsl(expected) * 1e-9L)
                        fail_msg("round %d: %" PRId64 " instead of %Lf", round, score, expected);
        }
}

/*
 * Rounds
 */

static struct check plain(int64_t retries, int64_t start_period_ms) {
        static const struct check_tcp tcp = { .port = 80 };

        return (struct check){ .name = { .text = "web-tcp" },
                               .service = { .text = "web" },
                               .tcp = &tcp,
                               .retries = retries,
                               .start_period_ms = start_period_ms };
}

/* One round of plain facts: a letter each, p f or i. */
static enum check_verdict look(const struct check *check, const char *letters, struct arena *a, struct check_state *s) {
        struct check_fact facts[10] = { 0 };
        size_t n = strlen(letters);

        for (size_t i = 0; i < n; i++)
                facts[i] = (struct check_fact){
                        .check = check->name.text,
                        .instance = arena_printf(a, "instance-%zu-with-a-long-id", i),
                        .verdict = letters[i] == 'p'   ? CHECK_PASS
                                   : letters[i] == 'f' ? CHECK_FAIL
                                                       : CHECK_INCONCLUSIVE,
                        .detail = letters[i] == 'p'   ? "fine"
                                  : letters[i] == 'f' ? "refused"
                                                      : "away",
                        .started_at = NOW - 5000,
                };
        analysis_round(check, facts, n, NOW, a, s);
        assert_string_equal(s->check, "web-tcp");
        assert_int_equal(s->at, NOW);
        return s->verdict;
}

static void a_check_passes_at_once_when_every_instance_does(void **state) {
        own_arena struct arena *a = arena_new();
        struct check check = plain(3, 0);
        struct check_state s = { 0 };

        assert_int_equal(look(&check, "ppp", a, &s), CHECK_PASS);
        assert_int_equal(s.passes, 1);
        assert_string_equal(s.detail, "fine");
        assert_int_equal(look(&check, "p", a, &s), CHECK_PASS);
        assert_int_equal(s.passes, 2);
        assert_null(s.score);
        assert_int_equal(s.samples.n, 0);
}

static void as_many_failed_rounds_as_retries_fail_it(void **state) {
        own_arena struct arena *a = arena_new();
        struct check check = plain(3, 0), strict = plain(1, 0);
        struct check_state s = { 0 }, t = { 0 };

        assert_int_equal(look(&check, "pfp", a, &s), CHECK_INCONCLUSIVE);
        assert_string_equal(s.detail, "instance-1-w: refused");
        assert_int_equal(look(&check, "f", a, &s), CHECK_INCONCLUSIVE);
        assert_string_equal(s.detail, "refused");
        assert_int_equal(s.failures, 2);
        assert_int_equal(look(&check, "pf", a, &s), CHECK_FAIL);
        assert_int_equal(s.failures, 3);
        assert_int_equal(look(&check, "f", a, &s), CHECK_FAIL);
        /* What recovers, recovers. */
        assert_int_equal(look(&check, "pp", a, &s), CHECK_PASS);
        assert_int_equal(s.failures, 0);
        assert_int_equal(s.passes, 1);
        assert_int_equal(look(&strict, "f", a, &t), CHECK_FAIL);
}

static void anything_but_a_pass_ends_the_row(void **state) {
        own_arena struct arena *a = arena_new();
        struct check check = plain(2, 0);
        struct check_state s = { 0 };

        assert_int_equal(look(&check, "f", a, &s), CHECK_INCONCLUSIVE);
        assert_int_equal(look(&check, "i", a, &s), CHECK_INCONCLUSIVE);
        assert_int_equal(s.failures, 0);
        assert_string_equal(s.detail, "away");
        assert_int_equal(look(&check, "f", a, &s), CHECK_INCONCLUSIVE);
        assert_int_equal(look(&check, "p", a, &s), CHECK_PASS);
        assert_int_equal(look(&check, "f", a, &s), CHECK_INCONCLUSIVE);
        assert_int_equal(s.passes, 0);
        /* A failure weighs more than what is not known. */
        assert_int_equal(look(&check, "ifp", a, &s), CHECK_FAIL);
        assert_string_equal(s.detail, "instance-1-w: refused");
}

static void no_fact_and_no_verdict_are_never_a_pass(void **state) {
        own_arena struct arena *a = arena_new();
        struct check check = plain(1, 0);
        struct check_state s = { .verdict = CHECK_PASS, .passes = 7 };

        assert_int_equal(look(&check, "", a, &s), CHECK_INCONCLUSIVE);
        assert_int_equal(s.passes, 0);
        assert_string_equal(s.detail, "nothing was checked");
        assert_int_equal(look(&check, "ppi", a, &s), CHECK_INCONCLUSIVE);
        assert_string_equal(s.detail, "instance-2-w: away");
}

static void failures_while_an_instance_starts_do_not_count(void **state) {
        own_arena struct arena *a = arena_new();
        struct check starting = plain(1, 5001), started = plain(1, 5000);
        const struct check_fact unknown = { .verdict = CHECK_FAIL, .detail = "refused" };
        struct check_state s = { 0 };

        assert_int_equal(look(&starting, "pf", a, &s), CHECK_INCONCLUSIVE);
        assert_string_equal(s.detail, "instance-1-w: refused, but it is only starting");
        assert_int_equal(look(&starting, "pp", a, &s), CHECK_PASS);
        assert_int_equal(look(&started, "pf", a, &s), CHECK_FAIL);
        /* One that is not known to be young is not. */
        analysis_round(&starting, &unknown, 1, NOW, a, &s);
        assert_int_equal(s.verdict, CHECK_FAIL);
}

/*
 * Series
 */

struct series {
        struct arena *arena;
        struct check check;
        struct check_prometheus prometheus;
        struct check_state state;
};

static struct series *series_new(struct arena *a, int64_t samples) {
        struct series *s = arena_new_of(a, struct series);

        s->arena = a;
        s->prometheus = (struct check_prometheus){ .samples = samples };
        s->check = (struct check){
                .name = { .text = "errors" }, .service = { .text = "web" }, .prometheus = &s->prometheus, .retries = 1
        };
        return s;
}

static const int64_t *given(struct series *s, const char *text) {
        int64_t *value = arena_new_of(s->arena, int64_t);

        if (!text)
                return NULL;
        *value = number(text);
        return value;
}

/* One round with this number; NULL: there was none to be had. */
static enum check_verdict measure(struct series *s, const char *value, const char *baseline) {
        const struct check_fact fact = {
                .check = "errors",
                .verdict = value ? CHECK_PASS : CHECK_INCONCLUSIVE,
                .value = given(s, value),
                .baseline = given(s, baseline),
                .detail = value ? value : "no traffic: 0",
        };

        analysis_round(&s->check, &fact, 1, NOW, s->arena, &s->state);
        return s->state.verdict;
}

static enum check_verdict measure_all(struct series *s, const char *values, const char *baselines) {
        struct check_sample samples[200];
        size_t n = read_series(values, baselines, samples);
        char value[MICRO_TEXT_MAX], baseline[MICRO_TEXT_MAX];

        for (size_t i = 0; i < n; i++)
                (void)measure(s, micro_format(samples[i].value, value),
                              samples[i].has_baseline ? micro_format(samples[i].baseline, baseline) : NULL);
        return s->state.verdict;
}

static void a_mean_within_bounds_passes_once_there_are_enough_samples(void **state) {
        own_arena struct arena *a = arena_new();
        struct series *s = series_new(a, 3);

        s->prometheus.max = given(s, "0.05");
        assert_int_equal(measure(s, "0.01", NULL), CHECK_INCONCLUSIVE);
        assert_string_equal(s->state.detail, "1 of 3 samples");
        assert_int_equal(measure(s, "0.13", NULL), CHECK_INCONCLUSIVE);
        assert_int_equal(measure(s, "0.01", NULL), CHECK_PASS); /* the mean is the bound itself */
        assert_string_equal(s->state.detail, "mean 0.05");
        assert_int_equal(measure(s, "0.050001", NULL), CHECK_FAIL);
        assert_string_equal(s->state.detail, "mean 0.05, above 0.05"); /* by a quarter of a millionth */
        assert_int_equal(s->state.samples.n, 4);
}

static void both_bounds_hold(void **state) {
        own_arena struct arena *a = arena_new();
        struct series *low = series_new(a, 1), *high = series_new(a, 1);

        low->prometheus.min = high->prometheus.min = given(low, "-1");
        low->prometheus.max = high->prometheus.max = given(low, "1");
        assert_int_equal(measure(low, "-1", NULL), CHECK_PASS);
        assert_int_equal(measure(low, "-1.5", NULL), CHECK_FAIL);
        assert_string_equal(low->state.detail, "mean -1.25, below -1");
        assert_int_equal(measure(high, MOST, NULL), CHECK_FAIL);
        assert_int_equal(measure(high, MOST, NULL), CHECK_FAIL);
        assert_string_equal(high->state.detail, "mean " MOST ", above 1");
}

static void retries_count_for_series_too(void **state) {
        own_arena struct arena *a = arena_new();
        struct series *s = series_new(a, 1);

        s->check.retries = 2;
        s->prometheus.max = given(s, "1");
        assert_int_equal(measure(s, "2", NULL), CHECK_INCONCLUSIVE);
        assert_int_equal(s->state.failures, 1);
        assert_int_equal(measure(s, "2", NULL), CHECK_FAIL);
}

static void no_traffic_and_no_data_never_pass_and_are_never_a_sample(void **state) {
        own_arena struct arena *a = arena_new();
        struct series *s = series_new(a, 1);
        const struct check_fact odd = { .check = "errors", .verdict = CHECK_PASS };

        s->prometheus.max = given(s, "1");
        assert_int_equal(measure(s, "0", NULL), CHECK_PASS);
        for (int i = 0; i < 10; i++) {
                assert_int_equal(measure(s, NULL, NULL), CHECK_INCONCLUSIVE);
                assert_string_equal(s->state.detail, "no traffic: 0");
                assert_int_equal(s->state.passes, 0);
                assert_int_equal(s->state.samples.n, 1);
        }
        /* A pass without a number, and no fact at all. */
        analysis_round(&s->check, &odd, 1, NOW, a, &s->state);
        assert_int_equal(s->state.verdict, CHECK_INCONCLUSIVE);
        analysis_round(&s->check, NULL, 0, NOW, a, &s->state);
        assert_int_equal(s->state.verdict, CHECK_INCONCLUSIVE);
        assert_int_equal(s->state.samples.n, 1);
}

static void a_score_above_z_fails_and_only_on_the_worse_side(void **state) {
        static const char base[] = "0.02 0.022 0.018 0.021 0.019", high[] = "0.02 0.03 0.02 0.025 0.03",
                          low[] = "0.01 0.015 0.01 0.02 0.02";
        own_arena struct arena *a = arena_new();
        struct series *s = series_new(a, 5), *loose = series_new(a, 5), *lower = series_new(a, 5),
                      *better = series_new(a, 5), *worse = series_new(a, 5);

        s->prometheus.baseline = loose->prometheus.baseline = lower->prometheus.baseline = better->prometheus.baseline =
                worse->prometheus.baseline = "old";
        assert_int_equal(measure_all(s, high, base), CHECK_FAIL);
        assert_string_equal(s->state.detail, "mean 0.025, baseline 0.02, score 3.162277, above 3");
        assert_int_equal(*s->state.score, 3162277);
        loose->prometheus.z = given(s, "3.162277");
        assert_int_equal(measure_all(loose, high, base), CHECK_PASS);
        assert_string_equal(loose->state.detail, "mean 0.025, baseline 0.02, score 3.162277");
        lower->prometheus.worse = WORSE_LOWER;
        assert_int_equal(measure_all(lower, high, base), CHECK_PASS);
        assert_int_equal(*lower->state.score, -3162277);
        assert_int_equal(measure_all(better, low, base), CHECK_PASS);
        worse->prometheus.worse = WORSE_LOWER;
        assert_int_equal(measure_all(worse, low, base), CHECK_FAIL);
}

static void a_bound_fails_whatever_the_baseline_says(void **state) {
        own_arena struct arena *a = arena_new();
        struct series *s = series_new(a, 2);

        s->prometheus.baseline = "old";
        s->prometheus.max = given(s, "0.5");
        assert_int_equal(measure_all(s, "0.9 0.9", "0.9 0.9"), CHECK_FAIL);
        assert_string_equal(s->state.detail, "mean 0.9, above 0.5");
}

static void a_zero_baseline_is_left_only_by_what_is_not_zero(void **state) {
        own_arena struct arena *a = arena_new();
        struct series *good = series_new(a, 5), *bad = series_new(a, 5);

        good->prometheus.baseline = bad->prometheus.baseline = "old";
        assert_int_equal(measure_all(good, "0 0 0 0 0", "0 0 0 0 0"), CHECK_PASS);
        assert_int_equal(measure_all(bad, "0 0 0 0 0.1", "0 0 0 0 0"), CHECK_FAIL);
}

static void too_few_baselines_are_inconclusive_and_none_at_all_is_a_first_release(void **state) {
        own_arena struct arena *a = arena_new();
        struct series *few = series_new(a, 1), *first = series_new(a, 2);

        few->prometheus.baseline = first->prometheus.baseline = "old";
        assert_int_equal(measure_all(few, "1", "1"), CHECK_INCONCLUSIVE);
        assert_string_equal(few->state.detail, "mean 1; too few baselines to compare with");
        assert_int_equal(measure_all(few, "1", "1"), CHECK_PASS);
        assert_int_equal(measure_all(first, "1 1", "- -"), CHECK_PASS);
        assert_string_equal(first->state.detail, "mean 1; no old release to compare with");
        first->prometheus.max = given(first, "0.5");
        assert_int_equal(measure_all(first, "1", "-"), CHECK_FAIL);
}

static void the_oldest_sample_goes_first(void **state) {
        own_arena struct arena *a = arena_new(), *other = arena_new();
        struct series *s = series_new(a, CHECK_SAMPLES_MAX);
        struct check_sample *restored = arena_array(other, CHECK_SAMPLES_MAX + 40, sizeof(*restored));
        const struct check_sample *items;

        s->prometheus.max = given(s, "1");
        (void)measure(s, "100", NULL);
        for (int i = 1; i < CHECK_SAMPLES_MAX; i++)
                (void)measure(s, i == 1 ? "7" : "0", NULL);
        assert_int_equal(s->state.samples.n, CHECK_SAMPLES_MAX);
        assert_int_equal(s->state.verdict, CHECK_FAIL);
        assert_int_equal(measure(s, "0.5", NULL), CHECK_PASS);
        items = s->state.samples.items;
        assert_int_equal(s->state.samples.n, CHECK_SAMPLES_MAX);
        assert_int_equal(items[0].value, 7 * MICRO);
        assert_int_equal(items[CHECK_SAMPLES_MAX - 1].value, MICRO / 2);
        /* A state with more than that, of another version, say, which lives elsewhere. */
        for (int i = 0; i < CHECK_SAMPLES_MAX + 40; i++)
                restored[i].value = i;
        s->state.samples = (struct struct_list){ .items = restored, .n = CHECK_SAMPLES_MAX + 40 };
        (void)measure(s, "0", NULL);
        arena_free(take(other));
        items = s->state.samples.items;
        assert_int_equal(s->state.samples.n, CHECK_SAMPLES_MAX);
        assert_int_equal(items[0].value, 41);
        assert_int_equal(items[CHECK_SAMPLES_MAX - 2].value, CHECK_SAMPLES_MAX + 39);
}

static void a_long_series_of_the_largest_numbers_is_judged(void **state) {
        own_arena struct arena *a = arena_new();
        struct series *s = series_new(a, 60);

        s->prometheus.baseline = "old";
        for (int i = 0; i < 200; i++)
                (void)measure(s, i % 3 ? MOST : LEAST, i % 2 ? LEAST : MOST);
        assert_int_equal(s->state.verdict, CHECK_PASS);
        assert_string_equal(s->state.detail, "mean 3074457345618.258602, baseline 0, score 0.330543");
}

/*
 * All checks together
 */

static void the_strictest_of_all_counts(void **state) {
        const struct check checks[] = { { .name = { .text = "a" } },
                                        { .name = { .text = "b" } },
                                        { .name = { .text = "c" } } };
        struct check_state states[] = { { .check = "c", .verdict = CHECK_PASS },
                                        { .check = "a", .verdict = CHECK_PASS },
                                        { .check = "b", .verdict = CHECK_PASS },
                                        { .check = "gone", .verdict = CHECK_FAIL } };

        assert_int_equal(analysis_combined(NULL, 0, NULL, 0), CHECK_PASS);
        assert_int_equal(analysis_combined(NULL, 0, states, COUNT(states)), CHECK_PASS);
        assert_int_equal(analysis_combined(checks, 3, states, COUNT(states)), CHECK_PASS);
        states[1].verdict = CHECK_INCONCLUSIVE;
        assert_int_equal(analysis_combined(checks, 3, states, COUNT(states)), CHECK_INCONCLUSIVE);
        states[0].verdict = CHECK_FAIL;
        assert_int_equal(analysis_combined(checks, 3, states, COUNT(states)), CHECK_FAIL);
        states[1].verdict = CHECK_FAIL;
        states[0].verdict = CHECK_INCONCLUSIVE;
        assert_int_equal(analysis_combined(checks, 3, states, COUNT(states)), CHECK_FAIL);
        /* Not looked at yet. */
        states[0].verdict = states[1].verdict = CHECK_PASS;
        assert_int_equal(analysis_combined(checks, 3, states, 2), CHECK_INCONCLUSIVE);
        assert_int_equal(analysis_combined(checks, 3, NULL, 0), CHECK_INCONCLUSIVE);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixed_series_have_fixed_scores),
        cmocka_unit_test(two_samples_are_what_a_deviation_needs),
        cmocka_unit_test(a_steady_baseline_does_not_condemn_a_hairs_breadth),
        cmocka_unit_test(the_extremes_neither_overflow_nor_wrap),
        cmocka_unit_test(random_series_of_all_magnitudes_agree_with_floating_point),
        cmocka_unit_test(a_check_passes_at_once_when_every_instance_does),
        cmocka_unit_test(as_many_failed_rounds_as_retries_fail_it),
        cmocka_unit_test(anything_but_a_pass_ends_the_row),
        cmocka_unit_test(no_fact_and_no_verdict_are_never_a_pass),
        cmocka_unit_test(failures_while_an_instance_starts_do_not_count),
        cmocka_unit_test(a_mean_within_bounds_passes_once_there_are_enough_samples),
        cmocka_unit_test(both_bounds_hold),
        cmocka_unit_test(retries_count_for_series_too),
        cmocka_unit_test(no_traffic_and_no_data_never_pass_and_are_never_a_sample),
        cmocka_unit_test(a_score_above_z_fails_and_only_on_the_worse_side),
        cmocka_unit_test(a_bound_fails_whatever_the_baseline_says),
        cmocka_unit_test(a_zero_baseline_is_left_only_by_what_is_not_zero),
        cmocka_unit_test(too_few_baselines_are_inconclusive_and_none_at_all_is_a_first_release),
        cmocka_unit_test(the_oldest_sample_goes_first),
        cmocka_unit_test(a_long_series_of_the_largest_numbers_is_judged),
        cmocka_unit_test(the_strictest_of_all_counts),
};

TEST_GROUP(analysis, tests);
