/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Ledger rig: a state folder, a key and a remote in a folder of their own, and the stock tools beside them
 *
 *      static int setup(void **state) { return ledger_rig_setup(state); }
 *      rig_open(rig); rig_append(rig, RECORD_START, NULL, 0); rig_verify(rig);
 *      rig_sh(rig, "git -C state/ledger.git fsck --strict");       // in the rig's folder, $BRANCH is the ledger's
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "reconciler/ledger/ledger.h"
#include "reconciler/ledger/verify.h"
#include "shared/base/process.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "tests/lib/temporary.h"

#define RIG_NOW 1795687200000 /* 2026-11-26T10:00:00Z */

struct ledger_rig {
        char dir[TEMPORARY_MAX];
        char path[96], remote[96], home[96];
        struct state state;
        struct sshkey_private key;
        struct remote_settings remote_settings;
        struct ledger_settings settings;
        struct ledger *ledger;
        int64_t now;
};

static inline void rig_fine(int r, const struct fault *f) {
        if (r < 0)
                fail_msg("%s%s%s", f->message, f->hint ? " - " : "", f->hint ? f->hint : "");
}

/* A script of sh in the rig's folder; its output, to free(). Fails the test when the script does. */
static inline char *rig_sh_output(struct ledger_rig *rig, const char *script) {
        own_buffer struct buffer text = BUFFER_INIT;
        own_process_result struct process_result result = { 0 };
        own_fault struct fault f = FAULT_INIT;

        buffer_printf(&text, "set -e; cd '%s'; BRANCH=tally/web1\n%s", rig->dir, script);

        const char *const argv[] = { "sh", "-c", buffer_str(&text), NULL };
        const char *const envp[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                                     "LANG=C",
                                     "GIT_CONFIG_NOSYSTEM=1",
                                     "GIT_AUTHOR_NAME=x",
                                     "GIT_AUTHOR_EMAIL=x@example.org",
                                     "GIT_COMMITTER_NAME=x",
                                     "GIT_COMMITTER_EMAIL=x@example.org",
                                     rig->home,
                                     NULL };
        const struct process_request request = { .argv = argv, .envp = envp };

        rig_fine(process_run(&request, &result, &f), &f);
        if (result.exit_code != 0)
                fail_msg("exit %d: %s\n%s\n%s", result.exit_code, script, buffer_str(&result.out),
                         buffer_str(&result.err));
        return buffer_steal(&result.out, NULL);
}

static inline void rig_sh(struct ledger_rig *rig, const char *script) {
        free(rig_sh_output(rig, script));
}

static inline int rig_try_open(struct ledger_rig *rig, struct fault *reterr) {
        own_fault struct fault f = FAULT_INIT;

        if (rig->state.dirfd < 0) {
                rig_fine(state_open(rig->path, STATE_WRITE, &rig->state, &f), &f);
                rig_fine(state_lock(&rig->state, 0, &f), &f);
                rig_fine(state_key(&rig->state, "web1", &rig->key, NULL, &f), &f);
        }
        rig->settings.now_ms = rig->now;
        return ledger_open(&rig->state, &rig->key, &rig->settings, &rig->ledger, reterr);
}

static inline void rig_open(struct ledger_rig *rig) {
        own_fault struct fault f = FAULT_INIT;

        rig_fine(rig_try_open(rig, &f), &f);
}

/* As after a crash: nothing is told to anybody. */
static inline void rig_close(struct ledger_rig *rig) {
        ledger_free(rig->ledger);
        rig->ledger = NULL;
        state_done(&rig->state);
}

static inline int rig_try_append(struct ledger_rig *rig, enum record_kind kind, const char *app, int64_t closes,
                                 struct fault *reterr) {
        own_json json_t *body = json_pack("{s:I}", "n", (json_int_t)rig->now);
        const struct record r = { .kind = kind, .app = app, .body = body, .closes = closes };
        const struct ledger_entry e = {
                .records = &r, .n_records = 1, .subject = "a record", .now_ms = rig->now += 1000
        };

        return ledger_append(rig->ledger, &e, NULL, reterr);
}

static inline void rig_append(struct ledger_rig *rig, enum record_kind kind, const char *app, int64_t closes) {
        own_fault struct fault f = FAULT_INIT;

        rig_fine(rig_try_append(rig, kind, app, closes, &f), &f);
}

static inline int rig_try_verify(struct ledger_rig *rig, const struct object_id *head, struct ledger_verified *ret,
                                 struct fault *reterr) {
        const struct ledger_expected expected = { &rig->key.key, "web1", ledger_head(rig->ledger) };

        return ledger_verify(ledger_mirror(rig->ledger), head, &expected, ret, reterr);
}

static inline struct ledger_verified rig_verify(struct ledger_rig *rig) {
        own_fault struct fault f = FAULT_INIT;
        struct ledger_verified verified = { 0 };

        rig_fine(rig_try_verify(rig, &ledger_head(rig->ledger)->commit, &verified, &f), &f);
        assert_int_equal(verified.n_records, ledger_head(rig->ledger)->seq + 1);
        return verified;
}

static inline enum ledger_push_state rig_push(struct ledger_rig *rig) {
        own_fault struct fault f = FAULT_INIT;
        enum ledger_push_state state = LEDGER_PUSH_STATE_MAX_;

        rig_fine(ledger_push(rig->ledger, &state, &f), &f);
        return state;
}

/* The last record of the ledger here. */
static inline struct ledger_record rig_last(struct ledger_rig *rig, struct arena *a) {
        own_fault struct fault f = FAULT_INIT;
        struct ledger_record record = { 0 };

        rig_fine(ledger_read_record(rig->ledger, ledger_head(rig->ledger)->seq, a, &record, &f), &f);
        return record;
}

static inline int ledger_rig_setup(void **state) {
        struct ledger_rig *rig = calloc(1, sizeof(*rig));

        assert_non_null(rig);
        temporary_make(rig->dir);
        (void)snprintf(rig->path, sizeof(rig->path), "%s/state", rig->dir);
        (void)snprintf(rig->remote, sizeof(rig->remote), "%s/remote.git", rig->dir);
        (void)snprintf(rig->home, sizeof(rig->home), "HOME=%s", rig->dir);
        rig->state = STATE_INIT;
        rig->now = RIG_NOW;
        rig->settings = (struct ledger_settings){
                .host = "web1", .repository = rig->remote, .remote = &rig->remote_settings, .version = "0.1.0"
        };
        rig_sh(rig, "git init -q --bare remote.git");
        *state = rig;
        return 0;
}

static inline int ledger_rig_teardown(void **state) {
        struct ledger_rig *rig = *state;

        rig_close(rig);
        (void)umount(rig->path);
        temporary_remove(rig->dir);
        free(rig);
        return 0;
}

#define ledger_test(name) cmocka_unit_test_setup_teardown(name, ledger_rig_setup, ledger_rig_teardown)
