/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <git2.h>

#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/process.h"
#include "shared/base/text.h"
#include "shared/git/compact.h"
#include "tests/lib/group.h"
#include "tests/lib/temporary.h"

#define REF         "refs/heads/main"
#define OBJECTS_MAX 8192

static const struct compact_limits small = { .loose = 256, .packs = 4, .objects = 6000, .object_bytes = 1 << 20 };

struct place {
        char dir[TEMPORARY_MAX];
        struct mirror *mirror;
        struct object_id ids[OBJECTS_MAX]; /* all that must be there for ever */
        size_t n;
        struct object_id tip;
        bool has_tip;
        unsigned made;
};

static void open_mirror(struct place *p) {
        own_fault struct fault f = FAULT_INIT;

        if (mirror_open_kept(p->dir, "ledger.git", &p->mirror, &f) < 0)
                fail_msg("%s", f.message);
}

static int setup(void **state) {
        struct place *p = calloc(1, sizeof(*p));

        temporary_make(p->dir);
        open_mirror(p);
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

/*
 * Making
 */

static void remember(struct place *p, const git_oid *id) {
        assert_true(p->n < OBJECTS_MAX);
        memcpy(p->ids[p->n++].raw, id->id, sizeof(p->ids[0].raw));
}

static void write_object(struct place *p, git_odb *odb, git_object_t type, const void *bytes, size_t size,
                         git_oid *ret) {
        assert_int_equal(git_odb_write(ret, odb, bytes, size, type), 0);
        remember(p, ret);
}

static git_odb *odb_of(const struct place *p) {
        git_odb *odb = NULL;

        assert_int_equal(git_repository_odb(&odb, mirror_repository(p->mirror)), 0);
        return odb;
}

static void add_commit(struct place *p, const git_oid *blob) {
        own_buffer struct buffer tree = BUFFER_INIT, raw = BUFFER_INIT;
        git_odb *odb = odb_of(p);
        char hex[OBJECT_ID_TEXT_MAX];
        git_oid id;

        buffer_append(&tree, "100644 file", sizeof("100644 file"));
        buffer_append(&tree, blob->id, sizeof(blob->id));
        write_object(p, odb, GIT_OBJECT_TREE, tree.data, tree.size, &id);
        buffer_printf(&raw, "tree %s\n", git_oid_tostr_s(&id));
        if (p->has_tip)
                buffer_printf(&raw, "parent %s\n", object_id_format(&p->tip, hex));
        buffer_puts(&raw, "author t <t@example> 1700000000 +0000\ncommitter t <t@example> 1700000000 +0000\n\nm\n");
        write_object(p, odb, GIT_OBJECT_COMMIT, raw.data, raw.size, &id);
        memcpy(p->tip.raw, id.id, sizeof(p->tip.raw));
        p->has_tip = true;
        git_odb_free(odb);
}

/* Commits of one file each, and as many files that no ref leads to: three loose objects for each, and one more. */
static void add_loose(struct place *p, unsigned n) {
        own_fault struct fault f = FAULT_INIT;
        git_odb *odb = odb_of(p);
        git_oid id;

        for (unsigned i = 0; i < n; i++) {
                char text[128];

                (void)snprintf(text, sizeof(text), "lost %u\n", p->made);
                write_object(p, odb, GIT_OBJECT_BLOB, text, strlen(text), &id);
                (void)snprintf(text, sizeof(text), "file %u, with some text that is the same everywhere\n", p->made++);
                write_object(p, odb, GIT_OBJECT_BLOB, text, strlen(text), &id);
                add_commit(p, &id);
        }
        assert_int_equal(mirror_set_ref(p->mirror, REF, &p->tip, &f), 0);
        git_odb_free(odb);
}

/* What a fetch leaves. */
static void add_pack(struct place *p, unsigned n) {
        own_free char *folder = NULL;
        git_packbuilder *pb = NULL;
        git_odb *odb = odb_of(p);

        assert_true(asprintf(&folder, "%s/ledger.git/objects/pack", p->dir) > 0);
        assert_int_equal(git_packbuilder_new(&pb, mirror_repository(p->mirror)), 0);
        for (unsigned i = 0; i < n; i++) {
                char text[64];
                git_oid id;

                (void)snprintf(text, sizeof(text), "packed %u\n", p->made++);
                write_object(p, odb, GIT_OBJECT_BLOB, text, strlen(text), &id);
                assert_int_equal(git_packbuilder_insert(pb, &id, NULL), 0);
        }
        assert_int_equal(git_packbuilder_write(pb, folder, 0, NULL, NULL), 0);
        git_packbuilder_free(pb);
        for (unsigned i = 0; i < n; i++) {
                const char *hex = git_oid_tostr_s((const git_oid *)(const void *)p->ids[p->n - 1 - i].raw);
                own_free char *loose = NULL;

                assert_true(asprintf(&loose, "%s/ledger.git/objects/%.2s/%s", p->dir, hex, hex + 2) > 0);
                assert_int_equal(unlink(loose), 0);
        }
        git_odb_free(odb);
}

/*
 * Looking
 */

static size_t count_files(const struct place *p, const char *folder, const char *end) {
        own_free char *path = NULL;
        struct dirent *e;
        size_t n = 0;
        DIR *dir;

        assert_true(asprintf(&path, "%s/ledger.git/objects/%s", p->dir, folder) > 0);
        dir = opendir(path);
        while (dir && (e = readdir(dir)))
                n += e->d_name[0] != '.' && str_ends_with(e->d_name, end);
        if (dir)
                (void)closedir(dir);
        return n;
}

static size_t count_packs(const struct place *p) {
        return count_files(p, "pack", ".pack");
}

static size_t count_loose(const struct place *p) {
        size_t n = 0;

        for (unsigned i = 0; i < 256; i++) {
                char name[3];

                (void)snprintf(name, sizeof(name), "%02x", i & 0xff);
                n += count_files(p, name, "");
        }
        return n;
}

/* As another process would: from nothing. Every object is read, so its hash is checked. */
static void assert_whole(struct place *p) {
        own_fault struct fault f = FAULT_INIT;
        own_mirror struct mirror *m = NULL;

        if (mirror_open_kept(p->dir, "ledger.git", &m, &f) < 0)
                fail_msg("%s", f.message);
        for (size_t i = 0; i < p->n; i++) {
                git_odb_object *object = NULL;
                git_odb *odb = NULL;

                assert_int_equal(git_repository_odb(&odb, mirror_repository(m)), 0);
                if (git_odb_read(&object, odb, (const git_oid *)(const void *)p->ids[i].raw) < 0)
                        fail_msg("object %zu is gone: %s", i, git_error_last()->message);
                git_odb_object_free(object);
                git_odb_free(odb);
        }
}

static void assert_fsck(const struct place *p) {
        own_process_result struct process_result result = { 0 };
        own_fault struct fault f = FAULT_INIT;
        own_free char *path = NULL;
        const char *argv[] = { "git",           "-C", NULL, "-c", "safe.directory=*", "fsck", "--full", "--strict",
                               "--no-dangling", NULL };

        assert_true(asprintf(&path, "%s/ledger.git", p->dir) > 0);
        argv[2] = path;
        assert_int_equal(process_run(&(struct process_request){ .argv = argv }, &result, &f), 0);
        if (result.exit_code != 0)
                fail_msg("git fsck: %s%s", buffer_str(&result.out), buffer_str(&result.err));
}

/* Objects for the folder that is counted, until it says that there are too many. */
static void make_due(struct place *p) {
        git_odb *odb = odb_of(p);

        while (count_files(p, "17", "") < 2) {
                char text[64];
                git_oid id;

                (void)snprintf(text, sizeof(text), "due %u\n", p->made++);
                assert_int_equal(git_odb_hash(&id, text, strlen(text), GIT_OBJECT_BLOB), 0);
                if (id.id[0] == 0x17)
                        write_object(p, odb, GIT_OBJECT_BLOB, text, strlen(text), &id);
        }
        git_odb_free(odb);
}

static bool compact(struct place *p, const struct compact_limits *limits) {
        own_fault struct fault f = FAULT_INIT;
        bool done = false;

        if (mirror_compact(p->mirror, limits, &done, &f) < 0)
                fail_msg("%s", f.message);
        return done;
}

/*
 * Tests
 */

static void below_the_limits_nothing_is_done(void **state) {
        struct place *p = *state;

        add_loose(p, 20);
        for (unsigned i = 0; i < small.packs; i++)
                add_pack(p, 2);
        assert_false(compact(p, &small));
        assert_int_equal(count_packs(p), small.packs);
        assert_int_equal(count_loose(p), 80);
}

static void loose_objects_become_one_pack(void **state) {
        struct place *p = *state;

        add_loose(p, 300);
        assert_int_equal(count_loose(p), 1200);
        assert_true(compact(p, &small));
        assert_int_equal(count_loose(p), 0);
        assert_int_equal(count_packs(p), 1);
        assert_whole(p);
        assert_fsck(p);
        assert_false(compact(p, &small));
}

static void packs_are_merged(void **state) {
        struct place *p = *state;

        for (unsigned i = 0; i < small.packs + 1; i++)
                add_pack(p, 3 + i);
        add_loose(p, 2);
        assert_true(compact(p, &small));
        assert_int_equal(count_packs(p), 1);
        assert_int_equal(count_files(p, "pack", ".idx"), 1);
        assert_whole(p);
        assert_fsck(p);
}

/* A pack that is large beside the new ones is not written again each time. */
static void large_packs_stay(void **state) {
        struct place *p = *state;

        add_pack(p, 1500);
        for (unsigned i = 0; i < small.packs; i++)
                add_pack(p, 2);
        assert_true(compact(p, &small));
        assert_int_equal(count_packs(p), 2);
        assert_whole(p);
}

static void one_pack_has_a_limit(void **state) {
        const struct compact_limits limits = { .loose = 256, .packs = 4, .objects = 500, .object_bytes = 1 << 20 };
        struct place *p = *state;
        size_t n;

        add_loose(p, 300);
        make_due(p);
        n = count_loose(p);
        assert_true(compact(p, &limits));
        assert_int_equal(count_loose(p), n - 500);
        assert_whole(p);
        make_due(p);
        n = count_loose(p);
        assert_true(compact(p, &limits));
        assert_int_equal(count_loose(p), n - 500);
        assert_int_equal(count_packs(p), 2);
        assert_whole(p);
}

static void large_objects_stay_where_they_are(void **state) {
        const struct compact_limits limits = { .loose = 256, .packs = 4, .objects = 6000, .object_bytes = 1000 };
        own_free char *bytes = calloc(1, 2000);
        struct place *p = *state;
        git_odb *odb = odb_of(p);
        git_oid id;

        write_object(p, odb, GIT_OBJECT_BLOB, bytes, 2000, &id);
        git_odb_free(odb);
        add_loose(p, 300);
        assert_true(compact(p, &limits));
        assert_int_equal(count_loose(p), 1);
        assert_whole(p);
}

/* git gc, or a person, is at work there. */
static void what_others_maintain_is_left_alone(void **state) {
        own_fault struct fault f = FAULT_INIT;
        own_free char *path = NULL;
        struct place *p = *state;

        add_loose(p, 300);
        assert_true(asprintf(&path, "%s/ledger.git/objects/pack/multi-pack-index", p->dir) > 0);
        assert_int_equal(file_write(AT_FDCWD, path, "", 0, 0600, &f), 0);
        assert_false(compact(p, &small));
        assert_int_equal(count_packs(p), 0);
}

static void a_damaged_object_stops_nothing_and_stays(void **state) {
        own_fault struct fault f = FAULT_INIT;
        own_free char *path = NULL;
        struct place *p = *state;
        const char *hex;

        add_loose(p, 300);
        hex = git_oid_tostr_s((const git_oid *)(const void *)p->ids[--p->n].raw);
        assert_true(asprintf(&path, "%s/ledger.git/objects/%.2s/%s", p->dir, hex, hex + 2) > 0);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(file_write(AT_FDCWD, path, "broken", 6, 0600, &f), 0);
        assert_true(compact(p, &small));
        assert_int_equal(count_loose(p), 1);
}

static char *ref_file(const struct place *p, const char *name) {
        char *path = NULL;

        assert_true(asprintf(&path, "%s/ledger.git/%s", p->dir, name) > 0);
        return path;
}

static void write_ref_file(const struct place *p, const char *name) {
        own_fault struct fault f = FAULT_INIT;
        own_free char *path = ref_file(p, name);

        for (size_t n = strlen(p->dir) + 1; path[n]; n++)
                if (path[n] == '/') {
                        path[n] = '\0';
                        assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
                        path[n] = '/';
                }
        assert_int_equal(file_write(AT_FDCWD, path, "x", 1, 0600, &f), 0);
}

static bool has_ref_file(const struct place *p, const char *name) {
        own_free char *path = ref_file(p, name);

        return access(path, F_OK) == 0;
}

static void leftovers_are_swept_and_nothing_else(void **state) {
        static const char *const names[] = { "pack_git2_a1b2c3", "pack-00.idx.lock", "pack-00.pack", "pack-11.idx",
                                             "tmp_pack_x" };
        static const char *const locks[] = { "refs/tally/accepted.lock", "refs/tally/remote/main.lock",
                                             "refs/heads/x.lock" };
        own_fault struct fault f = FAULT_INIT;
        struct place *p = *state;

        add_loose(p, 5);
        add_pack(p, 5);
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                own_free char *path = NULL;

                assert_true(asprintf(&path, "%s/ledger.git/objects/pack/%s", p->dir, names[i]) > 0);
                assert_int_equal(file_write(AT_FDCWD, path, "x", 1, 0600, &f), 0);
        }
        for (size_t i = 0; i < sizeof(locks) / sizeof(locks[0]); i++)
                write_ref_file(p, locks[i]);
        write_ref_file(p, "refs/tally/unlocked");
        mirror_sweep(p->mirror);
        for (size_t i = 0; i < sizeof(locks) / sizeof(locks[0]); i++)
                assert_false(has_ref_file(p, locks[i]));
        assert_true(has_ref_file(p, "refs/tally/unlocked"));
        assert_int_equal(count_files(p, "pack", ""), 2);
        assert_whole(p);
}

