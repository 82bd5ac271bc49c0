/* SPDX-License-Identifier: Apache-2.0 */

#include "tests/unit/policies/repository.h"

#include <errno.h>
#include <time.h>

#include "policies/trust.h"
#include "shared/base/reason.h"

#define ALICE 1
#define BOB   2
#define CAROL 3
#define MALLORY 9

static struct repository repo;

/* Files by who stands in them. */
static char only_alice[256], alice_bob[512], only_bob[256], alice_carol[512], alice_bob_carol[768];

static void put_signer(struct buffer *out, const char *name, unsigned char seed, const char *options) {
        struct sshkey_private k = key_of_seed(seed);

        buffer_printf(out, "%s@example.org %s", name, options);
        sshkey_put_line(&k.key, NULL, out);
        buffer_putc(out, '\n');
}

static void make_file(char *out, size_t room, const unsigned char *seeds) {
        static const char *const names[] = { "", "alice", "bob", "carol" };
        own_buffer struct buffer text = BUFFER_INIT;

        for (; *seeds; seeds++)
                put_signer(&text, names[*seeds], *seeds, "namespaces=\"git\" ");
        assert_true(text.size < room);
        memcpy(out, buffer_str(&text), text.size + 1);
}

static int make_repository(void **state) {
        repository_init(&repo);
        make_file(only_alice, sizeof(only_alice), (const unsigned char[]){ ALICE, 0 });
        make_file(only_bob, sizeof(only_bob), (const unsigned char[]){ BOB, 0 });
        make_file(alice_bob, sizeof(alice_bob), (const unsigned char[]){ ALICE, BOB, 0 });
        make_file(alice_carol, sizeof(alice_carol), (const unsigned char[]){ ALICE, CAROL, 0 });
        make_file(alice_bob_carol, sizeof(alice_bob_carol), (const unsigned char[]){ ALICE, BOB, CAROL, 0 });
        return 0;
}

static int drop_repository(void **state) {
        repository_done(&repo);
        return 0;
}

#define COMMIT(...) repository_commit(&repo, &(struct commit_spec){ __VA_ARGS__ })

static struct trust_request request_of(const struct object_id *accepted, const struct object_id *tip) {
        return (struct trust_request){
                .reader = &repo.reader, .accepted = accepted, .tip = *tip, .root_name = "/etc/tally/allowed_signers",
                .root = only_alice, .root_size = strlen(only_alice), .now_ms = NOW_MS,
        };
}

static int verify(const struct object_id *accepted, const struct object_id *tip, struct trust_result *ret, struct fault *reterr) {
        struct trust_request request = request_of(accepted, tip);

        return trust_verify(&request, ret, reterr);
}

static struct trust_result accepts(const struct object_id *accepted, const struct object_id *tip) {
        struct trust_result result = { .n_commits = 999 };

        assert_fine(verify(accepted, tip, &result, &fault));
        assert_true(object_id_equal(&result.accepted, tip));
        return result;
}

/* Refused with this code; the message names the commit by its subject, when one is given. */
static void refuses(const struct object_id *accepted, const struct object_id *tip, const char *code, const char *subject) {
        own_fault struct fault fault = FAULT_INIT;
        struct trust_result result = { .n_commits = 999 };

        assert_fault(verify(accepted, tip, &result, &fault), &fault, code);
        assert_int_equal(fault.kind, FAULT_DENIED);
        assert_int_equal(result.n_commits, 999);
        if (subject && !strstr(fault.message, subject))
                fail_msg("expected '%s' to be named: %s", subject, fault.message);
}

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
 * Merges
 */

