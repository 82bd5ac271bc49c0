/* SPDX-License-Identifier: Apache-2.0 */

/* What the remote does, and what the host lost: the ledger goes on, or says why not. */

#include "tests/lib/group.h"
#include "tests/lib/ledger_rig.h"

#include <unistd.h>

static void assert_anomaly(struct ledger_rig *rig, const char *what) {
        own_arena struct arena *a = arena_new();
        struct ledger_record r = rig_last(rig, a);

        assert_int_equal(r.kind, RECORD_REMOTE_ANOMALY);
        assert_string_equal(json_get_string(r.predicate, "anomaly"), what);
}

/* The remote's branch is the ledger's head here. */
static void assert_pushed(struct ledger_rig *rig) {
        own_free char *there = rig_sh_output(rig, "git -C remote.git rev-parse $BRANCH");
        char here[OBJECT_ID_TEXT_MAX];

        there[strcspn(there, "\n")] = '\0';
        assert_string_equal(there, object_id_format(&ledger_head(rig->ledger)->commit, here));
        assert_false(ledger_head_is_behind(ledger_head(rig->ledger)));
}

/*
 * Pushing
 */

static void test_a_ledger_is_pushed_as_it_is(void **state) {
        struct ledger_rig *rig = *state;

        rig_open(rig);
        assert_true(ledger_head_is_behind(ledger_head(rig->ledger)));
        assert_int_equal(rig_push(rig), LEDGER_PUSH_DONE);
        assert_pushed(rig);
        assert_int_equal(rig_push(rig), LEDGER_PUSH_UP_TO_DATE);
        rig_append(rig, RECORD_START, NULL, 0);
        assert_int_equal(rig_push(rig), LEDGER_PUSH_DONE);
        assert_pushed(rig);
}

static void test_offline_it_is_kept_and_pushed_later(void **state) {
        struct ledger_rig *rig = *state;
        own_fault struct fault f = FAULT_INIT;
        enum ledger_push_state pushed;

        rig_open(rig);
        (void)rig_push(rig);
        rig_sh(rig, "mv remote.git away.git");
        for (int i = 0; i < 3; i++)
                rig_append(rig, RECORD_START, NULL, 0);
        assert_true(ledger_push(rig->ledger, &pushed, &f) < 0);
        assert_int_equal(f.kind, FAULT_TRANSIENT);
        assert_ptr_equal(f.code, REASON_LEDGER_PUSH_FAILED);
        rig_append(rig, RECORD_START, NULL, 0);

        /* The next pass, the remote is back. */
        rig_close(rig);
        rig_sh(rig, "mv away.git remote.git");
        rig_open(rig);
        assert_int_equal(rig_push(rig), LEDGER_PUSH_DONE);
        assert_pushed(rig);
        assert_int_equal(ledger_head(rig->ledger)->seq, 4);
}

static void test_a_remote_that_went_back_is_recorded_once_and_mended(void **state) {
        struct ledger_rig *rig = *state;

        rig_open(rig);
        (void)rig_push(rig);
        rig_append(rig, RECORD_START, NULL, 0);
        rig_append(rig, RECORD_STOP, NULL, 0);
        (void)rig_push(rig);
        rig_sh(rig, "git -C remote.git update-ref refs/heads/$BRANCH $BRANCH~2");
        assert_int_equal(rig_push(rig), LEDGER_PUSH_REWOUND);
        assert_anomaly(rig, "rewound");
        assert_pushed(rig);
        assert_int_equal(rig_push(rig), LEDGER_PUSH_UP_TO_DATE);
        assert_int_equal(ledger_head(rig->ledger)->seq, 3);
        (void)rig_verify(rig);
}

static void test_a_branch_that_vanished_is_recorded_and_made_again(void **state) {
        struct ledger_rig *rig = *state;

        rig_open(rig);
        (void)rig_push(rig);
        rig_sh(rig, "git -C remote.git update-ref -d refs/heads/$BRANCH");
        assert_int_equal(rig_push(rig), LEDGER_PUSH_VANISHED);
        assert_anomaly(rig, "vanished");
        assert_pushed(rig);
}

static void test_an_answer_that_was_lost_is_no_anomaly(void **state) {
        struct ledger_rig *rig = *state;

        rig_open(rig);
        (void)rig_push(rig);
        rig_append(rig, RECORD_START, NULL, 0);
        rig_sh(rig, "cp state/head.json head.json");
        (void)rig_push(rig);
        rig_close(rig);
        rig_sh(rig, "cp head.json state/head.json");
        rig_open(rig);
        rig_append(rig, RECORD_STOP, NULL, 0);
        assert_int_equal(rig_push(rig), LEDGER_PUSH_DONE);
        assert_pushed(rig);
}

#define FOREIGN_COMMIT \
        "cd remote.git; c=$(git commit-tree -m foreign -p $BRANCH $BRANCH^{tree}); " \
        "git update-ref refs/heads/$BRANCH $c"

