/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "shared/base/file.h"
#include "shared/git/refs.h"
#include "tests/lib/group.h"
#include "tests/lib/temporary.h"

#define ID1 "1111111111111111111111111111111111111111"
#define ID2 "2222222222222222222222222222222222222222"

/* Repositories are written by hand: what counts is the files. */
struct place {
        char dir[TEMPORARY_MAX];
};

static void put(const struct place *p, const char *name, const char *text) {
        own_fault struct fault f = FAULT_INIT;
        char path[512];

        (void)snprintf(path, sizeof(path), "%s/%s", p->dir, name);
        for (char *s = path + strlen(p->dir) + 1; (s = strchr(s, '/')); s++) {
                *s = '\0';
                assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
                *s = '/';
        }
        if (text)
                assert_int_equal(file_write(AT_FDCWD, path, text, strlen(text), 0644, &f), 0);
}

static int setup(void **state) {
        struct place *p = calloc(1, sizeof(*p));

        temporary_make(p->dir);
        put(p, "r/HEAD", "ref: refs/heads/main\n");
        put(p, "r/config", "[core]\n\tbare = true\n");
        put(p, "r/objects/x", NULL);
        put(p, "r/refs/heads/main", ID1 "\n");
        *state = p;
        return 0;
}

static int teardown(void **state) {
        struct place *p = *state;

        temporary_remove(p->dir);
        free(p);
        return 0;
}

static void assert_tip(const struct place *p, const char *name, const char *branch, enum ref_answer expected,
                       const char *hex) {
        char path[512], shown[OBJECT_ID_TEXT_MAX];
        struct object_id id;
        enum ref_answer a;

        (void)snprintf(path, sizeof(path), "%s/%s", p->dir, name);
        a = refs_local_tip(path, branch, &id);
        assert_string_equal(ref_answer_to_string(a), ref_answer_to_string(expected));
        if (a == REF_FOUND)
                assert_string_equal(object_id_format(&id, shown), hex);
}

static void loose_refs_win_over_packed_ones(void **state) {
        const struct place *p = *state;

        put(p, "r/packed-refs",
            "# pack-refs with: peeled fully-peeled sorted \n" ID2 " refs/heads/main\n" ID2 " refs/heads/packed\n^" ID1
            "\n");
        assert_tip(p, "r", "main", REF_FOUND, ID1);
        assert_tip(p, "r", "packed", REF_FOUND, ID2);
        assert_tip(p, "r", "pack", REF_MISSING, NULL);
        assert_tip(p, "r", "packed2", REF_MISSING, NULL);
        put(p, "r/refs/heads/dir/sub", ID2 "\n");
        assert_tip(p, "r", "dir/sub", REF_FOUND, ID2);
        assert_tip(p, "r", "dir", REF_MISSING, NULL);
        assert_tip(p, "r", "main/sub", REF_MISSING, NULL);
}

static void file_urls_work_trees_and_gitfiles_are_followed(void **state) {
        const struct place *p = *state;
        char url[512], link[512];
        struct object_id id;

        (void)snprintf(url, sizeof(url), "file://%s/r", p->dir);
        assert_int_equal(refs_local_tip(url, "main", &id), REF_FOUND);

        put(p, "w/.git/HEAD", "ref: refs/heads/main\n");
        put(p, "w/.git/config", "[core]\n");
        put(p, "w/.git/objects/x", NULL);
        put(p, "w/.git/refs/heads/main", ID2 "\n");
        assert_tip(p, "w", "main", REF_FOUND, ID2);

        (void)snprintf(link, sizeof(link), "gitdir: %s/r\n", p->dir);
        put(p, "f/.git", link);
        assert_tip(p, "f", "main", REF_FOUND, ID1);
        put(p, "g/.git", "gitdir: ../r\n");
        assert_tip(p, "g", "main", REF_FOUND, ID1);

        /* A linked work tree. */
        put(p, "r/worktrees/l/HEAD", ID2 "\n");
        put(p, "r/worktrees/l/commondir", "../..\n");
        put(p, "l/.git", "gitdir: ../r/worktrees/l\n");
        assert_tip(p, "l", "main", REF_FOUND, ID1);
}

static void symbolic_refs_are_followed_but_not_for_ever(void **state) {
        const struct place *p = *state;

        put(p, "r/refs/heads/alias", "ref: refs/heads/main\n");
        assert_tip(p, "r", "alias", REF_FOUND, ID1);
        put(p, "r/refs/heads/loop", "ref: refs/heads/loop\n");
        assert_tip(p, "r", "loop", REF_DONT_KNOW, NULL);
        put(p, "r/refs/heads/dangling", "ref: refs/heads/none\n");
        assert_tip(p, "r", "dangling", REF_DONT_KNOW, NULL);
        put(p, "r/refs/heads/out", "ref: refs/heads/../../../../etc/passwd\n");
        assert_tip(p, "r", "out", REF_DONT_KNOW, NULL);
}

static void what_is_not_understood_is_doubt(void **state) {
        const struct place *p = *state;

        assert_tip(p, "nowhere", "main", REF_DONT_KNOW, NULL);
        assert_tip(p, "r/refs", "main", REF_DONT_KNOW, NULL);
        assert_tip(p, "r", "../main", REF_DONT_KNOW, NULL);
        put(p, "r/refs/heads/torn", "1111");
        assert_tip(p, "r", "torn", REF_DONT_KNOW, NULL);
        put(p, "r/refs/heads/empty", "");
        assert_tip(p, "r", "empty", REF_DONT_KNOW, NULL);
        put(p, "r/refs/heads/two", ID1 "\n" ID2 "\n");
        assert_tip(p, "r", "two", REF_DONT_KNOW, NULL);
        put(p, "r/packed-refs", "x" ID1 " refs/heads/odd\n");
        assert_tip(p, "r", "odd", REF_DONT_KNOW, NULL);
        put(p, "r/config", "[extensions]\n\tobjectFormat = sha256\n");
        assert_tip(p, "r", "main", REF_DONT_KNOW, NULL);
        put(p, "r/config", "[extensions]\n\trefStorage = reftable\n");
        assert_tip(p, "r", "main", REF_DONT_KNOW, NULL);
        put(p, "r/config", "[core]\n");
        assert_tip(p, "r", "main", REF_FOUND, ID1);
        put(p, "r/reftable/x", NULL);
        assert_tip(p, "r", "main", REF_DONT_KNOW, NULL);
}

static void branch_names_are_those_that_git_takes(void **state) {
        static const char *const good[] = { "main", "tally/web1", "a.b", "release-1.0", "f\303\266\303\266" };
        static const char *const bad[] = { "",     "/a",  "a/",  "a//b", ".a",    "a/.b", "a.",  "a.lock", "a.lock/b",
                                           "a..b", "a b", "a~b", "a^b",  "a:b",   "a?b",  "a*b", "a[b",    "a\\b",
                                           "a@{b", "@",   "-a",  "a\nb", "a\177", "HEAD", "\377" };

        (void)state;
        for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
                assert_true(branch_is_valid(good[i]));
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                if (branch_is_valid(bad[i]))
                        fail_msg("'%s' is valid", bad[i]);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(loose_refs_win_over_packed_ones, setup, teardown),
        cmocka_unit_test_setup_teardown(file_urls_work_trees_and_gitfiles_are_followed, setup, teardown),
        cmocka_unit_test_setup_teardown(symbolic_refs_are_followed_but_not_for_ever, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_understood_is_doubt, setup, teardown),
        cmocka_unit_test(branch_names_are_those_that_git_takes),
};

TEST_GROUP(refs, tests);