static void a_merge_brings_in_signed_commits(void **state) {
        struct object_id a = COMMIT("a", alice_bob, .seed = ALICE);
        struct object_id b = COMMIT("b", alice_bob, NULL, { &a }, ALICE);
        struct object_id s1 = COMMIT("s1", alice_bob, NULL, { &a }, BOB);
        struct object_id s2 = COMMIT("s2", alice_bob, NULL, { &s1 }, BOB);
        struct object_id m = COMMIT("m", alice_bob, NULL, { &b, &s2 }, ALICE);
        struct object_id bad = COMMIT("bad", alice_bob, NULL, { &s1 }, 0);
        struct object_id hides = COMMIT("hides", alice_bob, NULL, { &b, &bad }, ALICE);

        assert_int_equal(accepts(&a, &m).n_verified, 4);
        refuses(&a, &hides, REASON_TRUST_UNSIGNED, "\"bad\"");
}

static void a_branch_from_before_the_accepted_commit_may_be_merged(void **state) {
        struct object_id import = COMMIT("import", only_bob);
        struct object_id old = COMMIT("old", alice_bob, NULL, { &import }, ALICE);
        struct object_id a = COMMIT("a", alice_bob, NULL, { &old }, ALICE);
        struct object_id side = COMMIT("side", alice_bob, NULL, { &old }, BOB);
        struct object_id m = COMMIT("m", alice_bob, NULL, { &a, &side }, ALICE);
        struct object_id plain = COMMIT("plain", alice_bob, NULL, { &import }, 0);
        struct object_id bad = COMMIT("bad", alice_bob, NULL, { &a, &plain }, ALICE);

        assert_int_equal(accepts(&a, &m).n_commits, 2);
        refuses(&a, &bad, REASON_TRUST_UNSIGNED, "\"plain\"");
}

static void merging_what_is_old_already_brings_in_nothing(void **state) {
        struct object_id r = COMMIT("r", only_alice, .seed = 0);
        struct object_id old = COMMIT("old", only_alice, NULL, { &r }, 0);
        struct object_id a = COMMIT("a", only_alice, NULL, { &old }, ALICE);
        struct object_id m = COMMIT("m", only_alice, NULL, { &a, &r }, ALICE);

        assert_int_equal(accepts(&a, &m).n_commits, 1);
}

/* Somebody merged the main branch into theirs and pushed that: the first parent is not where the branch was. */
static void foxtrot_merges_follow_what_descends_from_the_accepted_commit(void **state) {
        struct object_id r = COMMIT("r", alice_bob, .seed = ALICE);
        struct object_id a = COMMIT("a", alice_bob, NULL, { &r }, ALICE);
        struct object_id b = COMMIT("b", alice_bob, NULL, { &a }, ALICE);
        struct object_id side = COMMIT("side", alice_bob, NULL, { &r }, BOB);
        struct object_id fox = COMMIT("fox", alice_bob, NULL, { &side, &b }, BOB);
        struct object_id plain = COMMIT("plain", alice_bob, NULL, { &r }, 0);
        struct object_id bad = COMMIT("bad", alice_bob, NULL, { &plain, &b }, BOB);

        assert_int_equal(accepts(&a, &fox).n_verified, 3);
        refuses(&a, &bad, REASON_TRUST_UNSIGNED, "\"plain\"");
}

/* On a foxtrot merge the mainline is the accepted commit's side, so its file judges, not the branch's. */
static void foxtrot_merges_do_not_bring_their_own_trust(void **state) {
        struct object_id r = COMMIT("r", alice_bob, .seed = ALICE);
        struct object_id a = COMMIT("a", only_alice, NULL, { &r }, ALICE);
        struct object_id side = COMMIT("side", alice_bob, NULL, { &r }, ALICE);
        struct object_id fox = COMMIT("fox", only_alice, NULL, { &side, &a }, BOB);

        refuses(&a, &fox, REASON_TRUST_REVOKED, "\"fox\"");
}