/*
 * Killed
 */

static _Noreturn void compact_and_exit(struct place *p) {
        own_fault struct fault f = FAULT_INIT;

        _exit(mirror_compact(p->mirror, &small, NULL, &f) < 0);
}

/* Returns false when it was done before it could be killed. */
static bool kill_after(struct place *p, int64_t us) {
        pid_t pid = fork();
        int status = 0;

        assert_true(pid >= 0);
        if (pid == 0) {
                (void)setpgid(0, 0);
                compact_and_exit(p);
        }
        (void)usleep((useconds_t)us);
        /* Its child is in the same group, and dies with it. */
        (void)kill(-pid, SIGKILL);
        (void)kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFSIGNALED(status);
}

static void reopen(struct place *p) {
        mirror_free(p->mirror);
        p->mirror = NULL;
        open_mirror(p);
}

static void killed_at_any_point_nothing_is_lost(void **state) {
        enum { ROUNDS = 12 };
        struct place *p = *state;
        int64_t begin, whole;
        unsigned killed = 0;

        add_loose(p, 200);
        make_due(p);
        begin = clock_monotonic_ns();
        assert_true(compact(p, &small));
        whole = (clock_monotonic_ns() - begin) / 1000;
        for (unsigned i = 0; i < ROUNDS; i++) {
                add_loose(p, 40);
                add_pack(p, 4);
                make_due(p);
                killed += kill_after(p, whole * i / ROUNDS);
                reopen(p);
                assert_whole(p);
                assert_fsck(p);
        }
        assert_true(killed > 0);
        /* And the next one finishes it. */
        make_due(p);
        assert_true(compact(p, &small));
        assert_int_equal(count_loose(p), 0);
        assert_int_equal(count_files(p, "pack", ".idx"), count_packs(p));
        assert_whole(p);
        assert_fsck(p);
}

