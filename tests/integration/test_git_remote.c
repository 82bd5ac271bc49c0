/* SPDX-License-Identifier: Apache-2.0 */

/* Started by git-remotes.sh, which runs the servers and says in the environment where they are. */

#include "tests/integration/git_rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <sys/stat.h>

/*
 * Every transport
 */

static void every_transport_fetches_and_asks(void **state) {
        (void)state;
        for (size_t i = 0; i < sizeof(transports) / sizeof(transports[0]); i++) {
                own_fixture struct fixture x;
                own_fault struct fault f = FAULT_INIT;
                struct object_id expected, tip, held;
                char url[TEXT], name[TEXT], ref[REMOTE_REF_MAX];

                format(name, "fetch-%s", transports[i].name);
                setup(&x, name);
                transports[i].url(&x, url);
                print_message("%s\n", url);
                tip_of(&x, "main", &expected);
                assert_ok(remote_tip(&x.settings, url, "main", &tip, &f), &f);
                assert_memory_equal(&tip, &expected, sizeof(tip));
                assert_false(mirror_has(x.mirror, &tip));

                assert_ok(remote_fetch(x.mirror, &x.settings, url, "main", &tip, &f), &f);
                assert_memory_equal(&tip, &expected, sizeof(tip));
                assert_true(mirror_has(x.mirror, &tip));
                assert_ok(mirror_ref(x.mirror, remote_ref("main", ref), &held, &f), &f);
                assert_memory_equal(&held, &expected, sizeof(held));

                /* Again, with a new commit, and with none. */
                commit(&x, "main", "three", false);
                tip_of(&x, "main", &expected);
                assert_ok(remote_fetch(x.mirror, &x.settings, url, "main", &tip, &f), &f);
                assert_memory_equal(&tip, &expected, sizeof(tip));
                assert_ok(remote_fetch(x.mirror, &x.settings, url, "main", &tip, &f), &f);
                assert_memory_equal(&tip, &expected, sizeof(tip));
        }
}

/* How many objects the packs of the mirror hold: each index ends its table of counts with that. */
static uint32_t packed(const struct fixture *x) {
        own_free char *pattern = NULL;
        glob_t found;
        uint32_t n = 0;

        assert_true(asprintf(&pattern, "%s/objects/pack/*.idx", mirror_path(x->mirror)) > 0);
        assert_int_equal(glob(pattern, 0, NULL, &found), 0);
        for (size_t i = 0; i < found.gl_pathc; i++) {
                FILE *file = fopen(found.gl_pathv[i], "re");
                uint32_t count;

                assert_non_null(file);
                assert_int_equal(fseek(file, 8 + 255 * 4, SEEK_SET), 0);
                assert_int_equal(fread(&count, sizeof(count), 1, file), 1);
                n += ntohl(count);
                (void)fclose(file);
        }
        globfree(&found);
        return n;
}

static void a_repository_of_this_machine_sends_only_what_is_new(void **state) {
        own_fixture struct fixture x;
        own_fault struct fault f = FAULT_INIT;
        struct object_id tip;
        uint32_t first;

        (void)state;
        setup(&x, "only-new");
        commit(&x, "other", "elsewhere", true);
        assert_ok(remote_fetch(x.mirror, &x.settings, x.remote, "main", &tip, &f), &f);
        first = packed(&x);
        commit(&x, "main", "three", false);
        assert_ok(remote_fetch(x.mirror, &x.settings, x.remote, "main", &tip, &f), &f);
        /* The commit; its empty tree is there. */
        assert_in_range(packed(&x) - first, 1, 2);
        tip_of(&x, "other", &tip);
        assert_false(mirror_has(x.mirror, &tip));
}

