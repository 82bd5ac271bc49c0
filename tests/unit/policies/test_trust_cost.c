/* SPDX-License-Identifier: Apache-2.0 */

/* What is remembered, what a long history costs, and where it ends. */

#include "tests/lib/group.h"
#include "tests/unit/policies/trust_rig.h"

#include <errno.h>
#include <time.h>

struct memory {
        struct {
                struct object_id id;
                struct digest trust;
        } items[16384];
        size_t n;
        size_t at; /* questions come in the order of the notes */
};

static bool remembers(void *data, const struct object_id *id, const struct digest *trust) {
        struct memory *m = data;

        for (size_t i = 0; i < m->n; i++) {
                size_t k = (m->at + i) % m->n;

                if (object_id_equal(&m->items[k].id, id) && digest_equal(&m->items[k].trust, trust)) {
                        m->at = k + 1;
                        return true;
                }
        }
        return false;
}

static void note(void *data, const struct object_id *id, const struct digest *trust) {
        struct memory *m = data;

        assert_true(m->n < ELEMENTS(m->items));
        m->items[m->n].id = *id;
        m->items[m->n++].trust = *trust;
}

static void what_was_verified_is_not_verified_again(void **state) {
        own_free struct memory *memory = calloc(1, sizeof(*memory));
        struct object_id a = COMMIT("a", alice_bob, .seed = ALICE);
        struct object_id b = COMMIT("b", alice_bob, NULL, { &a }, BOB);
        struct object_id c = COMMIT("c", only_alice, NULL, { &b }, ALICE);
        struct trust_request request = request_of(&a, &c);
        struct trust_result result;

        request.memory = (struct trust_memory){ remembers, note, memory };
        assert_fine(trust_verify(&request, &result, &fault));
        assert_int_equal(result.n_verified, 2);
        assert_fine(trust_verify(&request, &result, &fault));
        assert_int_equal(result.n_commits, 2);
        assert_int_equal(result.n_verified, 0);
        assert_string_equal(result.principal, "alice@example.org");
        request.options.require_touch = true; /* a stricter question is another question */
        assert_fine(trust_verify(&request, &result, &fault));
        assert_int_equal(result.n_verified, 2);
}

/* First seen while the key was valid: it does not expire backwards. */
static void what_was_seen_in_time_stays_accepted(void **state) {
        own_free struct memory *memory = calloc(1, sizeof(*memory));
        own_buffer struct buffer file = BUFFER_INIT;
        struct object_id a = with_bob_until("valid-before=\"20270201Z\" ", &file);
        struct object_id b = COMMIT("b", file.data, NULL, { &a }, BOB);
        struct object_id c = COMMIT("c", file.data, NULL, { &b }, ALICE);
        struct trust_request request = request_of(&a, &b);
        struct trust_result result;

        request.memory = (struct trust_memory){ remembers, note, memory };
        assert_fine(trust_verify(&request, &result, &fault));
        request.tip = c;
        request.now_ms += (int64_t)30 * 86400 * 1000;
        assert_fine(trust_verify(&request, &result, &fault));
        assert_int_equal(result.n_verified, 1);
        request.memory = (struct trust_memory){ 0 };
        assert_refused(trust_verify(&request, &result, &fault), REASON_TRUST_EXPIRED);
}

/* Time of this process alone: the machine may be busy with other tests. */
static int64_t cpu_ns(void) {
        struct timespec t;

        assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t), 0);
        return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void ten_thousand_commits_take_a_second_or_so(void **state) {
        own_free struct memory *memory = calloc(1, sizeof(*memory));
        struct object_id a = COMMIT("a", only_alice, .seed = ALICE), tip = a;
        struct trust_request request;
        struct trust_result result;
        int64_t start, first, second;

        for (unsigned i = 1; i <= 10000; i++) {
                struct object_id tree = repository_tree(&repo, only_alice, i), parent = tip;

                tip = COMMIT("change", .tree = &tree, .parents = { &parent }, .seed = ALICE);
        }
        request = request_of(&a, &tip);
        request.memory = (struct trust_memory){ remembers, note, memory };
        start = cpu_ns();
        assert_fine(trust_verify(&request, &result, &fault));
        first = cpu_ns() - start;
        assert_int_equal(result.n_verified, 10000);
        start = cpu_ns();
        assert_fine(trust_verify(&request, &result, &fault));
        second = cpu_ns() - start;
        assert_int_equal(result.n_verified, 0);
        print_message("10,000 commits: %lld us, again %lld us\n", (long long)first / 1000, (long long)second / 1000);
#if !defined(__SANITIZE_ADDRESS__)
        assert_true(first < 4000000000);
        assert_true(second < first);
#endif
}

/* Commit number n is a commit whose only parent is number n - 1; nothing is stored. */
static int endless_read(void *data, const struct object_id *id, enum object_type type, size_t limit,
                        const void **ret_bytes, size_t *ret_size, struct fault *reterr) {
        struct object_id parent = *id;
        char *raw = data, hex[OBJECT_ID_TEXT_MAX];
        uint32_t n;

        memcpy(&n, id->raw, sizeof(n));
        n--;
        memcpy(parent.raw, &n, sizeof(n));
        *ret_size = (size_t)snprintf(raw, 256, "tree %040d\nparent %s\n\n", 0, object_id_format(&parent, hex));
        *ret_bytes = raw;
        return 0;
}

static void too_many_commits_are_refused_before_they_are_judged(void **state) {
        char raw[256];
        struct object_reader endless = { endless_read, raw };
        struct object_id accepted = { .raw = { 1 } }, tip = accepted;
        struct trust_request request;
        struct trust_result result;
        uint32_t n = LIMIT_RANGE_COMMITS + 2;

        memcpy(tip.raw, &n, sizeof(n));
        request = request_of(&accepted, &tip);
        request.reader = &endless;
        assert_refused(trust_verify(&request, &result, &fault), REASON_TRUST_LIMIT);
        /* Away from the accepted commit there is no end, but a limit. */
        accepted.raw[19] = 1;
        assert_refused(trust_verify(&request, &result, &fault), REASON_TRUST_LIMIT);
}

static const struct CMUnitTest tests[] = {
        test(what_was_verified_is_not_verified_again),
        test(what_was_seen_in_time_stays_accepted),
        test(ten_thousand_commits_take_a_second_or_so),
        test(too_many_commits_are_refused_before_they_are_judged),
};

TEST_GROUP(trust_cost, tests);