static void octopus_merges_bring_in_all_their_arms(void **state) {
        struct object_id a = COMMIT("a", alice_bob, .seed = ALICE);
        struct object_id x = COMMIT("x", alice_bob, NULL, { &a }, BOB), y = COMMIT("y", alice_bob, NULL, { &a }, ALICE);
        struct object_id z = COMMIT("z", alice_bob, NULL, { &a }, BOB), bad = COMMIT("bad", alice_bob, NULL, { &a }, MALLORY);
        struct object_id m = COMMIT("m", alice_bob, NULL, { &a, &x, &y, &z }, ALICE);
        struct object_id n = COMMIT("n", alice_bob, NULL, { &a, &x, &y, &bad, &z }, ALICE);

        assert_int_equal(accepts(&a, &m).n_verified, 4);
        refuses(&a, &n, REASON_TRUST_UNKNOWN_SIGNER, "\"bad\"");
}

static void a_key_added_on_a_branch_may_be_used_there(void **state) {
        struct object_id a = COMMIT("a", only_alice, .seed = ALICE);
        struct object_id b = COMMIT("b", only_alice, NULL, { &a }, ALICE);
        struct object_id add = COMMIT("add", alice_bob, NULL, { &a }, ALICE);
        struct object_id use = COMMIT("use", alice_bob, NULL, { &add }, BOB);
        struct object_id m = COMMIT("m", alice_bob, NULL, { &b, &use }, ALICE);
        struct object_id by_bob = COMMIT("by bob", alice_bob, NULL, { &b, &use }, BOB);
        struct object_id own = COMMIT("own", alice_bob, NULL, { &a }, BOB);
        struct object_id n = COMMIT("n", alice_bob, NULL, { &b, &own }, ALICE);

        assert_int_equal(accepts(&a, &m).n_verified, 4);
        refuses(&a, &by_bob, REASON_TRUST_UNKNOWN_SIGNER, "\"by bob\""); /* the mainline does not know bob yet */
        refuses(&a, &n, REASON_TRUST_UNKNOWN_SIGNER, "\"own\"");
}

static void a_key_that_was_removed_long_ago_is_said_to_be_removed(void **state) {
        struct object_id a = COMMIT("a", alice_bob, .seed = ALICE);
        struct object_id drop = COMMIT("drop", only_alice, NULL, { &a }, ALICE);
        struct object_id b = COMMIT("b", only_alice, NULL, { &drop }, ALICE);
        struct object_id by_bob = COMMIT("by bob", only_alice, NULL, { &b }, BOB);
        struct object_id by_mallory = COMMIT("by mallory", only_alice, NULL, { &b }, MALLORY);

        refuses(&b, &by_bob, REASON_TRUST_REVOKED, "\"by bob\"");
        refuses(&b, &by_mallory, REASON_TRUST_UNKNOWN_SIGNER, "\"by mallory\"");
}

static void a_key_revoked_on_a_merged_side_cannot_sign_the_merge(void **state) {
        struct object_id a = COMMIT("a", alice_bob, .seed = ALICE);
        struct object_id b = COMMIT("b", alice_bob, NULL, { &a }, ALICE);
        struct object_id drop = COMMIT("drop", only_alice, NULL, { &a }, ALICE);
        struct object_id by_bob = COMMIT("by bob", alice_bob, NULL, { &b, &drop }, BOB);
        struct object_id by_alice = COMMIT("by alice", only_alice, NULL, { &b, &drop }, ALICE);
        struct object_id after = COMMIT("after", only_alice, NULL, { &by_alice }, BOB);

        refuses(&a, &by_bob, REASON_TRUST_REVOKED, "\"by bob\"");
        (void)accepts(&a, &by_alice);
        refuses(&a, &after, REASON_TRUST_REVOKED, "\"after\"");
        /* Wherever the accepted commit is. */
        refuses(&b, &by_bob, REASON_TRUST_REVOKED, "\"by bob\"");
}

static void a_side_that_never_had_the_key_does_not_stop_it(void **state) {
        struct object_id a = COMMIT("a", only_alice, .seed = ALICE);
        struct object_id add = COMMIT("add", alice_bob, NULL, { &a }, ALICE);
        struct object_id side = COMMIT("side", only_alice, NULL, { &a }, ALICE);
        struct object_id m = COMMIT("m", alice_bob, NULL, { &add, &side }, BOB);

        (void)accepts(&a, &m);
        (void)accepts(&add, &m);
}

