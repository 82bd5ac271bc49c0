/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/text.h"
#include "shared/git/write.h"
#include "tests/lib/group.h"
#include "tests/lib/temporary.h"

#define REF    "refs/heads/tally/web1"
#define ARMOUR "-----BEGIN SSH SIGNATURE-----\nQUJD\nREVG\n-----END SSH SIGNATURE-----\n"

struct place {
        char dir[TEMPORARY_MAX];
        struct mirror *mirror;
};

static int setup(void **state) {
        struct place *p = calloc(1, sizeof(*p));
        own_fault struct fault f = FAULT_INIT;

        temporary_make(p->dir);
        assert_int_equal(mirror_open_kept(p->dir, "ledger.git", &p->mirror, &f), 0);
        *state = p;
        return 0;
}

static int teardown(void **state) {
        struct place *p = *state;

        mirror_free(p->mirror);
        temporary_remove(p->dir);
        free(p);
        return 0;
}

/* Keeps what was signed in the buffer that userdata points at. */
static int sign(const void *payload, size_t size, struct buffer *out, void *userdata, struct fault *reterr) {
        (void)reterr;
        if (userdata) {
                buffer_clear(userdata);
                buffer_append(userdata, payload, size);
        }
        buffer_puts(out, ARMOUR);
        return 0;
}

static int sign_nothing(const void *payload, size_t size, struct buffer *out, void *userdata, struct fault *reterr) {
        (void)payload, (void)size, (void)userdata, (void)reterr;
        buffer_puts(out, "signed, honestly\n");
        return 0;
}

static int cannot_sign(const void *payload, size_t size, struct buffer *out, void *userdata, struct fault *reterr) {
        (void)payload, (void)size, (void)out, (void)userdata;
        return fault_set(reterr, FAULT_TRANSIENT, EACCES, "no key");
}

static struct git_commit_request request(const struct object_id *parent, const struct git_change *changes, size_t n) {
        static const struct git_person host = { .name = "web1", .email = "web1@tally", .time = 1700000000 };

        return (struct git_commit_request){ .ref = REF,
                                            .parent = parent,
                                            .changes = changes,
                                            .n_changes = n,
                                            .author = host,
                                            .committer = host,
                                            .message = "record 0",
                                            .sign = sign };
}

static void commit(struct place *p, const struct object_id *parent, const struct git_change *changes, size_t n,
                   struct object_id *ret) {
        own_fault struct fault f = FAULT_INIT;
        struct git_commit_request req = request(parent, changes, n);

        if (git_commit_write(p->mirror, &req, ret, &f) < 0)
                fail_msg("%s", f.message);
}

static void assert_file(struct place *p, const struct object_id *commit_id, const char *path, const char *content) {
        own_buffer struct buffer out = BUFFER_INIT;
        own_fault struct fault f = FAULT_INIT;

        if (mirror_read_path(p->mirror, commit_id, path, 4096, &out, &f) < 0)
                fail_msg("%s", f.message);
        assert_string_equal(buffer_str(&out), content);
}

static void the_object_is_what_git_would_write(void **state) {
        struct place *p = *state;
        const struct git_change change = { "status.json", "{}", 2 };
        own_buffer struct buffer payload = BUFFER_INIT, raw = BUFFER_INIT;
        own_fault struct fault f = FAULT_INIT;
        struct git_commit_request req = request(NULL, &change, 1);
        struct object_id id;

        req.userdata = &payload;
        assert_int_equal(git_commit_write(p->mirror, &req, &id, &f), 0);
        assert_string_equal(buffer_str(&payload), "tree 695b943b1d760fd2785d3fc634dc41a8b148a5bc\n"
                                                  "author web1 <web1@tally> 1700000000 +0000\n"
                                                  "committer web1 <web1@tally> 1700000000 +0000\n\nrecord 0\n");
        assert_int_equal(mirror_read(p->mirror, &id, OBJECT_COMMIT, 4096, &raw, &f), 0);
        assert_string_equal(buffer_str(&raw), "tree 695b943b1d760fd2785d3fc634dc41a8b148a5bc\n"
                                              "author web1 <web1@tally> 1700000000 +0000\n"
                                              "committer web1 <web1@tally> 1700000000 +0000\n"
                                              "gpgsig -----BEGIN SSH SIGNATURE-----\n QUJD\n REVG\n"
                                              " -----END SSH SIGNATURE-----\n\nrecord 0\n");
}

