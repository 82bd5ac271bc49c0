/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "providers/runtime/docker/files.h"
#include "providers/runtime/docker/tree.h"
#include "shared/base/file.h"
#include "shared/data/json.h"
#include "shared/model/files.h"
#include "tests/lib/group.h"

static int setup(void **state) {
        char *dir = strdup("/tmp/tally-files-XXXXXX");

        assert_non_null(mkdtemp(dir));
        *state = dir;
        return 0;
}

static int teardown(void **state) {
        assert_int_equal(tree_remove(AT_FDCWD, *state), 0);
        free(*state);
        return 0;
}

/* A folder as render.h describes it, with the digest that the model gives for it. */
static json_t *folder_of(struct arena *a, const char *text, struct digest *ret) {
        const struct desired_entry entries[] = {
                { .path = "apps/shop/c/x/run", .type = DESIRED_EXECUTABLE, .bytes = text, .size = strlen(text) },
                { .path = "apps/shop/c/y", .type = DESIRED_FILE, .bytes = "\0\xff", .size = 2 },
        };
        own_fault struct fault fault = FAULT_INIT;
        struct app_files files;

        assert_int_equal(app_files_make("apps/shop", entries, 2, a, &files, &fault), 0);
        assert_true(app_files_digest(&files, "c", ret));
        return json_pack("[{ss ss sb s[{ss sb ss}{ss sb ss}]}]", "name", digest_hex(ret), "digest", ret->text, "folder",
                         1, "entries", "path", "x/run", "executable", 1, "text", text, "path", "y", "executable", 0,
                         "base64", "AP8=");
}

static json_t *grant_of(const char *text, char *name, size_t size, struct digest *ret) {
        *ret = digest_of(text, strlen(text));
        (void)snprintf(name, size, "%s-0440-%d-%d", digest_hex(ret), (int)getuid(), (int)getgid());
        return json_pack("[{ss ss sb s[{ss sb ss}]}]", "name", name, "digest", ret->text, "folder", 0, "entries",
                         "path", "", "executable", 0, "text", text);
}

static void store(const char *dir, const json_t *files) {
        own_fault struct fault fault = FAULT_INIT;

        if (files_store(dir, files, &fault) < 0)
                fail_msg("%s", fault.message);
}

static void path_in(char *buf, size_t size, const char *dir, const char *name, const char *below) {
        (void)snprintf(buf, size, "%s/%s%s", dir, name, below);
}

static void what_is_written_has_the_digest_of_the_model(void **state) {
        own_arena struct arena *a = arena_new();
        struct digest digest;
        own_json json_t *files = folder_of(a, "#!/bin/sh\n", &digest);
        struct stat st;
        char path[300];

        store(*state, files);
        assert_int_equal(files_check(*state, digest_hex(&digest), digest.text), FILES_INTACT);
        path_in(path, sizeof(path), *state, digest_hex(&digest), "/x/run");
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0555);
        path_in(path, sizeof(path), *state, digest_hex(&digest), "/y");
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0444);
        assert_int_equal(st.st_size, 2);
        assert_int_equal(stat(*state, &st), 0);
        assert_int_equal(st.st_mode & 077, 0);
}

static void what_is_intact_is_not_written_again(void **state) {
        own_arena struct arena *a = arena_new();
        struct digest digest;
        own_json json_t *files = folder_of(a, "x", &digest);
        struct stat before, after;
        char path[300];

        path_in(path, sizeof(path), *state, digest_hex(&digest), "");
        store(*state, files);
        assert_int_equal(stat(path, &before), 0);
        store(*state, files);
        assert_int_equal(stat(path, &after), 0);
        assert_int_equal(before.st_ino, after.st_ino);
}

static void any_change_is_seen_and_mended(void **state) {
        static const char *const changes[] = {
                "echo z > y",       "chmod 0555 y",   "rm y", "echo z > more", "mv y z", "rm y; ln -s x/run y",
                "chmod 0444 x/run", "rm y; mkfifo y", NULL,
        };
        own_arena struct arena *a = arena_new();
        struct digest digest;
        own_json json_t *files = folder_of(a, "x", &digest);
        char command[600];

        for (size_t i = 0; changes[i]; i++) {
                store(*state, files);
                assert_int_equal(files_check(*state, digest_hex(&digest), digest.text), FILES_INTACT);
                (void)snprintf(command, sizeof(command), "cd '%s/%s' && chmod -R u+w . && %s", (char *)*state,
                               digest_hex(&digest), changes[i]);
                {
                        pid_t pid = fork();
                        int status;

                        if (pid == 0) {
                                execl("/bin/sh", "sh", "-c", command, NULL);
                                _exit(99);
                        }
                        assert_int_equal(waitpid(pid, &status, 0), pid);
                        assert_int_equal(status, 0);
                }
                assert_int_equal(files_check(*state, digest_hex(&digest), digest.text), FILES_CHANGED);
        }
        store(*state, files);
        assert_int_equal(files_check(*state, digest_hex(&digest), digest.text), FILES_INTACT);
}

