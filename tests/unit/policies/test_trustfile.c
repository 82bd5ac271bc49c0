/* SPDX-License-Identifier: Apache-2.0 */

#include "tests/lib/group.h"
#include "tests/unit/policies/repository.h"

#include <errno.h>

#include "policies/trustfile.h"
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

/* A file that is different for each number. */
static struct object_id file_number(unsigned n) {
        own_buffer struct buffer text = BUFFER_INIT;
        struct sshkey_private k = key_of_seed(1);

        buffer_printf(&text, "user%u@example.org ", n);
        sshkey_put_line(&k.key, NULL, &text);
        return repository_put(&repo, OBJECT_BLOB, text.data, text.size);
}

static void a_file_is_parsed_once(void **state) {
        own_trustfiles struct trustfiles t;
        struct object_id blob = file_number(1);
        const struct trustfile *a = NULL, *b = NULL;

        trustfiles_init(&t, &repo.reader);
        assert_fine(trustfiles_get(&t, &blob, &a, &fault));
        assert_fine(trustfiles_get(&t, &blob, &b, &fault));
        assert_ptr_equal(a, b);
        assert_int_equal(repo.n_reads, 1);
        assert_int_equal(a->signers.n, 1);
}

static void the_least_recently_used_is_dropped(void **state) {
        own_trustfiles struct trustfiles t;
        struct object_id first = file_number(0);
        const struct trustfile *f;

        trustfiles_init(&t, &repo.reader);
        for (unsigned i = 0; i < 2 * TRUSTFILE_FILES; i++) {
                struct object_id blob = file_number(i);

                assert_fine(trustfiles_get(&t, &blob, &f, &fault));
                assert_fine(trustfiles_get(&t, &first, &f, &fault)); /* always in use: read once */
                assert_string_equal(f->signers.lines[0].principal, "user0@example.org");
        }
        assert_int_equal(repo.n_reads, 2 * TRUSTFILE_FILES);
}

static void a_folder_is_looked_up_once(void **state) {
        own_trustfiles struct trustfiles t;
        struct object_id one = repository_tree(&repo, "x", 1), two = repository_tree(&repo, "x", 2), a, b;

        trustfiles_init(&t, &repo.reader);
        assert_fine(trustfiles_locate(&t, &one, &a, &fault));
        assert_fine(trustfiles_locate(&t, &two, &b, &fault));
        assert_true(object_id_equal(&a, &b));
        assert_int_equal(repo.n_reads, 3); /* two roots, one folder */
}

static void a_file_that_is_refused_is_not_kept(void **state) {
        own_trustfiles struct trustfiles t;
        struct object_id blob = repository_put(&repo, OBJECT_BLOB, "nonsense", 8);
        const struct trustfile *f = NULL;

        trustfiles_init(&t, &repo.reader);
        for (int i = 0; i < 2; i++) {
                own_fault struct fault fault = FAULT_INIT;

                assert_fault(trustfiles_get(&t, &blob, &f, &fault), &fault, REASON_TRUST_SIGNERS_INVALID);
                assert_int_equal(fault.kind, FAULT_DENIED);
        }
        assert_null(f);
}

#define test(name) cmocka_unit_test_setup_teardown(name, make_repository, drop_repository)

static const struct CMUnitTest tests[] = {
        test(a_file_is_parsed_once),
        test(the_least_recently_used_is_dropped),
        test(a_folder_is_looked_up_once),
        test(a_file_that_is_refused_is_not_kept),
};

TEST_GROUP(trustfile, tests);