static void changes_keep_what_they_do_not_touch(void **state) {
        struct place *p = *state;
        const struct git_change first[] = { { "status.json", "1", 1 },
                                            { "evidence/0/00000000-genesis.dsse.json", "g", 1 } };
        const struct git_change second[] = { { "evidence/0/00000001-start.dsse.json", "s", 1 },
                                             { "status.json", "2", 1 },
                                             { "worlds/a.json", "w", 1 },
                                             { "evidence/1/00001000-heartbeat.dsse.json", "", 0 } };
        own_fault struct fault f = FAULT_INIT;
        struct object_id one, two, three, tip, tree2, tree3;

        commit(p, NULL, first, 2, &one);
        commit(p, &one, second, 4, &two);
        assert_file(p, &one, "status.json", "1");
        assert_file(p, &two, "status.json", "2");
        assert_file(p, &two, "evidence/0/00000000-genesis.dsse.json", "g");
        assert_file(p, &two, "evidence/0/00000001-start.dsse.json", "s");
        assert_file(p, &two, "evidence/1/00001000-heartbeat.dsse.json", "");
        assert_file(p, &two, "worlds/a.json", "w");
        assert_int_equal(mirror_ref(p->mirror, REF, &tip, &f), 0);
        assert_memory_equal(&tip, &two, sizeof(tip));

        commit(p, &two, NULL, 0, &three);
        assert_int_equal(mirror_tree_of(p->mirror, &two, &tree2, &f), 0);
        assert_int_equal(mirror_tree_of(p->mirror, &three, &tree3, &f), 0);
        assert_memory_equal(&tree2, &tree3, sizeof(tree2));
}

static void a_full_folder_still_takes_one_more(void **state) {
        struct place *p = *state;
        struct git_change changes[1000];
        static char names[1000][64];
        own_arena struct arena *a = arena_new();
        own_fault struct fault f = FAULT_INIT;
        struct mirror_listing listing;
        struct object_id one, two;

        for (size_t i = 0; i < 1000; i++) {
                (void)snprintf(names[i], sizeof(names[i]), "evidence/0/%08zu-heartbeat.dsse.json", i);
                changes[i] = (struct git_change){ names[i], "{}", 2 };
        }
        commit(p, NULL, changes, 999, &one);
        commit(p, &one, &changes[999], 1, &two);
        assert_int_equal(mirror_list(p->mirror, &two, "evidence", 2000, a, &listing, &f), 0);
        assert_int_equal(listing.n, 1000);
}

static void a_branch_that_moved_is_a_conflict_and_stays(void **state) {
        struct place *p = *state;
        const struct git_change change = { "status.json", "1", 1 };
        own_fault struct fault f = FAULT_INIT, g = FAULT_INIT;
        struct object_id one, two, tip;
        struct git_commit_request req;

        commit(p, NULL, &change, 1, &one);
        commit(p, &one, NULL, 0, &two);
        req = request(&one, &change, 1);
        assert_int_equal(git_commit_write(p->mirror, &req, &tip, &f), -EAGAIN);
        assert_int_equal(f.kind, FAULT_CONFLICT);
        req = request(NULL, &change, 1);
        assert_int_equal(git_commit_write(p->mirror, &req, &tip, &g), -EAGAIN);
        assert_int_equal(mirror_ref(p->mirror, REF, &tip, &f), 0);
        assert_memory_equal(&tip, &two, sizeof(tip));
}

static void what_cannot_be_written_moves_nothing(void **state) {
        struct place *p = *state;
        const struct git_change outside = { "../status.json", "1", 1 }, fine = { "a", "1", 1 };
        const struct git_change clash[] = { { "a", "1", 1 }, { "a/b", "2", 1 } };
        own_fault struct fault absent = FAULT_INIT;
        struct object_id id;

        for (unsigned i = 0; i < 5; i++) {
                own_fault struct fault f = FAULT_INIT;
                struct git_commit_request req = request(NULL,
                                                        i == 0   ? &outside
                                                        : i == 1 ? clash
                                                                 : &fine,
                                                        i == 1 ? 2 : 1);

                if (i == 2)
                        req.sign = sign_nothing;
                if (i == 3)
                        req.sign = cannot_sign;
                if (i == 4)
                        req.author.name = "web1\ncommitter evil";
                assert_true(git_commit_write(p->mirror, &req, &id, &f) < 0);
                assert_true(fault_is_set(&f));
        }
        assert_int_equal(mirror_ref(p->mirror, REF, &id, &absent), -ENOENT);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_object_is_what_git_would_write, setup, teardown),
        cmocka_unit_test_setup_teardown(changes_keep_what_they_do_not_touch, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_folder_still_takes_one_more, setup, teardown),
        cmocka_unit_test_setup_teardown(a_branch_that_moved_is_a_conflict_and_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_written_moves_nothing, setup, teardown),
};

TEST_GROUP(write, tests);