static void a_grant_keeps_its_mode_and_owner(void **state) {
        struct digest digest;
        char name[200], path[400];
        own_json json_t *files = grant_of("pssst", name, sizeof(name), &digest);
        struct stat st;

        store(*state, files);
        path_in(path, sizeof(path), *state, name, "");
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0440);
        assert_int_equal(files_check(*state, name, digest.text), FILES_INTACT);
        assert_int_equal(chmod(path, 0444), 0);
        assert_int_equal(files_check(*state, name, digest.text), FILES_CHANGED);
        store(*state, files);
        assert_int_equal(files_check(*state, name, digest.text), FILES_INTACT);
}

static void names_are_checked(void **state) {
        static const char hex[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        static const char *const suffixes[] = { "/..",        "-", "-0400",     "-0400-1", "-9999-1-1", "-0400-1-1-1",
                                                "-0400--2-1", "x", "-0400-1-x", " ",       NULL };
        char name[200];

        assert_true(files_name_is_valid(hex));
        (void)snprintf(name, sizeof(name), "%s-0400--1-99", hex);
        assert_true(files_name_is_valid(name));
        for (size_t i = 0; suffixes[i]; i++) {
                (void)snprintf(name, sizeof(name), "%s%s", hex, suffixes[i]);
                assert_false(files_name_is_valid(name));
        }
        assert_false(files_name_is_valid("../etc/passwd"));
        assert_false(files_name_is_valid(NULL));
        assert_int_equal(files_check(*state, "../x", "sha256:00"), FILES_MISSING);
}

static void paths_never_leave_the_folder(void **state) {
        static const char *const bad[] = { "../x", "/etc/x", "a/../../x", "a//b", NULL };

        for (size_t i = 0; bad[i]; i++) {
                struct digest digest = digest_of("x", 1);
                own_json json_t *files =
                        json_pack("[{ss ss sb s[{ss sb ss}]}]", "name", digest_hex(&digest), "digest", digest.text,
                                  "folder", 1, "entries", "path", bad[i], "executable", 0, "text", "x");
                own_fault struct fault fault = FAULT_INIT;

                assert_true(files_store(*state, files, &fault) < 0);
                assert_int_equal(fault.kind, FAULT_INTERNAL);
        }
}

static void collect_keeps_what_is_named_and_sweeps_what_a_crash_left(void **state) {
        own_arena struct arena *a = arena_new();
        struct digest one, two;
        own_json json_t *first = folder_of(a, "1", &one), *second = folder_of(a, "2", &two), *keep = json_object();
        own_fault struct fault fault = FAULT_INIT;
        char path[300];

        store(*state, first);
        store(*state, second);
        path_in(path, sizeof(path), *state, ".new-0011223344556677", "");
        assert_int_equal(mkdir(path, 0700), 0);
        json_object_set_new(keep, digest_hex(&one), json_true());
        assert_int_equal(files_collect(*state, keep, &fault), 0);
        assert_int_equal(files_check(*state, digest_hex(&one), one.text), FILES_INTACT);
        assert_int_equal(files_check(*state, digest_hex(&two), two.text), FILES_MISSING);
        assert_int_equal(access(path, F_OK), -1);
        assert_int_equal(files_collect("/nonexistent/files", keep, &fault), 0);
}

static void the_stamp_follows_every_touch(void **state) {
        own_arena struct arena *a = arena_new();
        struct digest digest;
        own_json json_t *files = folder_of(a, "x", &digest);
        struct digest_state s1, s2, s3;
        struct digest d1, d2, d3;
        char path[300], file[300];

        store(*state, files);
        path_in(path, sizeof(path), *state, digest_hex(&digest), "");
        path_in(file, sizeof(file), *state, digest_hex(&digest), "/x/run");
        digest_begin(&s1);
        files_stamp(path, &s1);
        d1 = digest_end(&s1);
        digest_begin(&s2);
        files_stamp(path, &s2);
        d2 = digest_end(&s2);
        assert_string_equal(d1.text, d2.text);
        assert_true(files_changed_at(*state, digest_hex(&digest)) > 0);
        assert_int_equal(chmod(file, 0500), 0);
        digest_begin(&s3);
        files_stamp(path, &s3);
        d3 = digest_end(&s3);
        assert_string_not_equal(d1.text, d3.text);
        assert_int_equal(files_changed_at(*state, "0123"), -1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static const struct CMUnitTest tests[] = {
        CASE(what_is_written_has_the_digest_of_the_model),
        CASE(what_is_intact_is_not_written_again),
        CASE(any_change_is_seen_and_mended),
        CASE(a_grant_keeps_its_mode_and_owner),
        CASE(names_are_checked),
        CASE(paths_never_leave_the_folder),
        CASE(collect_keeps_what_is_named_and_sweeps_what_a_crash_left),
        CASE(the_stamp_follows_every_touch),
};

TEST_GROUP(docker_files, tests);
