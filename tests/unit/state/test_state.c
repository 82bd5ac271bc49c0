/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reconciler/state/ledger_head.h"
#include "shared/base/file.h"
#include "shared/base/process.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "tests/lib/group.h"
#include "tests/lib/temporary.h"

struct place {
        char dir[TEMPORARY_MAX];
        char path[80];
};

static int setup(void **state) {
        static struct place p;

        temporary_make(p.dir);
        (void)snprintf(p.path, sizeof(p.path), "%s/state", p.dir);
        *state = &p;
        return 0;
}

static int teardown(void **state) {
        struct place *p = *state;

        (void)umount(p->path);
        temporary_remove(p->dir);
        return 0;
}

static void fine(int r, const struct fault *f) {
        if (r < 0)
                fail_msg("%s (%s)", f->message, f->hint ? f->hint : "");
}

static void open_state(const struct place *p, struct state *ret) {
        own_fault struct fault f = FAULT_INIT;

        fine(state_open(p->path, STATE_WRITE, ret, &f), &f);
}

static void put_file(const struct state *s, const char *name, const char *text) {
        own_fault struct fault f = FAULT_INIT;

        fine(file_write(s->dirfd, name, text, strlen(text), 0600, &f), &f);
}

static bool is_there(const struct state *s, const char *name) {
        return faccessat(s->dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/*
 * The folder
 */

static void test_the_folder_is_made_for_its_owner_alone(void **state) {
        own_state struct state s = STATE_INIT;
        struct stat st;

        open_state(*state, &s);
        assert_int_equal(fstat(s.dirfd, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0700);
        assert_true(is_there(&s, "rollouts") && is_there(&s, "files"));
}

static void test_reading_makes_nothing(void **state) {
        const struct place *p = *state;
        own_fault struct fault f = FAULT_INIT;
        own_state struct state s = STATE_INIT;

        assert_int_equal(state_open(p->path, STATE_READ, &s, &f), -ENOENT);
        assert_non_null(strstr(f.hint, "tally pass"));
        assert_int_equal(access(p->path, F_OK), -1);
}

static void test_the_second_pass_is_told_who_holds_the_lock(void **state) {
        own_fault struct fault f = FAULT_INIT;
        own_state struct state s = STATE_INIT, other = STATE_INIT;
        int ready[2], status;
        char pid_text[32], byte;
        pid_t pid;

        open_state(*state, &s);
        assert_int_equal(pipe(ready), 0);
        pid = fork();
        if (pid == 0) {
                if (state_open(((struct place *)*state)->path, STATE_WRITE, &other, &f) == 0 &&
                    state_lock(&other, 0, &f) == 0)
                        (void)!write(ready[1], "x", 1);
                (void)pause();
                _exit(0);
        }
        assert_int_equal(read(ready[0], &byte, 1), 1);
        assert_int_equal(state_lock(&s, 10, &f), -EWOULDBLOCK);
        assert_int_equal(f.kind, FAULT_TRANSIENT);
        (void)snprintf(pid_text, sizeof(pid_text), "%d", (int)pid);
        assert_non_null(strstr(f.message, pid_text));

        /* The lock ends with its process, whatever ended it. */
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        fault_done(&f);
        fine(state_lock(&s, 1000, &f), &f);
        (void)close(ready[0]);
        (void)close(ready[1]);
}

static void test_locking_sweeps_what_a_killed_pass_left(void **state) {
        own_fault struct fault f = FAULT_INIT;
        own_state struct state s = STATE_INIT;

        open_state(*state, &s);
        put_file(&s, ".tmp-0123456789abcdef", "half");
        put_file(&s, "rollouts/.tmp-0123456789abcdef", "half");
        fine(state_lock(&s, 0, &f), &f);
        assert_false(is_there(&s, ".tmp-0123456789abcdef"));
        assert_false(is_there(&s, "rollouts/.tmp-0123456789abcdef"));
}

/* A file system of our own, as small as it gets; false when this process may not mount. */
static bool mount_small(const struct place *p) {
        assert_int_equal(mkdir(p->path, 0700), 0);
        if (mount("tmpfs", p->path, "tmpfs", 0, "size=64k") == 0)
                return true;
        print_message("not tested: mounting a small file system needs privileges (%s)\n", strerror(errno));
        return false;
}

static void test_a_full_disk_is_said_with_what_helps(void **state) {
        const struct place *p = *state;
        own_fault struct fault f = FAULT_INIT;
        own_state struct state s = STATE_INIT;
        own_json json_t *json = json_pack("{s:s}", "a", "b");
        char big[16 * 1024];

        if (!mount_small(p))
                skip();
        open_state(p, &s);
        fine(state_json_write(&s, "status.json", json, &f), &f);
        memset(big, 'x', sizeof(big));
        for (int i = 0; i < 8; i++) {
                own_fault struct fault ignored = FAULT_INIT;
                char name[16];

                (void)snprintf(name, sizeof(name), "big%d", i);
                (void)file_write(s.dirfd, name, big, i < 4 ? sizeof(big) : 4096, 0600, &ignored);
        }
        json_object_set_new(json, "a", json_string("c"));
        assert_int_equal(state_json_write(&s, "status.json", json, &f), -ENOSPC);
        assert_ptr_equal(f.code, REASON_STATE_UNWRITABLE);
        assert_int_equal(f.kind, FAULT_TRANSIENT);
        assert_non_null(strstr(f.hint, "full"));
        fault_done(&f);

        /* What was there is there. */
        own_json json_t *kept = NULL;

        fine(state_json_read(&s, "status.json", &kept, &f), &f);
        assert_string_equal(json_get_string(kept, "a"), "b");
        fault_done(&f);
        state_done(&s);
        assert_int_equal(state_open(p->path, STATE_WRITE, &s, &f), -ENOSPC);
        assert_ptr_equal(f.code, REASON_STATE_UNWRITABLE);
}

static void test_a_read_only_disk_is_said_with_what_helps(void **state) {
        const struct place *p = *state;
        own_fault struct fault f = FAULT_INIT;
        own_state struct state s = STATE_INIT, reader = STATE_INIT;

        if (!mount_small(p))
                skip();
        open_state(p, &s);
        state_done(&s);
        assert_int_equal(mount("tmpfs", p->path, "tmpfs", MS_REMOUNT | MS_RDONLY, NULL), 0);
        assert_int_equal(state_open(p->path, STATE_WRITE, &s, &f), -EROFS);
        assert_ptr_equal(f.code, REASON_STATE_UNWRITABLE);
        assert_non_null(strstr(f.hint, "read-only"));
        fault_done(&f);
        fine(state_open(p->path, STATE_READ, &reader, &f), &f);
}

/*
 * The key
 */

static void test_the_key_is_made_once(void **state) {
        own_fault struct fault f = FAULT_INIT;
        own_state struct state s = STATE_INIT;
        own_sshkey struct sshkey_private first = { 0 }, second = { 0 };
        struct stat st;
        bool made = false;

        open_state(*state, &s);
        assert_int_equal(state_key_read(&s, &first, &f), -ENOENT);
        fault_done(&f);
        fine(state_key(&s, "web1", &first, &made, &f), &f);
        assert_true(made);
        fine(state_key(&s, "web1", &second, &made, &f), &f);
        assert_false(made);
        assert_true(sshkey_equal(&first.key, &second.key));
        assert_string_equal(second.comment, "web1");
        assert_int_equal(fstatat(s.dirfd, "id_ed25519", &st, 0), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
}

static void test_ssh_keygen_reads_the_key_and_its_public_half(void **state) {
        const struct place *p = *state;
        own_fault struct fault f = FAULT_INIT;
        own_state struct state s = STATE_INIT;
        own_sshkey struct sshkey_private key = { 0 };
        own_process_result struct process_result out = { 0 };
        own_buffer struct buffer line = BUFFER_INIT;
        char file[128];

        open_state(p, &s);
        fine(state_key(&s, "web1", &key, NULL, &f), &f);
        (void)snprintf(file, sizeof(file), "%s/id_ed25519", p->path);

        const char *const argv[] = { "ssh-keygen", "-y", "-f", file, NULL };
        const struct process_request request = { .argv = argv };

        fine(process_run(&request, &out, &f), &f);
        assert_int_equal(out.exit_code, 0);
        fine(file_read(s.dirfd, "id_ed25519.pub", 4096, &line, &f), &f);
        assert_string_equal(buffer_str(&out.out), buffer_str(&line));
}

static void test_a_public_half_that_is_gone_is_written_again(void **state) {
        own_fault struct fault f = FAULT_INIT;
        own_state struct state s = STATE_INIT;
        own_sshkey struct sshkey_private key = { 0 };

        open_state(*state, &s);
        fine(state_key(&s, "web1", &key, NULL, &f), &f);
        assert_int_equal(unlinkat(s.dirfd, "id_ed25519.pub", 0), 0);
        fine(state_key(&s, "web1", &key, NULL, &f), &f);
        assert_true(is_there(&s, "id_ed25519.pub"));
}

/* A new key where an old one was would make the host another one without anybody's will. */
static void test_a_broken_or_lost_key_is_never_replaced(void **state) {
        own_fault struct fault f = FAULT_INIT;
        own_state struct state s = STATE_INIT;
        own_sshkey struct sshkey_private key = { 0 };

        open_state(*state, &s);
        fine(state_key(&s, "web1", &key, NULL, &f), &f);

        put_file(&s, "id_ed25519", "-----BEGIN OPENSSH PRIVATE KEY-----\nrubbish\n");
        assert_true(state_key(&s, "web1", &key, NULL, &f) < 0);
        assert_int_equal(f.kind, FAULT_CONFIG);
        assert_non_null(strstr(f.hint, "backup"));
        fault_done(&f);

        assert_int_equal(unlinkat(s.dirfd, "id_ed25519", 0), 0);
        assert_true(state_key(&s, "web1", &key, NULL, &f) < 0);
        assert_int_equal(f.kind, FAULT_CONFIG);
        assert_non_null(strstr(f.message, "gone"));
        assert_false(is_there(&s, "id_ed25519"));
}

static void test_a_key_that_others_can_read_is_refused(void **state) {
        own_fault struct fault f = FAULT_INIT;
        own_state struct state s = STATE_INIT;
        own_sshkey struct sshkey_private key = { 0 };

        open_state(*state, &s);
        fine(state_key(&s, "web1", &key, NULL, &f), &f);
        assert_int_equal(fchmodat(s.dirfd, "id_ed25519", 0640, 0), 0);
        assert_true(state_key(&s, "web1", &key, NULL, &f) < 0);
        assert_non_null(strstr(f.hint, "chmod 600"));
}

/*
 * Rollouts
 */

static void test_rollouts_are_read_back_in_the_order_of_their_names(void **state) {
        own_fault struct fault f = FAULT_INIT;
        own_state struct state s = STATE_INIT;
        own_arena struct arena *a = arena_new();
        struct text_at poisoned[] = { { .text = "sha256:bad" } };
        const struct rollout shop = { .app = "shop", .phase = PHASE_STAGING, .poisoned = { poisoned, 1 }, .intent = 4 };
        const struct rollout blog = { .app = "blog", .phase = PHASE_SETTLED, .intent = -1 };
        const struct state_rollout *items;
        struct struct_list list;

        open_state(*state, &s);
        fine(state_rollout_write(&s, &shop, &f), &f);
        fine(state_rollout_write(&s, &blog, &f), &f);
        put_file(&s, "rollouts/README", "not ours");
        put_file(&s, "rollouts/.tmp-0123456789abcdef", "half");
        fine(state_rollouts_read(&s, a, &list, &f), &f);
        items = list.items;
        assert_int_equal(list.n, 2);
        assert_string_equal(items[0].rollout.app, "blog");
        assert_string_equal(items[1].rollout.app, "shop");
        assert_null(items[1].corrupt);
        assert_int_equal(items[1].rollout.phase, PHASE_STAGING);
        assert_true(rollout_is_poisoned(&items[1].rollout, "sha256:bad"));

        fine(state_rollout_remove(&s, "blog", &f), &f);
        fine(state_rollouts_read(&s, a, &list, &f), &f);
        assert_int_equal(list.n, 1);
}

static void test_a_rollout_that_cannot_be_read_holds_its_app_alone(void **state) {
        own_fault struct fault f = FAULT_INIT;
        own_state struct state s = STATE_INIT;
        own_arena struct arena *a = arena_new();
        const struct rollout blog = { .app = "blog", .phase = PHASE_SETTLED, .intent = -1 };
        static const char *const texts[] = {
                "",
                "{",
                "{\"app\":\"shop\"",
                "{\"app\":\"blog\",\"phase\":\"settled\"}",
                "{\"app\":\"shop\",\"phase\":\"wild\"}",
                "[]",
        };

        open_state(*state, &s);
        fine(state_rollout_write(&s, &blog, &f), &f);
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                const struct state_rollout *items;
                struct struct_list list;

                put_file(&s, "rollouts/shop.json", texts[i]);
                fine(state_rollouts_read(&s, a, &list, &f), &f);
                items = list.items;
                assert_int_equal(list.n, 2);
                assert_null(items[0].corrupt);
                assert_non_null(strstr(items[1].corrupt, "rollouts/shop.json"));
                assert_string_equal(items[1].rollout.app, "shop");
                /* The only copy of what failed here stays where a person finds it. */
                assert_true(is_there(&s, "rollouts/shop.json"));
        }
}

/*
 * Documents
 */

static void test_what_was_accepted_reads_back(void **state) {
        own_fault struct fault f = FAULT_INIT;
        own_state struct state s = STATE_INIT;
        own_arena struct arena *a = arena_new();
        struct accepted_refusal refusal = {
                .commit = "2222222222222222222222222222222222222222",
                .code = "TRUST_UNSIGNED",
                .message = "no signature",
                .at = 9,
        };
        const struct accepted in = {
                .commit = "1111111111111111111111111111111111111111",
                .principal = "anna",
                .fingerprint = "SHA256:x",
                .first_seen = 5,
                .tip = refusal.commit,
                .fetched_at = 6,
                .refusal = &refusal,
        };
        struct accepted out;
        const char *corrupt;

        open_state(*state, &s);
        fine(state_accepted_read(&s, a, &out, &corrupt, &f), &f);
        assert_null(out.commit);
        assert_null(corrupt);
        fine(state_accepted_write(&s, &in, &f), &f);
        fine(state_accepted_read(&s, a, &out, &corrupt, &f), &f);
        assert_string_equal(out.commit, in.commit);
        assert_string_equal(out.principal, "anna");
        assert_string_equal(out.refusal->code, "TRUST_UNSIGNED");
        assert_int_equal(out.fetched_at, 6);
        assert_null(out.trust);
        assert_null(corrupt);
}

static void test_a_damaged_document_is_set_aside_and_said(void **state) {
        own_fault struct fault f = FAULT_INIT;
        own_state struct state s = STATE_INIT;
        own_arena struct arena *a = arena_new();
        static const char *const texts[] = { "", "{\"commit\":", "{\"commit\":\"HEAD\"}", "{\"party\":1}", "[]" };
        struct accepted out;
        const char *corrupt;
        json_t *json = NULL;

        open_state(*state, &s);
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                put_file(&s, "accepted.json", texts[i]);
                fine(state_accepted_read(&s, a, &out, &corrupt, &f), &f);
                assert_null(out.commit);
                assert_non_null(corrupt);
                assert_false(is_there(&s, "accepted.json"));
                assert_true(is_there(&s, "accepted.json.corrupt"));
        }
        put_file(&s, "status.json", "{{");
        assert_int_equal(state_json_read(&s, "status.json", &json, &f), -EUCLEAN);
        assert_ptr_equal(f.code, REASON_STATE_CORRUPT);
        assert_non_null(strstr(f.hint, "status.json.corrupt"));
        fault_done(&f);
        fine(state_json_read(&s, "status.json", &json, &f), &f);
        assert_null(json);
}

static void test_a_reader_sets_nothing_aside(void **state) {
        const struct place *p = *state;
        own_fault struct fault f = FAULT_INIT;
        own_state struct state s = STATE_INIT, reader = STATE_INIT;
        json_t *json = NULL;

        open_state(p, &s);
        put_file(&s, "status.json", "{{");
        fine(state_open(p->path, STATE_READ, &reader, &f), &f);
        assert_int_equal(state_json_read(&reader, "status.json", &json, &f), -EUCLEAN);
        assert_true(is_there(&s, "status.json"));
}

static void test_the_sticker_is_compared_by_content(void **state) {
        own_fault struct fault f = FAULT_INIT;
        own_state struct state s = STATE_INIT;
        own_json json_t *sticker = json_pack("{s:s, s:i}", "release", "sha256:a", "n", 1);
        own_json json_t *back = NULL;
        enum sticker_state found;

        open_state(*state, &s);
        fine(state_sticker_compare(&s, NULL, &found, &f), &f);
        assert_int_equal(found, STICKER_SAME);
        fine(state_sticker_compare(&s, sticker, &found, &f), &f);
        assert_int_equal(found, STICKER_MISSING);
        fine(state_sticker_write(&s, sticker, &f), &f);
        fine(state_sticker_compare(&s, sticker, &found, &f), &f);
        assert_int_equal(found, STICKER_SAME);
        put_file(&s, "sticker.json", "{\"n\":1,   \"release\":\"sha256:a\"}");
        fine(state_sticker_compare(&s, sticker, &found, &f), &f);
        assert_int_equal(found, STICKER_SAME);
        put_file(&s, "sticker.json", "{\"n\":2, \"release\":\"sha256:a\"}");
        fine(state_sticker_compare(&s, sticker, &found, &f), &f);
        assert_int_equal(found, STICKER_OTHER);
        fine(state_sticker_compare(&s, NULL, &found, &f), &f);
        assert_int_equal(found, STICKER_OTHER);
        put_file(&s, "sticker.json", "gone fishing");
        fine(state_sticker_compare(&s, sticker, &found, &f), &f);
        assert_int_equal(found, STICKER_UNREADABLE);
        assert_true(is_there(&s, "sticker.json"));
        assert_int_equal(state_sticker_read(&s, &back, &f), -EUCLEAN);
}

/*
 * The ledger's head
 */

static void test_the_head_reads_back(void **state) {
        own_fault struct fault f = FAULT_INIT;
        own_state struct state s = STATE_INIT;
        struct ledger_head in = { .any = true,
                                  .seq = 41,
                                  .epoch = 1,
                                  .record = digest_of("a", 1),
                                  .genesis = digest_of("b", 1),
                                  .wall_ms = 5000,
                                  .monotonic_ns = 7,
                                  .boot_id = "boot",
                                  .key = "SHA256:x",
                                  .open_intents = { 3, 9 },
                                  .n_open_intents = 2,
                                  .pushed_at = 8 },
                           out;

        memset(in.commit.raw, 1, sizeof(in.commit.raw));
        open_state(*state, &s);
        fine(ledger_head_read(&s, &out, &f), &f);
        assert_false(out.any);
        assert_false(ledger_head_is_behind(&out));
        fine(ledger_head_write(&s, &in, &f), &f);
        fine(ledger_head_read(&s, &out, &f), &f);
        assert_true(out.any);
        assert_int_equal(out.seq, 41);
        assert_int_equal(out.epoch, 1);
        assert_true(digest_equal(&out.record, &in.record) && digest_equal(&out.genesis, &in.genesis));
        assert_true(object_id_equal(&out.commit, &in.commit));
        assert_true(object_id_is_zero(&out.pushed));
        assert_int_equal(out.n_open_intents, 2);
        assert_int_equal(out.open_intents[1], 9);
        assert_string_equal(out.boot_id, "boot");
        assert_true(ledger_head_is_behind(&out));
        out.pushed = out.commit;
        assert_false(ledger_head_is_behind(&out));
}

static void test_a_head_that_says_nothing_is_set_aside(void **state) {
        own_fault struct fault f = FAULT_INIT;
        own_state struct state s = STATE_INIT;
        struct ledger_head out;

        open_state(*state, &s);
        put_file(&s, "head.json", "{\"schema\":\"tallyman/ledger-head/v1\",\"sequence\":1}");
        assert_int_equal(ledger_head_read(&s, &out, &f), -EUCLEAN);
        assert_ptr_equal(f.code, REASON_STATE_CORRUPT);
        assert_true(is_there(&s, "head.json.corrupt"));
}

static void test_a_clock_that_went_back_is_seen_beyond_the_tolerance(void **state) {
        const struct ledger_head none = { 0 }, h = { .any = true, .wall_ms = 10000 };

        assert_false(ledger_head_clock_went_back(&none, 0));
        assert_false(ledger_head_clock_went_back(&h, 10001));
        assert_false(ledger_head_clock_went_back(&h, 10000 - LEDGER_CLOCK_TOLERANCE_MS));
        assert_true(ledger_head_clock_went_back(&h, 10000 - LEDGER_CLOCK_TOLERANCE_MS - 1));
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static const struct CMUnitTest tests[] = {
        test(test_the_folder_is_made_for_its_owner_alone),
        test(test_reading_makes_nothing),
        test(test_the_second_pass_is_told_who_holds_the_lock),
        test(test_locking_sweeps_what_a_killed_pass_left),
        test(test_a_full_disk_is_said_with_what_helps),
        test(test_a_read_only_disk_is_said_with_what_helps),
        test(test_the_key_is_made_once),
        test(test_ssh_keygen_reads_the_key_and_its_public_half),
        test(test_a_public_half_that_is_gone_is_written_again),
        test(test_a_broken_or_lost_key_is_never_replaced),
        test(test_a_key_that_others_can_read_is_refused),
        test(test_rollouts_are_read_back_in_the_order_of_their_names),
        test(test_a_rollout_that_cannot_be_read_holds_its_app_alone),
        test(test_what_was_accepted_reads_back),
        test(test_a_damaged_document_is_set_aside_and_said),
        test(test_a_reader_sets_nothing_aside),
        test(test_the_sticker_is_compared_by_content),
        test(test_the_head_reads_back),
        test(test_a_head_that_says_nothing_is_set_aside),
        test(test_a_clock_that_went_back_is_seen_beyond_the_tolerance),
};

TEST_GROUP(state, tests);
