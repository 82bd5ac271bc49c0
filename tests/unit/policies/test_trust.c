/* SPDX-License-Identifier: Apache-2.0 */

#include "tests/lib/group.h"
#include "tests/unit/policies/trust_rig.h"

/*
 * The first commit
 */

static void the_pinned_root_judges_the_first_tip_alone(void **state) {
        struct object_id unsigned_parent = COMMIT("import", alice_bob);
        struct object_id tip = COMMIT("first", alice_bob, NULL, { &unsigned_parent }, ALICE);
        struct trust_result result = accepts(NULL, &tip);

        assert_int_equal(result.n_commits, 1);
        assert_int_equal(result.n_verified, 1);
        assert_string_equal(result.principal, "alice@example.org");
        assert_string_equal(result.fingerprint, "SHA256:fe85JkIjo8VPe+XqXJGH5Mau1EMFdK1OdKvJUFicyA8");
        assert_int_equal(result.algorithm, SSHKEY_ED25519);
        assert_int_equal(result.signed_at_ms, NOW_MS - 3600000);
        assert_true(digest_is_set(&result.trust));
        assert_false(digest_equal(&result.trust, &result.judged_by));
}

static void a_first_tip_cannot_name_its_own_signer(void **state) {
        struct object_id tip = COMMIT("first", alice_bob, .seed = BOB);

        refuses(NULL, &tip, REASON_TRUST_UNKNOWN_SIGNER, "\"first\"");
}

static void a_malformed_root_is_this_hosts_mistake(void **state) {
        struct object_id tip = COMMIT("first", only_alice, .seed = ALICE);
        struct trust_request request = request_of(NULL, &tip);
        own_fault struct fault fault = FAULT_INIT;
        struct trust_result result;

        request.root = "nonsense\n";
        request.root_size = 9;
        assert_fault(trust_verify(&request, &result, &fault), &fault, REASON_TRUST_SIGNERS_INVALID);
        assert_int_equal(fault.kind, FAULT_CONFIG);
        assert_string_equal(fault.path, "/etc/tally/allowed_signers");
}

static void the_accepted_tip_is_fine_and_reads_no_history(void **state) {
        struct object_id parent = COMMIT("parent", only_alice, .seed = ALICE);
        struct object_id tip = COMMIT("tip", alice_bob, NULL, { &parent }, ALICE);
        struct trust_result first = accepts(NULL, &tip), again;

        repo.n_reads = 0;
        again = accepts(&tip, &tip);
        assert_int_equal(again.n_commits, 0);
        assert_true(digest_equal(&first.trust, &again.trust));
        assert_true(object_id_equal(&first.tree, &again.tree));
        assert_true(repo.n_reads <= 4);
}

/*
 * A line of commits
 */

static void every_commit_of_the_range_is_verified(void **state) {
        struct object_id a = COMMIT("a", alice_bob, .seed = ALICE);
        struct object_id b = COMMIT("b", alice_bob, NULL, { &a }, BOB);
        struct object_id c = COMMIT("c", alice_bob, NULL, { &b }, ALICE);
        struct object_id bad = COMMIT("bad", alice_bob, NULL, { &a }, MALLORY);
        struct object_id hides = COMMIT("hides it", alice_bob, NULL, { &bad }, ALICE);

        assert_int_equal(accepts(&a, &c).n_verified, 2);
        assert_string_equal(accepts(&a, &b).principal, "bob@example.org");
        refuses(&a, &hides, REASON_TRUST_UNKNOWN_SIGNER, "\"bad\"");
}

static void unsigned_commits_are_refused(void **state) {
        struct object_id a = COMMIT("a", only_alice, .seed = ALICE);
        struct object_id b = COMMIT("b", only_alice, NULL, { &a }, 0);

        refuses(&a, &b, REASON_TRUST_UNSIGNED, "\"b\"");
}