static void every_transport_pushes_forward_only(void **state) {
        (void)state;
        for (size_t i = 0; i < sizeof(transports) / sizeof(transports[0]); i++) {
                own_fixture struct fixture x;
                own_fault struct fault f = FAULT_INIT;
                struct object_id first, second, there;
                enum remote_pushed pushed;
                char url[TEXT], name[TEXT];

                format(name, "push-%s", transports[i].name);
                setup(&x, name);
                transports[i].url(&x, url);
                print_message("%s\n", url);
                write_one(x.mirror, "refs/heads/tally/web1", NULL, &first);
                assert_ok(remote_push(mirror_repository(x.mirror), &x.settings, url, "refs/heads/tally/web1",
                                      "tally/web1", &pushed, &f),
                          &f);
                assert_int_equal(pushed, REMOTE_PUSHED);
                tip_of(&x, "tally/web1", &there);
                assert_memory_equal(&there, &first, sizeof(there));
                git("-C", x.remote, "fsck", "--strict");

                assert_ok(remote_push(mirror_repository(x.mirror), &x.settings, url, "refs/heads/tally/web1",
                                      "tally/web1", &pushed, &f),
                          &f);
                assert_int_equal(pushed, REMOTE_UP_TO_DATE);

                write_one(x.mirror, "refs/heads/tally/web1", &first, &second);
                assert_ok(remote_push(mirror_repository(x.mirror), &x.settings, url, "refs/heads/tally/web1",
                                      "tally/web1", &pushed, &f),
                          &f);
                assert_int_equal(pushed, REMOTE_PUSHED);
                tip_of(&x, "tally/web1", &there);
                assert_memory_equal(&there, &second, sizeof(there));

                /* Somebody rewrote the branch: nothing is forced. */
                commit(&x, "tally/web1", "not ours", true);
                assert_int_equal(remote_push(mirror_repository(x.mirror), &x.settings, url, "refs/heads/tally/web1",
                                             "tally/web1", &pushed, &f),
                                 -ESTALE);
                assert_fault(&f, FAULT_CONFLICT, REASON_LEDGER_DIVERGED);
                tip_of(&x, "tally/web1", &there);
                assert_memory_not_equal(&there, &second, sizeof(there));
        }
}

static void every_transport_names_a_missing_branch_and_repository(void **state) {
        (void)state;
        for (size_t i = 0; i < sizeof(transports) / sizeof(transports[0]); i++) {
                own_fixture struct fixture x;
                own_fault struct fault f = FAULT_INIT, g = FAULT_INIT;
                struct object_id tip;
                char url[TEXT], name[TEXT];

                format(name, "missing-%s", transports[i].name);
                setup(&x, name);
                transports[i].url(&x, url);
                assert_int_equal(remote_fetch(x.mirror, &x.settings, url, "nothing", &tip, &f), -ENOENT);
                assert_fault(&f, FAULT_TRANSIENT, REASON_FETCH_BRANCH_MISSING);

                (void)snprintf(x.name, sizeof(x.name), "not-there");
                format(x.remote, "%s/repositories/not-there.git", env("TALLY_TEST_DIR"));
                transports[i].url(&x, url);
                assert_true(remote_fetch(x.mirror, &x.settings, url, "main", &tip, &g) < 0);
                assert_fault(&g, FAULT_TRANSIENT, REASON_FETCH_FAILED);
                fault_done(&g);
        }
}

static void a_rewritten_branch_is_still_fetched(void **state) {
        own_fixture struct fixture x;
        own_fault struct fault f = FAULT_INIT;
        struct object_id before, expected, tip;

        (void)state;
        setup(&x, "rewritten");
        assert_ok(remote_fetch(x.mirror, &x.settings, x.remote, "main", &before, &f), &f);
        commit(&x, "main", "another history", true);
        tip_of(&x, "main", &expected);
        assert_ok(remote_fetch(x.mirror, &x.settings, x.remote, "main", &tip, &f), &f);
        assert_memory_equal(&tip, &expected, sizeof(tip));
        assert_true(mirror_has(x.mirror, &before));
}

/*
 * The mirror
 */

