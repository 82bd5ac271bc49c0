/* SPDX-License-Identifier: Apache-2.0 */

/* Attacks on a ledger: edited, removed, reordered, cut off, forged. Each is found, and named. */

#include "tests/lib/group.h"
#include "tests/lib/ledger_rig.h"

/*
 * Write the history anew, commit by commit, as somebody would who holds the host's key and wants the past to be
 * another: same messages, signed again, every tree edited by the shell function `edit` (with an index of its own). SIGN
 * is empty to leave the signatures out. The result is at refs/heads/forged.
 */
#define REWRITE \
        "cd state/ledger.git; export GIT_INDEX_FILE=$PWD/forge.index; parent=;" \
        "blob() { git rev-parse -q --verify :$1 || true; };" \
        "put() { git update-index --add --cacheinfo 100644,$2,$1; };" \
        "del() { for p in \"$@\"; do printf '0 %040d\\t%s\\n' 0 $p; done | git update-index --index-info; };" \
        "one=evidence/0/00000001-start.dsse.json; two=evidence/0/00000002-stop.dsse.json;" \
        "for c in $(git rev-list --reverse $BRANCH); do" \
        "  git read-tree $c; edit; tree=$(git write-tree);" \
        "  parent=$(git log -1 --format=%B $c | git -c gpg.format=ssh -c user.signingkey=$PWD/../id_ed25519" \
        "    commit-tree $SIGN ${parent:+-p $parent} $tree); done; git update-ref refs/heads/forged $parent"

static void rewrite(struct ledger_rig *rig, const char *edit) {
        own_buffer struct buffer script = BUFFER_INIT;

        buffer_printf(&script, "SIGN=${SIGN--S}\n%s\n%s\n", edit, REWRITE);
        rig_sh(rig, buffer_str(&script));
}

/* genesis, start, stop, drift of shop: one a commit. */
static void make(struct ledger_rig *rig) {
        rig_open(rig);
        rig_append(rig, RECORD_START, NULL, 0);
        rig_append(rig, RECORD_STOP, NULL, 0);
        rig_append(rig, RECORD_DRIFT, "shop", 0);
        (void)rig_verify(rig);
}

static void assert_found(struct ledger_rig *rig, const char *message) {
        own_fault struct fault f = FAULT_INIT;
        struct ledger_verified verified;
        struct object_id forged;

        rig_fine(mirror_ref(ledger_mirror(rig->ledger), "refs/heads/forged", &forged, &f), &f);
        assert_true(rig_try_verify(rig, &forged, &verified, &f) < 0);
        assert_int_equal(f.kind, FAULT_DENIED);
        assert_ptr_equal(f.code, REASON_LEDGER_INVALID);
        if (!strstr(f.message, message))
                fail_msg("'%s' does not say '%s'", f.message, message);
}

static void test_a_history_written_again_as_it_was_is_the_same(void **state) {
        struct ledger_rig *rig = *state;
        own_fault struct fault f = FAULT_INIT;
        struct ledger_verified verified;
        struct object_id forged;

        make(rig);
        rewrite(rig, "edit() { :; }");
        rig_fine(mirror_ref(ledger_mirror(rig->ledger), "refs/heads/forged", &forged, &f), &f);
        rig_fine(rig_try_verify(rig, &forged, &verified, &f), &f);
        assert_int_equal(verified.n_records, 4);
}

static void test_an_edited_record_is_found(void **state) {
        struct ledger_rig *rig = *state;

        make(rig);
        /* One character of the payload. */
        rewrite(rig,
                "edit() { b=$(blob $one); test -z \"$b\" || put $one $(git cat-file blob $b | sed 's/\"payload\":\"e/\"payload\":\"f/'"
                " | git hash-object -w --stdin); }");
        assert_found(rig, "no signature of the envelope is by the key");
}

static void test_an_edited_signature_is_found(void **state) {
        struct ledger_rig *rig = *state;

        make(rig);
        rewrite(rig,
                "edit() { b=$(blob $one); test -z \"$b\" || put $one $(git cat-file blob $b | sed 's/\"sig\":\"..../\"sig\":\"AAAA/'"
                " | git hash-object -w --stdin); }");
        assert_found(rig, "no signature of the envelope is by the key");
}