static void a_signature_in_the_message_does_not_count(void **state) {
        struct object_id a = COMMIT("a", only_alice, .seed = ALICE);
        struct object_id good = COMMIT("good", only_alice, NULL, { &a }, ALICE);
        const struct stored *s = repository_slot(&repo, &good);
        const char *gpgsig = strstr(s->bytes, "gpgsig "), *end = strstr(gpgsig, "\n\n");
        own_buffer struct buffer tail = BUFFER_INIT;
        struct object_id evil;

        buffer_append(&tail, gpgsig, (size_t)(end - gpgsig) + 1);
        evil = COMMIT("evil", only_alice, NULL, { &a }, .message_tail = tail.data);
        refuses(&a, &evil, REASON_TRUST_UNSIGNED, "\"evil\"");
}

/* The object of @good with @from replaced by @to of the same length. */
static struct object_id forged(const struct object_id *good, const char *from, const char *to) {
        const struct stored *s = repository_slot(&repo, good);
        own_free char *copy = malloc(s->size);
        char *at;

        memcpy(copy, s->bytes, s->size);
        at = memmem(copy, s->size, from, strlen(from));
        assert_non_null(at);
        memcpy(at, to, strlen(from));
        return repository_put(&repo, OBJECT_COMMIT, copy, s->size);
}

static void forged_commits_are_refused(void **state) {
        struct object_id a = COMMIT("a", only_alice, .seed = ALICE);
        struct object_id good = COMMIT("good", only_alice, NULL, { &a }, ALICE);
        struct object_id text = forged(&good, "good", "evil"), author = forged(&good, "author A", "author B");
        struct object_id cut = forged(&good, "good", "go\0d"), name = forged(&good, "gpgsig ", "gpgsigx");

        refuses(&a, &text, REASON_TRUST_BAD_SIGNATURE, "\"evil\"");
        refuses(&a, &author, REASON_TRUST_BAD_SIGNATURE, "\"good\"");
        refuses(&a, &cut, REASON_TRUST_BAD_OBJECT, "commit ");
        refuses(&a, &name, REASON_TRUST_BAD_OBJECT, "commit ");
}

static void other_namespaces_are_refused(void **state) {
        own_buffer struct buffer files = BUFFER_INIT;
        struct object_id a = COMMIT("a", only_alice, .seed = ALICE), b, c;
        struct object_id file = COMMIT("file", only_alice, NULL, { &a }, ALICE, .namespace = "file");

        put_signer(&files, "alice", ALICE, "");
        put_signer(&files, "bob", BOB, "namespaces=\"cd-approval@example.org\" ");
        b = COMMIT("b", files.data, NULL, { &a }, ALICE);
        c = COMMIT("c", files.data, NULL, { &b }, BOB);
        refuses(&a, &file, REASON_TRUST_NAMESPACE, "\"file\"");
        refuses(&b, &c, REASON_TRUST_NAMESPACE, "\"c\"");
}

static void a_commit_never_names_its_own_signer(void **state) {
        struct object_id a = COMMIT("a", only_alice, .seed = ALICE);
        struct object_id own = COMMIT("own", alice_bob, NULL, { &a }, BOB);
        struct object_id add = COMMIT("add", alice_bob, NULL, { &a }, ALICE);
        struct object_id use = COMMIT("use", alice_bob, NULL, { &add }, BOB);

        refuses(&a, &own, REASON_TRUST_UNKNOWN_SIGNER, "\"own\"");
        assert_int_equal(accepts(&a, &use).n_verified, 2);
}