static void a_shallow_remote_is_refused(void **state) {
        own_fault struct fault local = FAULT_INIT, net = FAULT_INIT;
        own_fixture struct fixture x;
        struct object_id tip;
        char url[TEXT], shallow[TEXT], source[TEXT];

        (void)state;
        setup(&x, "shallow-source");
        format(shallow, "%s/repositories/shallow.git", env("TALLY_TEST_DIR"));
        format(source, "file://%s", x.remote);
        git("clone", "-q", "--bare", "--depth=1", source, shallow);
        assert_true(remote_fetch(x.mirror, &x.settings, shallow, "main", &tip, &local) < 0);
        assert_fault(&local, FAULT_DENIED, REASON_TRUST_SHALLOW);

        /*
         * Over the network it shows in the protocol, in the mirror or in a missing parent; never as a success that is
         * read as whole.
         */
        format(url, "%s/git/shallow.git", env("TALLY_TEST_HTTP"));
        if (remote_fetch(x.mirror, &x.settings, url, "main", &tip, &net) >= 0) {
                struct object_id tree, parents[LIMIT_COMMIT_PARENTS];
                own_buffer struct buffer raw = BUFFER_INIT;
                size_t n;

                assert_ok(mirror_read(x.mirror, &tip, OBJECT_COMMIT, LIMIT_COMMIT_BYTES, &raw, &net), &net);
                assert_ok(object_commit_links(raw.data, raw.size, &tree, parents, LIMIT_COMMIT_PARENTS, &n, &net),
                          &net);
                assert_int_equal(n, 1);
                assert_false(mirror_has(x.mirror, &parents[0]));
        }
}

static void a_damaged_mirror_is_made_anew_and_fetches_again(void **state) {
        own_fault struct fault f = FAULT_INIT;
        own_fixture struct fixture x;
        struct object_id tip;
        char path[TEXT], broken[MIRROR_NAME_MAX];

        (void)state;
        setup(&x, "heal");
        assert_ok(remote_fetch(x.mirror, &x.settings, x.remote, "main", &tip, &f), &f);
        mirror_free(take(x.mirror));
        format(path, "%s/desired.git/HEAD", x.state);
        write_file(path, "garbage", 0600);
        assert_ok(mirror_open(x.state, "desired.git", &x.mirror, broken, &f), &f);
        assert_non_null(str_after(broken, "desired.git.broken-"));
        assert_false(mirror_has(x.mirror, &tip));
        assert_ok(remote_fetch(x.mirror, &x.settings, x.remote, "main", &tip, &f), &f);
        assert_true(mirror_has(x.mirror, &tip));
}

/* By a push that was killed: nobody else writes the branch. */
static void a_branch_of_this_machine_that_a_killed_push_left_locked_is_pushed(void **state) {
        own_fault struct fault f = FAULT_INIT, fresh = FAULT_INIT;
        own_fixture struct fixture x;
        char url[TEXT], lock[TEXT], folder[TEXT];
        struct object_id tip;
        enum remote_pushed pushed;

        setup(&x, "locked");
        transports[0].url(&x, url);
        write_one(x.mirror, "refs/heads/tally/web1", NULL, &tip);
        format(folder, "%s/refs/heads/tally", x.remote);
        format(lock, "%s/web1.lock", folder);
        assert_int_equal(mkdir(folder, 0755), 0);
        write_file(lock, "", 0644);
        assert_true(remote_push(mirror_repository(x.mirror), &x.settings, url, "refs/heads/tally/web1", "tally/web1",
                                &pushed, &fresh) < 0);
        assert_int_equal(utimensat(AT_FDCWD, lock, (const struct timespec[]){ { .tv_sec = 1 }, { .tv_sec = 1 } }, 0),
                         0);
        assert_ok(remote_push(mirror_repository(x.mirror), &x.settings, url, "refs/heads/tally/web1", "tally/web1",
                              &pushed, &f),
                  &f);
        assert_int_equal(pushed, REMOTE_PUSHED);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_transport_fetches_and_asks),
                cmocka_unit_test(a_repository_of_this_machine_sends_only_what_is_new),
                cmocka_unit_test(every_transport_pushes_forward_only),
                cmocka_unit_test(every_transport_names_a_missing_branch_and_repository),
                cmocka_unit_test(a_rewritten_branch_is_still_fetched),
                cmocka_unit_test(a_branch_of_this_machine_that_a_killed_push_left_locked_is_pushed),
                cmocka_unit_test(a_shallow_remote_is_refused),
                cmocka_unit_test(a_damaged_mirror_is_made_anew_and_fetches_again),
        };
        int failed = cmocka_run_group_tests(tests, NULL, NULL);

        return failed + run_refused();
}