/* Bob was revoked on main, then let in again there: a branch from in between has no say. */
static void a_key_let_in_again_may_merge_branches_from_between(void **state) {
        struct object_id a = COMMIT("a", alice_bob, .seed = ALICE);
        struct object_id drop = COMMIT("drop", only_alice, NULL, { &a }, ALICE);
        struct object_id side = COMMIT("side", only_alice, NULL, { &drop }, ALICE);
        struct object_id again = COMMIT("again", alice_bob, NULL, { &drop }, ALICE);
        struct object_id m = COMMIT("m", alice_bob, NULL, { &again, &side }, BOB);

        (void)accepts(&a, &m);
        (void)accepts(&drop, &m);
}

static void a_key_revoked_on_the_mainline_does_not_come_back_through_a_branch(void **state) {
        struct object_id r = COMMIT("r", alice_bob, .seed = ALICE);
        struct object_id a = COMMIT("a", alice_bob, NULL, { &r }, ALICE);
        struct object_id drop = COMMIT("drop", only_alice, NULL, { &a }, ALICE);
        struct object_id direct = COMMIT("direct", alice_bob, NULL, { &r }, BOB);
        struct object_id m1 = COMMIT("m1", only_alice, NULL, { &drop, &direct }, ALICE);
        struct object_id s1 = COMMIT("s1", alice_bob, NULL, { &r }, ALICE);
        struct object_id s2 = COMMIT("s2", alice_bob, NULL, { &s1 }, BOB);
        struct object_id m2 = COMMIT("m2", only_alice, NULL, { &drop, &s2 }, ALICE);

        refuses(&a, &m1, REASON_TRUST_REVOKED, "\"direct\"");
        refuses(&drop, &m1, REASON_TRUST_REVOKED, "\"direct\"");
        refuses(&a, &m2, REASON_TRUST_REVOKED, "\"s2\"");
        refuses(&drop, &m2, REASON_TRUST_REVOKED, "\"s2\"");
}

static void merges_inside_a_branch_are_judged_too(void **state) {
        struct object_id a = COMMIT("a", alice_bob, .seed = ALICE);
        struct object_id b = COMMIT("b", alice_bob, NULL, { &a }, ALICE);
        struct object_id s1 = COMMIT("s1", alice_bob, NULL, { &a }, BOB);
        struct object_id t1 = COMMIT("t1", only_alice, NULL, { &a }, ALICE); /* drops bob */
        struct object_id sm = COMMIT("sm", alice_bob, NULL, { &s1, &t1 }, BOB);
        struct object_id m = COMMIT("m", alice_bob, NULL, { &b, &sm }, ALICE);
        struct object_id update = COMMIT("update", alice_bob, NULL, { &s1, &b }, BOB);
        struct object_id n = COMMIT("n", alice_bob, NULL, { &b, &update }, ALICE);

        refuses(&a, &m, REASON_TRUST_REVOKED, "\"sm\"");
        assert_int_equal(accepts(&a, &n).n_commits, 4);
}

static void criss_cross_merges_are_walked_once(void **state) {
        struct object_id a = COMMIT("a", alice_bob, .seed = ALICE);
        struct object_id x = COMMIT("x0", alice_bob, NULL, { &a }, ALICE), y = COMMIT("y0", alice_bob, NULL, { &a }, BOB);

        for (int i = 0; i < 40; i++) {
                struct object_id x2 = COMMIT("x", alice_bob, NULL, { &x, &y }, ALICE);
                struct object_id y2 = COMMIT("y", alice_bob, NULL, { &y, &x }, BOB);

                x = x2;
                y = y2;
        }
        x = COMMIT("end", alice_bob, NULL, { &x, &y }, ALICE);
        assert_int_equal(accepts(&a, &x).n_commits, 83);
}

/*
 * Times
 */