static void test_a_removed_record_is_found(void **state) {
        struct ledger_rig *rig = *state;

        make(rig);
        rewrite(rig, "edit() { del $one; }");
        assert_found(rig, "trailers");
        rewrite(rig, "edit() { del $one $two; }");
        assert_found(rig, "trailers");
}

static void test_a_file_that_a_record_is_about_is_missed(void **state) {
        struct ledger_rig *rig = *state;

        make(rig);
        rewrite(rig, "edit() { del $(git ls-tree -r --name-only $c artifacts); }");
        assert_found(rig, "which is not there");
}

/* Without the commit that held it, so that commits and trailers fit. */
static void test_a_record_left_out_with_its_commit_is_found(void **state) {
        struct ledger_rig *rig = *state;

        make(rig);
        rewrite(rig,
                "git() { if test \"$1\" = rev-list; then command git \"$@\" | sed 2d; else command git \"$@\"; fi; };"
                "edit() { del $one; }");
        assert_found(rig, "but 1 must follow");
}

static void test_reordered_records_are_found(void **state) {
        struct ledger_rig *rig = *state;

        make(rig);
        rewrite(rig, "edit() { a=$(command git rev-parse $BRANCH:$one); b=$(command git rev-parse $BRANCH:$two);"
                     "test -z \"$(blob $one)\" || put $one $b; test -z \"$(blob $two)\" || put $two $a; }");
        assert_found(rig, "is record 2, but 1 must follow");
}

static void test_a_ledger_that_was_cut_off_is_found(void **state) {
        struct ledger_rig *rig = *state;

        make(rig);
        rig_sh(rig, "git -C state/ledger.git update-ref refs/heads/forged $BRANCH~1");
        assert_found(rig, "something was cut off");
}

static void test_another_end_than_the_one_remembered_is_found(void **state) {
        struct ledger_rig *rig = *state;
        const struct ledger_expected *expected;
        own_fault struct fault f = FAULT_INIT;
        struct ledger_verified verified;
        struct ledger_head other;

        make(rig);
        other = *ledger_head(rig->ledger);
        other.record = digest_of("x", 1);
        expected = &(struct ledger_expected){ &rig->key.key, "web1", &other };
        assert_true(ledger_verify(ledger_mirror(rig->ledger), &other.commit, expected, &verified, &f) < 0);
        assert_non_null(strstr(f.message, "not the one that was made here"));
}

static void test_unsigned_commits_are_found(void **state) {
        struct ledger_rig *rig = *state;

        make(rig);
        rewrite(rig, "SIGN=; edit() { :; }");
        assert_found(rig, "no signature");
}

static void test_commits_of_another_key_are_found(void **state) {
        struct ledger_rig *rig = *state;

        make(rig);
        rig_sh(rig, "ssh-keygen -q -t ed25519 -N '' -C x -f thief");
        rig_sh(rig,
               "cd state/ledger.git; git update-ref refs/heads/forged $(git -c gpg.format=ssh -c user.signingkey=$PWD/../../thief"
               " commit-tree -S -m x -p $BRANCH $BRANCH^{tree})");
        assert_found(rig, "another key signs");
}

static void test_a_ledger_of_another_key_or_host_is_not_this_hosts(void **state) {
        struct ledger_rig *rig = *state;
        own_sshkey struct sshkey_private other = { 0 };
        own_fault struct fault f = FAULT_INIT, g = FAULT_INIT;
        struct ledger_verified verified;
        struct ledger_expected expected = { .host = "web1" };

        make(rig);
        rig_fine(sshkey_generate("x", &other, &f), &f);
        expected.key = &other.key;
        assert_true(ledger_verify(ledger_mirror(rig->ledger), &ledger_head(rig->ledger)->commit, &expected, &verified,
                                  &f) < 0);
        assert_non_null(strstr(f.message, "not by the host's key"));
        expected = (struct ledger_expected){ .host = "web2" };
        assert_true(ledger_verify(ledger_mirror(rig->ledger), &ledger_head(rig->ledger)->commit, &expected, &verified,
                                  &g) < 0);
        assert_non_null(strstr(g.message, "another host"));
}