static void removed_keys_are_called_revoked(void **state) {
        struct object_id a = COMMIT("a", alice_bob, .seed = ALICE);
        struct object_id drop = COMMIT("drop", only_alice, NULL, { &a }, ALICE);
        struct object_id use = COMMIT("use", only_alice, NULL, { &drop }, BOB);
        struct object_id add = COMMIT("add", alice_bob, NULL, { &drop }, ALICE);
        struct object_id drop2 = COMMIT("drop again", only_alice, NULL, { &add }, ALICE);
        struct object_id use2 = COMMIT("use again", only_alice, NULL, { &drop2 }, BOB);
        struct object_id leave = COMMIT("bob leaves", only_alice, NULL, { &a }, BOB);

        refuses(&a, &use, REASON_TRUST_REVOKED, "\"use\"");
        refuses(&drop, &use2, REASON_TRUST_REVOKED, "\"use again\"");
        refuses(&drop, &use, REASON_TRUST_REVOKED, "\"use\"");
        (void)accepts(&a, &leave); /* the last signature of a key may be the one that removes it */
}

/*
 * Rewinds
 */

static void rewinds_are_refused(void **state) {
        struct object_id a = COMMIT("a", only_alice, .seed = ALICE);
        struct object_id b = COMMIT("b", only_alice, NULL, { &a }, ALICE);
        struct object_id c = COMMIT("c", only_alice, NULL, { &b }, ALICE);
        struct object_id fork = COMMIT("fork", only_alice, NULL, { &b }, ALICE);
        struct object_id alone = COMMIT("alone", only_alice, .seed = ALICE);

        refuses(&c, &b, REASON_TRUST_REWIND, "behind");
        refuses(&c, &a, REASON_TRUST_REWIND, "behind");
        refuses(&c, &fork, REASON_TRUST_REWIND, "does not descend");
        refuses(&c, &alone, REASON_TRUST_REWIND, "does not descend");
}

/* Dates that run backwards, or are all the same, change nothing. */
static void dates_decide_nothing_about_ancestry(void **state) {
        static const int64_t steps[] = { 0, -1000, 1000 };

        for (size_t i = 0; i < ELEMENTS(steps); i++) {
                int64_t t = 1700000000, step = steps[i];
                struct object_id r = COMMIT("r", only_alice, .seed = ALICE, .time_s = t);
                struct object_id old = COMMIT("old", only_alice, NULL, { &r }, 0, .time_s = t + 9 * step);
                struct object_id a = COMMIT("a", only_alice, NULL, { &r, &old }, ALICE, .time_s = t + step);
                struct object_id side = COMMIT("side", only_alice, NULL, { &old }, ALICE, .time_s = t + 8 * step);
                struct object_id b = COMMIT("b", only_alice, NULL, { &a }, ALICE, .time_s = t + 2 * step);
                struct object_id m = COMMIT("m", only_alice, NULL, { &b, &side }, ALICE, .time_s = t + 3 * step);

                assert_int_equal(accepts(&a, &m).n_commits, 3);
                refuses(&m, &a, REASON_TRUST_REWIND, "behind");
                refuses(&a, &side, REASON_TRUST_REWIND, "does not descend");
        }
}

/*
 * Times
 */

static void a_back_dated_commit_does_not_help_an_expired_key(void **state) {
        own_buffer struct buffer file = BUFFER_INIT;
        struct object_id a = with_bob_until("valid-before=\"20250101Z\" ", &file);
        struct object_id b = COMMIT("b", file.data, NULL, { &a }, BOB, .time_s = 1700000000);

        refuses(&a, &b, REASON_TRUST_EXPIRED, "\"b\"");
}

static void a_key_is_not_valid_before_its_time_either(void **state) {
        own_buffer struct buffer file = BUFFER_INIT;
        struct object_id a = with_bob_until("valid-after=\"20260101Z\" ", &file);
        struct object_id early = COMMIT("early", file.data, NULL, { &a }, BOB, .time_s = 1700000000);
        struct object_id b = COMMIT("b", file.data, NULL, { &a }, BOB);

        refuses(&a, &early, REASON_TRUST_EXPIRED, "\"early\"");
        (void)accepts(&a, &b);
}

