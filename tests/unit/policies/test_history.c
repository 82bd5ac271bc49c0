/* SPDX-License-Identifier: Apache-2.0 */

#include "tests/lib/group.h"
#include "tests/unit/policies/repository.h"

#include <errno.h>

#include "policies/history.h"
#include "shared/base/reason.h"

static struct repository repo;

static int make_repository(void **state) {
        repository_init(&repo);
        return 0;
}

static int drop_repository(void **state) {
        repository_done(&repo);
        return 0;
}

#define COMMIT(name, ...) \
        repository_commit(&repo, &(struct commit_spec){ .subject = (name), .signers = "", .parents = { __VA_ARGS__ } })

/* The order as subjects, mainline commits in brackets: "s1 [m]". */
static void assert_order(const struct object_id *accepted, const struct object_id *tip, const char *expected) {
        own_history struct history *h = NULL;
        own_buffer struct buffer order = BUFFER_INIT;

        assert_fine(history_read(&repo.reader, accepted, tip, &h, &fault));
        for (uint32_t pos = 0; pos < h->n_order; pos++) {
                const struct history_commit *c = &h->commits[h->order[pos]];
                const struct stored *s = repository_slot(&repo, &c->id);
                struct object_commit commit;
                char subject[16];

                assert_fine(object_commit_parse(s->bytes, s->size, &commit, &fault));
                object_commit_subject(&commit, subject, sizeof(subject));
                buffer_printf(&order, c->flags & HISTORY_MAINLINE ? "[%s] " : "%s ", subject);
        }
        if (order.size > 0)
                order.data[--order.size] = '\0';
        assert_string_equal(buffer_str(&order), expected);
}

static void a_line_is_read_from_the_accepted_commit_up(void **state) {
        struct object_id a = COMMIT("a", NULL), b = COMMIT("b", &a), c = COMMIT("c", &b);

        assert_order(&a, &c, "[b] [c]");
        assert_order(&b, &c, "[c]");
}

static void what_a_merge_brings_in_stands_before_it(void **state) {
        struct object_id r = COMMIT("r", NULL), a = COMMIT("a", &r), b = COMMIT("b", &a);
        struct object_id s1 = COMMIT("s1", &r), s2 = COMMIT("s2", &s1), t = COMMIT("t", &a);
        struct object_id m = COMMIT("m", &b, &s2), n = COMMIT("n", &m, &t), end = COMMIT("end", &n);

        assert_order(&a, &end, "[b] s1 s2 [m] t [n] [end]");
        assert_order(&b, &m, "s1 s2 [m]");
}

static void the_mainline_is_the_first_parent_that_descends(void **state) {
        struct object_id r = COMMIT("r", NULL), a = COMMIT("a", &r), b = COMMIT("b", &a), c = COMMIT("c", &a);
        struct object_id s = COMMIT("s", &r), fox = COMMIT("fox", &s, &b), both = COMMIT("both", &c, &b);

        assert_order(&a, &fox, "[b] s [fox]");
        assert_order(&a, &both, "[c] b [both]");
}

static void a_merge_of_the_accepted_commit_itself_follows_it(void **state) {
        struct object_id r = COMMIT("r", NULL), a = COMMIT("a", &r), s = COMMIT("s", &r), m = COMMIT("m", &s, &a);

        assert_order(&a, &m, "s [m]");
}

/* The side reaches the accepted commit's history by several ways, which are all old. */
static void old_history_is_left_out_however_it_is_reached(void **state) {
        struct object_id r = COMMIT("r", NULL), x = COMMIT("x", &r), y = COMMIT("y", &r), a = COMMIT("a", &x, &y);
        struct object_id s = COMMIT("s", &y, &x), m = COMMIT("m", &a, &s, &r);

        assert_order(&a, &m, "s [m]");
}

static void linear_history_reads_nothing_behind_the_accepted_commit(void **state) {
        struct object_id r = COMMIT("r", NULL), a = COMMIT("a", &r), b = COMMIT("b", &a), s = COMMIT("s", &a),
                         m = COMMIT("m", &b, &s);

        repository_forget(&repo, &r);
        assert_order(&a, &m, "[b] s [m]");
}

static void unrelated_and_older_tips_are_rewinds(void **state) {
        struct object_id r = COMMIT("r", NULL), a = COMMIT("a", &r), other = COMMIT("other", NULL);
        struct history *h = NULL;

        assert_refused(history_read(&repo.reader, &a, &r, &h, &fault), REASON_TRUST_REWIND);
        assert_refused(history_read(&repo.reader, &a, &other, &h, &fault), REASON_TRUST_REWIND);
        assert_null(h);
}

#define test(name) cmocka_unit_test_setup_teardown(name, make_repository, drop_repository)

static const struct CMUnitTest tests[] = {
        test(a_line_is_read_from_the_accepted_commit_up),
        test(what_a_merge_brings_in_stands_before_it),
        test(the_mainline_is_the_first_parent_that_descends),
        test(a_merge_of_the_accepted_commit_itself_follows_it),
        test(old_history_is_left_out_however_it_is_reached),
        test(linear_history_reads_nothing_behind_the_accepted_commit),
        test(unrelated_and_older_tips_are_rewinds),
};

TEST_GROUP(history, tests);