static void test_a_foreign_commit_stops_pushing_and_is_recorded_once(void **state) {
        struct ledger_rig *rig = *state;
        enum ledger_push_state pushed;
        int64_t seq;

        rig_open(rig);
        (void)rig_push(rig);
        rig_sh(rig, FOREIGN_COMMIT);
        for (int i = 0; i < 3; i++) {
                own_fault struct fault f = FAULT_INIT;

                assert_true(ledger_push(rig->ledger, &pushed, &f) < 0);
                assert_int_equal(f.kind, FAULT_DENIED);
                assert_ptr_equal(f.code, REASON_LEDGER_DIVERGED);
                if (i == 0) {
                        assert_anomaly(rig, "diverged");
                        seq = ledger_head(rig->ledger)->seq;
                }
                assert_int_equal(ledger_head(rig->ledger)->seq, seq);
                if (i == 1) {
                        rig_close(rig);
                        rig_open(rig);
                }
        }
        /* The remote still has what it had: nothing is forced. */
        rig_sh(rig, "test \"$(git -C remote.git log -1 --format=%s $BRANCH)\" = foreign");

        /* Another foreign head is another event. */
        own_fault struct fault f = FAULT_INIT;

        rig_sh(rig, FOREIGN_COMMIT);
        assert_true(ledger_push(rig->ledger, &pushed, &f) < 0);
        assert_int_equal(ledger_head(rig->ledger)->seq, seq + 1);
        (void)rig_verify(rig);
}

/*
 * What was lost
 */

static void assert_continues_with_gap(struct ledger_rig *rig, int64_t seq) {
        own_arena struct arena *a = arena_new();
        struct ledger_record r = rig_last(rig, a);

        assert_int_equal(r.kind, RECORD_GAP_DECLARED);
        assert_int_equal(r.seq, seq);
        assert_int_equal(json_get_integer(json_object_get(r.predicate, "continues"), "seq", -1), seq - 1);
        (void)rig_verify(rig);
}

static void test_a_lost_state_goes_on_from_the_remote_and_says_so(void **state) {
        struct ledger_rig *rig = *state;

        rig_open(rig);
        rig_append(rig, RECORD_START, NULL, 0);
        rig_append(rig, RECORD_INTENT, "shop", 0);
        (void)rig_push(rig);
        rig_close(rig);
        rig_sh(rig, "rm -rf state/ledger.git state/head.json state/status.json");
        rig_open(rig);
        assert_continues_with_gap(rig, 3);
        assert_int_equal(ledger_head(rig->ledger)->n_open_intents, 1);
        assert_int_equal(rig_push(rig), LEDGER_PUSH_DONE);
        assert_pushed(rig);
}

static void test_a_lost_clone_whose_head_is_remembered_misses_nothing(void **state) {
        struct ledger_rig *rig = *state;

        rig_open(rig);
        rig_append(rig, RECORD_START, NULL, 0);
        (void)rig_push(rig);
        rig_close(rig);
        rig_sh(rig, "rm -rf state/ledger.git");
        rig_open(rig);
        assert_int_equal(ledger_head(rig->ledger)->seq, 1);
        assert_false(ledger_head_is_behind(ledger_head(rig->ledger)));
        (void)rig_verify(rig);
}

static void test_records_that_never_left_and_are_lost_are_a_declared_gap(void **state) {
        struct ledger_rig *rig = *state;
        own_arena struct arena *a = arena_new();

        rig_open(rig);
        (void)rig_push(rig);
        rig_append(rig, RECORD_START, NULL, 0);
        rig_close(rig);
        rig_sh(rig, "rm -rf state/ledger.git");
        rig_open(rig);
        assert_continues_with_gap(rig, 1);
        assert_int_equal(json_get_integer(json_object_get(rig_last(rig, a).predicate, "remembered"), "seq", -1), 1);
}

/* NEW-03: the clone is taken back to an older one, head.json is not. */
static void test_a_clone_that_went_back_is_brought_forward_again(void **state) {
        struct ledger_rig *rig = *state;

        rig_open(rig);
        rig_sh(rig, "cp -a state/ledger.git old.git");
        rig_append(rig, RECORD_START, NULL, 0);
        (void)rig_push(rig);
        rig_close(rig);
        rig_sh(rig, "rm -rf state/ledger.git; mv old.git state/ledger.git");
        rig_open(rig);
        assert_int_equal(ledger_head(rig->ledger)->seq, 1);
        (void)rig_verify(rig);
}

static void test_a_lost_state_waits_for_the_remote(void **state) {
        struct ledger_rig *rig = *state;
        own_fault struct fault f = FAULT_INIT;

        rig_open(rig);
        (void)rig_push(rig);
        rig_close(rig);
        rig_sh(rig, "rm -rf state/ledger.git state/head.json; mv remote.git away.git");
        assert_true(rig_try_open(rig, &f) < 0);
        assert_int_equal(f.kind, FAULT_TRANSIENT);
        rig_close(rig);
        rig_sh(rig, "mv away.git remote.git");
        rig_open(rig);
        assert_continues_with_gap(rig, 1);
}