static void the_future_is_refused_beyond_the_skew(void **state) {
        struct object_id a = COMMIT("a", only_alice, .seed = ALICE);
        struct object_id near = COMMIT("near", only_alice, NULL, { &a }, ALICE, .time_s = NOW_MS / 1000 + 300);
        struct object_id far = COMMIT("far", only_alice, NULL, { &a }, ALICE, .time_s = NOW_MS / 1000 + 301);
        struct trust_request request = request_of(&a, &near);
        struct trust_result result;

        (void)accepts(&a, &near);
        refuses(&a, &far, REASON_TRUST_FUTURE, "\"far\"");
        request.options.skew_ms = 1000;
        assert_refused(trust_verify(&request, &result, &fault), REASON_TRUST_FUTURE);
}

/*
 * The file that each commit brings
 */

static void every_commit_brings_a_file_that_lets_somebody_sign(void **state) {
        struct object_id a = COMMIT("a", only_alice, .seed = ALICE), tree, blob, root;
        own_buffer struct buffer text = BUFFER_INIT, raw = BUFFER_INIT;
        struct object_id b;

        b = COMMIT("b", "# nobody\n", NULL, { &a }, ALICE);
        refuses(&a, &b, REASON_TRUST_SIGNERS_INVALID, "\"b\"");
        put_signer(&text, "alice", ALICE, "namespaces=\"file\" ");
        b = COMMIT("b", text.data, NULL, { &a }, ALICE);
        refuses(&a, &b, REASON_TRUST_SIGNERS_INVALID, "\"b\"");
        tree = repository_tree_mode(&repo, "120000", only_alice, 0);
        b = COMMIT("b", .tree = &tree, .parents = { &a }, .seed = ALICE);
        refuses(&a, &b, REASON_TRUST_SIGNERS_INVALID, "not a regular file");
        tree = repository_tree_mode(&repo, "100755", only_alice, 0);
        b = COMMIT("b", .tree = &tree, .parents = { &a }, .seed = ALICE);
        (void)accepts(&a, &b);

        blob = repository_put(&repo, OBJECT_BLOB, "x", 1);
        put_tree_entry(&raw, "100644 trust", &blob);
        root = repository_put(&repo, OBJECT_TREE, raw.data, raw.size);
        b = COMMIT("b", .tree = &root, .parents = { &a }, .seed = ALICE);
        refuses(&a, &b, REASON_TRUST_SIGNERS_INVALID, "not a folder");
        root = repository_put(&repo, OBJECT_TREE, "", 0);
        b = COMMIT("b", .tree = &root, .parents = { &a }, .seed = ALICE);
        refuses(&a, &b, REASON_TRUST_SIGNERS_INVALID, "missing");
}

static void a_malformed_file_is_refused_at_its_place_even_when_repaired_later(void **state) {
        own_buffer struct buffer text = BUFFER_INIT;
        own_fault struct fault fault = FAULT_INIT;
        struct object_id a = COMMIT("a", only_alice, .seed = ALICE), b, c;
        struct trust_result result;

        put_signer(&text, "alice", ALICE, "");
        put_signer(&text, "bob", BOB, "namespace=\"git\" ");
        b = COMMIT("b", text.data, NULL, { &a }, ALICE);
        c = COMMIT("c", only_alice, NULL, { &b }, ALICE);
        assert_fault(verify(&a, &c, &result, &fault), &fault, REASON_TRUST_SIGNERS_INVALID);
        assert_int_equal(fault.kind, FAULT_DENIED);
        assert_string_equal(fault.path, "trust/allowed_signers");
        assert_int_equal(fault.line, 2);
        assert_int_equal(fault.column, 17);
        assert_non_null(strstr(fault.message, "\"b\""));
}