static struct object_id with_bob_until(const char *options, struct buffer *file) {
        put_signer(file, "alice", ALICE, "");
        put_signer(file, "bob", BOB, options);
        return COMMIT("a", file->data, .seed = ALICE);
}

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

/*
 * Memory, cost and limits
 */

struct memory {
        struct { struct object_id id; struct digest trust; } items[16384];
        size_t n;
        size_t at; /* questions come in the order of the notes */
};

static bool remembers(void *data, const struct object_id *id, const struct digest *trust) {
        struct memory *m = data;

        for (size_t i = 0; i < m->n; i++) {
                size_t k = (m->at + i) % m->n;

                if (object_id_equal(&m->items[k].id, id) && digest_equal(&m->items[k].trust, trust)) {
                        m->at = k + 1;
                        return true;
                }
        }
        return false;
}

static void note(void *data, const struct object_id *id, const struct digest *trust) {
        struct memory *m = data;

        assert_true(m->n < ELEMENTS(m->items));
        m->items[m->n].id = *id;
        m->items[m->n++].trust = *trust;
}

static void what_was_verified_is_not_verified_again(void **state) {
        own_free struct memory *memory = calloc(1, sizeof(*memory));
        struct object_id a = COMMIT("a", alice_bob, .seed = ALICE);
        struct object_id b = COMMIT("b", alice_bob, NULL, { &a }, BOB);
        struct object_id c = COMMIT("c", only_alice, NULL, { &b }, ALICE);
        struct trust_request request = request_of(&a, &c);
        struct trust_result result;

        request.memory = (struct trust_memory){ remembers, note, memory };
        assert_fine(trust_verify(&request, &result, &fault));
        assert_int_equal(result.n_verified, 2);
        assert_fine(trust_verify(&request, &result, &fault));
        assert_int_equal(result.n_commits, 2);
        assert_int_equal(result.n_verified, 0);
        assert_string_equal(result.principal, "alice@example.org");
        request.options.require_touch = true; /* a stricter question is another question */
        assert_fine(trust_verify(&request, &result, &fault));
        assert_int_equal(result.n_verified, 2);
}

/* First seen while the key was valid: it does not expire backwards. */
static void what_was_seen_in_time_stays_accepted(void **state) {
        own_free struct memory *memory = calloc(1, sizeof(*memory));
        own_buffer struct buffer file = BUFFER_INIT;
        struct object_id a = with_bob_until("valid-before=\"20270201Z\" ", &file);
        struct object_id b = COMMIT("b", file.data, NULL, { &a }, BOB);
        struct object_id c = COMMIT("c", file.data, NULL, { &b }, ALICE);
        struct trust_request request = request_of(&a, &b);
        struct trust_result result;

        request.memory = (struct trust_memory){ remembers, note, memory };
        assert_fine(trust_verify(&request, &result, &fault));
        request.tip = c;
        request.now_ms += (int64_t)30 * 86400 * 1000;
        assert_fine(trust_verify(&request, &result, &fault));
        assert_int_equal(result.n_verified, 1);
        request.memory = (struct trust_memory){ 0 };
        assert_refused(trust_verify(&request, &result, &fault), REASON_TRUST_EXPIRED);
}

/* Time of this process alone: the machine may be busy with other tests. */
static int64_t cpu_ns(void) {
        struct timespec t;

        assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t), 0);
        return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void ten_thousand_commits_take_a_second_or_so(void **state) {
        own_free struct memory *memory = calloc(1, sizeof(*memory));
        struct object_id a = COMMIT("a", only_alice, .seed = ALICE), tip = a;
        struct trust_request request;
        struct trust_result result;
        int64_t start, first, second;

        for (unsigned i = 1; i <= 10000; i++) {
                struct object_id tree = repository_tree(&repo, only_alice, i), parent = tip;

                tip = COMMIT("change", .tree = &tree, .parents = { &parent }, .seed = ALICE);
        }
        request = request_of(&a, &tip);
        request.memory = (struct trust_memory){ remembers, note, memory };
        start = cpu_ns();
        assert_fine(trust_verify(&request, &result, &fault));
        first = cpu_ns() - start;
        assert_int_equal(result.n_verified, 10000);
        start = cpu_ns();
        assert_fine(trust_verify(&request, &result, &fault));
        second = cpu_ns() - start;
        assert_int_equal(result.n_verified, 0);
        print_message("10,000 commits: %lld us, again %lld us\n", (long long)first / 1000, (long long)second / 1000);
#if !defined(__SANITIZE_ADDRESS__)
        assert_true(first < 4000000000);
        assert_true(second < first);
#endif
}

