/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reconciler/state/verified.h"
#include "shared/base/file.h"
#include "shared/base/limits.h"
#include "tests/lib/group.h"

struct place {
        char path[64];
        int dirfd;
};

static int setup(void **state) {
        static struct place p;

        (void)snprintf(p.path, sizeof(p.path), "/tmp/test-verified-XXXXXX");
        assert_non_null(mkdtemp(p.path));
        p.dirfd = open(p.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        *state = &p;
        return 0;
}

static int teardown(void **state) {
        struct place *p = *state;

        (void)unlinkat(p->dirfd, "verified", 0);
        (void)close(p->dirfd);
        return rmdir(p->path);
}

static struct object_id commit(unsigned n) {
        struct object_id id = { { 0 } };

        memcpy(id.raw, &n, sizeof(n));
        id.raw[19] = 1;
        return id;
}

static void add(struct verified *v, unsigned n, const char *trust) {
        const struct digest d = digest_of(trust, strlen(trust));
        const struct object_id id = commit(n);

        verified_add(v, &id, &d);
}

static bool has(struct verified *v, unsigned n, const char *trust) {
        const struct digest d = digest_of(trust, strlen(trust));
        const struct object_id id = commit(n);

        return verified_has(v, &id, &d);
}

static void save(struct verified *v) {
        own_fault struct fault f = FAULT_INIT;

        assert_int_equal(verified_save(v, &f), 0);
}

static off_t size_of(const struct place *p) {
        struct stat st;

        return fstatat(p->dirfd, "verified", &st, 0) == 0 ? st.st_size : -1;
}

static void test_a_commit_is_known_under_the_trust_that_judged_it(void **state) {
        const struct place *p = *state;
        own_verified struct verified *v = verified_new(p->dirfd);

        assert_false(has(v, 1, "a"));
        add(v, 1, "a");
        assert_true(has(v, 1, "a"));
        assert_false(has(v, 1, "b"));
        assert_false(has(v, 2, "a"));
}

static void test_what_is_saved_is_known_to_the_next_pass(void **state) {
        const struct place *p = *state;

        for (unsigned round = 0; round < 3; round++) {
                own_verified struct verified *v = verified_new(p->dirfd);

                assert_int_equal(verified_count(v), 500 * round);
                for (unsigned i = 0; i < 500; i++)
                        add(v, 500 * round + i, "a");
                save(v);
        }

        own_verified struct verified *v = verified_new(p->dirfd);

        for (unsigned i = 0; i < 1500; i++)
                assert_true(has(v, i, "a"));
        assert_false(has(v, 1500, "a"));
        assert_int_equal(size_of(p), 16 + 1500 * 52);
}

static void test_saving_nothing_new_writes_nothing(void **state) {
        const struct place *p = *state;
        own_verified struct verified *v = verified_new(p->dirfd);

        save(v);
        assert_int_equal(verified_count(v), 0);
        save(v);
        assert_int_equal(size_of(p), -1);
        add(v, 1, "a");
        add(v, 1, "a");
        save(v);
        assert_int_equal(size_of(p), 16 + 52);
}

static void test_a_torn_tail_is_cut_off(void **state) {
        const struct place *p = *state;
        own_verified struct verified *first = verified_new(p->dirfd), *second = verified_new(p->dirfd);
        char path[96];

        add(first, 1, "a");
        add(first, 2, "a");
        save(first);
        (void)snprintf(path, sizeof(path), "%s/verified", p->path);
        assert_int_equal(truncate(path, 16 + 52 + 30), 0);
        assert_true(has(second, 1, "a"));
        assert_false(has(second, 2, "a"));
        add(second, 3, "a");
        save(second);

        own_verified struct verified *third = verified_new(p->dirfd);

        assert_true(has(third, 1, "a") && has(third, 3, "a"));
        assert_int_equal(size_of(p), 16 + 2 * 52);
}

static void test_a_file_that_is_not_ours_is_begun_anew(void **state) {
        static const char *const texts[] = { "", "tally-verified-2",
                                             "tally-verified-9aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
        const struct place *p = *state;

        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                own_verified struct verified *v = verified_new(p->dirfd), *again = verified_new(p->dirfd);
                own_fault struct fault f = FAULT_INIT;

                assert_int_equal(file_write(p->dirfd, "verified", texts[i], strlen(texts[i]), 0600, &f), 0);
                assert_int_equal(verified_count(v), 0);
                add(v, 7, "a");
                save(v);
                assert_true(has(again, 7, "a"));
                assert_int_equal(verified_count(again), 1);
        }
}

static void test_beyond_the_limit_the_older_half_goes(void **state) {
        const struct place *p = *state;
        own_verified struct verified *v = verified_new(p->dirfd);

        for (unsigned i = 0; i <= LIMIT_VERIFIED_RECORDS; i++)
                add(v, i, "a");
        save(v);

        own_verified struct verified *next = verified_new(p->dirfd);

        assert_int_equal(verified_count(next), LIMIT_VERIFIED_RECORDS / 2);
        assert_false(has(next, 0, "a"));
        assert_true(has(next, LIMIT_VERIFIED_RECORDS, "a"));
}

static void test_the_callbacks_ask_and_tell(void **state) {
        const struct place *p = *state;
        own_verified struct verified *v = verified_new(p->dirfd);
        const struct trust_memory m = verified_memory(v);
        const struct digest trust = digest_of("a", 1);
        const struct object_id id = commit(1);

        assert_false(m.is_verified(m.data, &id, &trust));
        m.note_verified(m.data, &id, &trust);
        assert_true(m.is_verified(m.data, &id, &trust));
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static const struct CMUnitTest tests[] = {
        test(test_a_commit_is_known_under_the_trust_that_judged_it),
        test(test_what_is_saved_is_known_to_the_next_pass),
        test(test_saving_nothing_new_writes_nothing),
        test(test_a_torn_tail_is_cut_off),
        test(test_a_file_that_is_not_ours_is_begun_anew),
        test(test_beyond_the_limit_the_older_half_goes),
        test(test_the_callbacks_ask_and_tell),
};

TEST_GROUP(verified, tests);