static void malformed_trees_are_refused(void **state) {
        struct object_id a = COMMIT("a", only_alice, .seed = ALICE), root, b;
        own_buffer struct buffer raw = BUFFER_INIT;
        struct object_entry trust;
        const struct stored *s;

        root = repository_tree(&repo, only_alice, 0);
        s = repository_slot(&repo, &root);
        assert_fine(object_tree_find(s->bytes, s->size, "trust", &trust, &fault));
        put_tree_entry(&raw, "40000 .git", &trust.id);
        put_tree_entry(&raw, "40000 trust", &trust.id);
        root = repository_put(&repo, OBJECT_TREE, raw.data, raw.size);
        b = COMMIT("b", .tree = &root, .parents = { &a }, .seed = ALICE);
        refuses(&a, &b, REASON_TRUST_BAD_OBJECT, "\"b\"");
}

static void missing_objects_are_named(void **state) {
        struct object_id a = COMMIT("a", only_alice, .seed = ALICE);
        struct object_id tree = repository_tree(&repo, alice_bob, 7);
        struct object_id b = COMMIT("b", .tree = &tree, .parents = { &a }, .seed = ALICE);
        struct object_id c = COMMIT("c", only_alice, NULL, { &b }, ALICE);

        repository_forget(&repo, &tree);
        refuses(&a, &c, REASON_TRUST_MISSING_OBJECT, "\"b\"");
        repository_forget(&repo, &b);
        refuses(&a, &c, REASON_TRUST_MISSING_OBJECT, "cannot be read");
        refuses(&a, &b, REASON_TRUST_MISSING_OBJECT, "cannot be read");
}

/*
 * Security keys
 */

static void touch_is_asked_for_when_it_is_required(void **state) {
        own_buffer struct buffer file = BUFFER_INIT;
        struct sshkey_private sk = sk_key_of_seed(CAROL);
        struct object_id a, touched, untouched;
        struct trust_request request;
        struct trust_result result;

        put_signer(&file, "alice", ALICE, "");
        buffer_puts(&file, "carol@example.org ");
        sshkey_put_line(&sk.key, NULL, &file);
        a = COMMIT("a", file.data, .seed = ALICE);
        touched = COMMIT("touched", file.data, NULL, { &a }, CAROL, .sk = true, .sk_flags = SSHSIG_USER_PRESENT);
        untouched = COMMIT("untouched", file.data, NULL, { &a }, CAROL, .sk = true, .sk_flags = 0);

        result = accepts(&a, &untouched);
        assert_int_equal(result.algorithm, SSHKEY_SK_ED25519);
        assert_int_equal(result.sk_flags, 0);
        request = request_of(&a, &untouched);
        request.options.require_touch = true;
        assert_refused(trust_verify(&request, &result, &fault), REASON_TRUST_TOUCH);
        request.tip = touched;
        assert_fine(trust_verify(&request, &result, &fault));
        assert_int_equal(result.sk_flags, SSHSIG_USER_PRESENT);
}

static const struct CMUnitTest tests[] = {
        test(the_pinned_root_judges_the_first_tip_alone),
        test(a_first_tip_cannot_name_its_own_signer),
        test(a_malformed_root_is_this_hosts_mistake),
        test(the_accepted_tip_is_fine_and_reads_no_history),
        test(every_commit_of_the_range_is_verified),
        test(unsigned_commits_are_refused),
        test(a_signature_in_the_message_does_not_count),
        test(forged_commits_are_refused),
        test(other_namespaces_are_refused),
        test(a_commit_never_names_its_own_signer),
        test(removed_keys_are_called_revoked),
        test(rewinds_are_refused),
        test(dates_decide_nothing_about_ancestry),
        test(a_back_dated_commit_does_not_help_an_expired_key),
        test(a_key_is_not_valid_before_its_time_either),
        test(the_future_is_refused_beyond_the_skew),
        test(every_commit_brings_a_file_that_lets_somebody_sign),
        test(a_malformed_file_is_refused_at_its_place_even_when_repaired_later),
        test(malformed_trees_are_refused),
        test(missing_objects_are_named),
        test(touch_is_asked_for_when_it_is_required),
};

TEST_GROUP(trust, tests);