static void test_a_lost_state_is_not_continued_from_a_forged_branch(void **state) {
        static const char *const forgeries[] = {
                FOREIGN_COMMIT, /* not signed */
                "cd remote.git; git update-ref refs/heads/$BRANCH $(git commit-tree -m x $BRANCH^{tree})",
        };
        struct ledger_rig *rig = *state;

        rig_open(rig);
        (void)rig_push(rig);
        rig_close(rig);
        for (size_t i = 0; i < 2; i++) {
                own_fault struct fault f = FAULT_INIT;

                rig_sh(rig, "rm -rf state/ledger.git state/head.json");
                rig_sh(rig, forgeries[i]);
                assert_true(rig_try_open(rig, &f) < 0);
                assert_int_equal(f.kind, FAULT_DENIED);
                assert_ptr_equal(f.code, REASON_LEDGER_DIVERGED);
                rig_close(rig);
        }
}

static void test_a_new_key_continues_the_branch_as_the_next_epoch(void **state) {
        struct ledger_rig *rig = *state;
        struct ledger_verified verified;
        struct sshkey old;
        own_arena struct arena *a = arena_new();
        own_fault struct fault f = FAULT_INIT;
        struct ledger_record r;

        rig_open(rig);
        rig_append(rig, RECORD_START, NULL, 0);
        (void)rig_push(rig);
        old = rig->key.key;
        rig_close(rig);
        rig_sh(rig, "rm -rf state");
        rig_open(rig);
        assert_false(sshkey_equal(&old, &rig->key.key));
        verified = rig_verify(rig);
        assert_int_equal(verified.epochs, 2);
        assert_int_equal(ledger_head(rig->ledger)->epoch, 1);

        rig_fine(ledger_read_record(rig->ledger, 2, a, &r, &f), &f);
        assert_int_equal(r.kind, RECORD_KEY_ROTATION);
        assert_true(r.verified);
        rig_fine(ledger_read_record(rig->ledger, 1, a, &r, &f), &f);
        assert_false(r.verified);
        assert_int_equal(rig_push(rig), LEDGER_PUSH_DONE);
        assert_pushed(rig);
}

static void test_a_new_key_with_the_clone_kept_is_a_rotation_too(void **state) {
        struct ledger_rig *rig = *state;

        rig_open(rig);
        rig_close(rig);
        rig_sh(rig, "rm state/id_ed25519 state/id_ed25519.pub");
        rig_open(rig);
        assert_int_equal(ledger_head(rig->ledger)->seq, 1);
        assert_int_equal(rig_verify(rig).epochs, 2);
        rig_append(rig, RECORD_START, NULL, 0);
        rig_close(rig);
        rig_open(rig);
        assert_int_equal(ledger_head(rig->ledger)->seq, 2);
}

static void test_a_ledger_lost_everywhere_begins_anew_and_names_the_old_one(void **state) {
        struct ledger_rig *rig = *state;
        own_arena struct arena *a = arena_new();
        struct ledger_record r;

        rig_open(rig);
        rig_append(rig, RECORD_START, NULL, 0);
        rig_close(rig);
        rig_sh(rig, "rm -rf state/ledger.git");
        rig_open(rig);
        r = rig_last(rig, a);
        assert_int_equal(r.kind, RECORD_GENESIS);
        assert_int_equal(r.head.epoch, 1);
        assert_int_equal(json_get_integer(json_object_get(r.predicate, "lost"), "seq", -1), 1);
        (void)rig_verify(rig);
}

static void test_a_first_ledger_needs_to_know_that_it_is_the_first(void **state) {
        struct ledger_rig *rig = *state;
        own_fault struct fault f = FAULT_INIT;

        rig_sh(rig, "mv remote.git away.git");
        assert_true(rig_try_open(rig, &f) < 0);
        assert_int_equal(f.kind, FAULT_TRANSIENT);
        assert_non_null(f.hint);
}

static const struct CMUnitTest tests[] = {
        ledger_test(test_a_ledger_is_pushed_as_it_is),
        ledger_test(test_offline_it_is_kept_and_pushed_later),
        ledger_test(test_a_remote_that_went_back_is_recorded_once_and_mended),
        ledger_test(test_a_branch_that_vanished_is_recorded_and_made_again),
        ledger_test(test_an_answer_that_was_lost_is_no_anomaly),
        ledger_test(test_a_foreign_commit_stops_pushing_and_is_recorded_once),
        ledger_test(test_a_lost_state_goes_on_from_the_remote_and_says_so),
        ledger_test(test_a_lost_clone_whose_head_is_remembered_misses_nothing),
        ledger_test(test_records_that_never_left_and_are_lost_are_a_declared_gap),
        ledger_test(test_a_clone_that_went_back_is_brought_forward_again),
        ledger_test(test_a_lost_state_waits_for_the_remote),
        ledger_test(test_a_lost_state_is_not_continued_from_a_forged_branch),
        ledger_test(test_a_new_key_continues_the_branch_as_the_next_epoch),
        ledger_test(test_a_new_key_with_the_clone_kept_is_a_rotation_too),
        ledger_test(test_a_ledger_lost_everywhere_begins_anew_and_names_the_old_one),
        ledger_test(test_a_first_ledger_needs_to_know_that_it_is_the_first),
};

TEST_GROUP(ledger_push, tests);