/* What a later commit does to what is there already. */
static void test_files_that_change_go_or_do_not_belong_are_found(void **state) {
        static const struct {
                const char *edit;
                const char *message;
        } attacks[] = {
                { "put $one $(echo x | git hash-object -w --stdin)", "was changed" },
                { "del $one", "was removed" },
                { "del $(git ls-tree -r --name-only $BRANCH artifacts)", "artifacts was removed" },
                { "put artifacts/0 $(echo x | git hash-object -w --stdin)", "content of its name" },
                { "put worlds/0.json $(echo x | git hash-object -w --stdin)", "content of its name" },
                { "put README $(echo x | git hash-object -w --stdin)", "does not belong" },
                { "put evidence/0/x $(echo x | git hash-object -w --stdin)", "no name of a record" },
                { "put evidence/x $(echo x | git hash-object -w --stdin)", "not a folder" },
                { "put evidence/0/00000004-stop.dsse.json $(git rev-parse $BRANCH:$two)",
                  "record 2, but 4 must follow" },
                { "git update-index --cacheinfo 100755,$(blob $one),$one", "not a plain file" },
                { "put sticker.json/x $(echo x | git hash-object -w --stdin)", "does not belong" },
        };
        struct ledger_rig *rig = *state;

        make(rig);
        for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
                own_buffer struct buffer script = BUFFER_INIT;

                buffer_printf(&script,
                              "edit() { test $c != last || { %s; }; };"
                              "git() { if test \"$1 $2\" = 'rev-list --reverse'; then command git \"$@\"; echo last; "
                              "elif test \"$1 $2\" = 'read-tree last'; then command git read-tree $BRANCH; "
                              "elif test \"$1 $4\" = 'log last'; then echo x; else command git \"$@\"; fi; }",
                              attacks[i].edit);
                rewrite(rig, buffer_str(&script));
                assert_found(rig, attacks[i].message);
        }
}

static void test_a_merge_is_found(void **state) {
        struct ledger_rig *rig = *state;

        make(rig);
        rig_sh(rig,
               "cd state/ledger.git; git update-ref refs/heads/forged $(git -c gpg.format=ssh -c user.signingkey=$PWD/../id_ed25519"
               " commit-tree -S -m x -p $BRANCH -p $BRANCH~2 $BRANCH^{tree})");
        assert_found(rig, "more than one parent");
}

static void test_an_object_that_is_gone_is_found(void **state) {
        struct ledger_rig *rig = *state;
        own_fault struct fault f = FAULT_INIT;
        struct ledger_verified verified;

        make(rig);
        rig_sh(rig, "cd state/ledger.git; b=$(git rev-parse $BRANCH:evidence/0/00000001-start.dsse.json);"
                    "rm -f objects/$(echo $b | cut -c1-2)/$(echo $b | cut -c3-)");
        assert_true(rig_try_verify(rig, &ledger_head(rig->ledger)->commit, &verified, &f) < 0);
        assert_ptr_equal(f.code, REASON_TRUST_MISSING_OBJECT);
}

static const struct CMUnitTest tests[] = {
        ledger_test(test_a_history_written_again_as_it_was_is_the_same),
        ledger_test(test_an_edited_record_is_found),
        ledger_test(test_an_edited_signature_is_found),
        ledger_test(test_a_removed_record_is_found),
        ledger_test(test_a_file_that_a_record_is_about_is_missed),
        ledger_test(test_a_record_left_out_with_its_commit_is_found),
        ledger_test(test_reordered_records_are_found),
        ledger_test(test_a_ledger_that_was_cut_off_is_found),
        ledger_test(test_another_end_than_the_one_remembered_is_found),
        ledger_test(test_unsigned_commits_are_found),
        ledger_test(test_commits_of_another_key_are_found),
        ledger_test(test_a_ledger_of_another_key_or_host_is_not_this_hosts),
        ledger_test(test_files_that_change_go_or_do_not_belong_are_found),
        ledger_test(test_a_merge_is_found),
        ledger_test(test_an_object_that_is_gone_is_found),
};

TEST_GROUP(ledger_verify, tests);