/*
 * Read meanwhile
 */

/* Reads everything again and again, with a repository that was opened once. Ends with 1 at the first miss. */
static _Noreturn void read_for_ever(const struct place *p, int ready) {
        own_fault struct fault f = FAULT_INIT;
        struct mirror *m = NULL;

        if (mirror_open_kept(p->dir, "ledger.git", &m, &f) < 0)
                _exit(2);
        for (size_t i = 0;; i = (i + 1) % p->n) {
                git_odb_object *object = NULL;
                git_odb *odb = NULL;

                if (git_repository_odb(&odb, mirror_repository(m)) < 0 ||
                    git_odb_read(&object, odb, (const git_oid *)(const void *)p->ids[i].raw) < 0)
                        _exit(1);
                git_odb_object_free(object);
                git_odb_free(odb);
                if (i == 0 && write(ready, "", 1) != 1)
                        _exit(0);
        }
}

static void readers_go_on(void **state) {
        struct place *p = *state;
        int status = 0, ready[2];
        char byte;
        pid_t pid;

        add_loose(p, 150);
        assert_int_equal(pipe(ready), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                (void)close(ready[0]);
                read_for_ever(p, ready[1]);
        }
        (void)close(ready[1]);
        assert_int_equal(read(ready[0], &byte, 1), 1);
        for (unsigned i = 0; i < 5; i++) {
                make_due(p);
                assert_true(compact(p, &small));
                /* Two rounds of the reader, so that one of them began after it. */
                assert_int_equal(read(ready[0], &byte, 1), 1);
                assert_int_equal(read(ready[0], &byte, 1), 1);
                add_loose(p, 50);
        }
        assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        (void)close(ready[0]);
}

static int set_up_git(void **state) {
        (void)signal(SIGPIPE, SIG_IGN);
        return git_libgit2_init() > 0 ? 0 : -1; /* before anybody asks for fsync: thousands of objects are made here */
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(below_the_limits_nothing_is_done, setup, teardown),
        cmocka_unit_test_setup_teardown(loose_objects_become_one_pack, setup, teardown),
        cmocka_unit_test_setup_teardown(packs_are_merged, setup, teardown),
        cmocka_unit_test_setup_teardown(large_packs_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(one_pack_has_a_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(large_objects_stay_where_they_are, setup, teardown),
        cmocka_unit_test_setup_teardown(what_others_maintain_is_left_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(a_damaged_object_stops_nothing_and_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(leftovers_are_swept_and_nothing_else, setup, teardown),
        cmocka_unit_test_setup_teardown(killed_at_any_point_nothing_is_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(readers_go_on, setup, teardown),
};

TEST_GROUP(compact, tests, .setup = set_up_git);