/* Commit number n is a commit whose only parent is number n - 1; nothing is stored. */
static int endless_read(void *data, const struct object_id *id, enum object_type type, size_t limit,
                        const void **ret_bytes, size_t *ret_size, struct fault *reterr) {
        struct object_id parent = *id;
        char *raw = data, hex[OBJECT_ID_TEXT_MAX];
        uint32_t n;

        memcpy(&n, id->raw, sizeof(n));
        n--;
        memcpy(parent.raw, &n, sizeof(n));
        *ret_size = (size_t)snprintf(raw, 256, "tree %040d\nparent %s\n\n", 0, object_id_format(&parent, hex));
        *ret_bytes = raw;
        return 0;
}

static void too_many_commits_are_refused_before_they_are_judged(void **state) {
        char raw[256];
        struct object_reader endless = { endless_read, raw };
        struct object_id accepted = { .raw = { 1 } }, tip = accepted;
        struct trust_request request;
        struct trust_result result;
        uint32_t n = LIMIT_RANGE_COMMITS + 2;

        memcpy(tip.raw, &n, sizeof(n));
        request = request_of(&accepted, &tip);
        request.reader = &endless;
        assert_refused(trust_verify(&request, &result, &fault), REASON_TRUST_LIMIT);
        /* Away from the accepted commit there is no end, but a limit. */
        accepted.raw[19] = 1;
        assert_refused(trust_verify(&request, &result, &fault), REASON_TRUST_LIMIT);
}

#define test(name) cmocka_unit_test_setup_teardown(name, make_repository, drop_repository)

int main(void) {
        const struct CMUnitTest tests[] = {
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
                test(a_merge_brings_in_signed_commits),
                test(a_branch_from_before_the_accepted_commit_may_be_merged),
                test(merging_what_is_old_already_brings_in_nothing),
                test(foxtrot_merges_follow_what_descends_from_the_accepted_commit),
                test(foxtrot_merges_do_not_bring_their_own_trust),
                test(octopus_merges_bring_in_all_their_arms),
                test(a_key_added_on_a_branch_may_be_used_there),
                test(a_key_that_was_removed_long_ago_is_said_to_be_removed),
                test(a_key_revoked_on_a_merged_side_cannot_sign_the_merge),
                test(a_side_that_never_had_the_key_does_not_stop_it),
                test(a_key_let_in_again_may_merge_branches_from_between),
                test(a_key_revoked_on_the_mainline_does_not_come_back_through_a_branch),
                test(merges_inside_a_branch_are_judged_too),
                test(criss_cross_merges_are_walked_once),
                test(a_back_dated_commit_does_not_help_an_expired_key),
                test(a_key_is_not_valid_before_its_time_either),
                test(the_future_is_refused_beyond_the_skew),
                test(every_commit_brings_a_file_that_lets_somebody_sign),
                test(a_malformed_file_is_refused_at_its_place_even_when_repaired_later),
                test(malformed_trees_are_refused),
                test(missing_objects_are_named),
                test(touch_is_asked_for_when_it_is_required),
                test(what_was_verified_is_not_verified_again),
                test(what_was_seen_in_time_stays_accepted),
                test(ten_thousand_commits_take_a_second_or_so),
                test(too_many_commits_are_refused_before_they_are_judged),
        };

        return cmocka_run_group_tests_name("trust", tests, NULL, NULL);
}
