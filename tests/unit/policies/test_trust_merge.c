/* SPDX-License-Identifier: Apache-2.0 */

/* What a merge brings in, and whose keys may sign it. */

#include "tests/lib/group.h"
#include "tests/unit/policies/trust_rig.h"

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
        struct object_id z = COMMIT("z", alice_bob, NULL, { &a }, BOB),
                         bad = COMMIT("bad", alice_bob, NULL, { &a }, MALLORY);
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
        struct object_id x = COMMIT("x0", alice_bob, NULL, { &a }, ALICE),
                         y = COMMIT("y0", alice_bob, NULL, { &a }, BOB);

        for (int i = 0; i < 40; i++) {
                struct object_id x2 = COMMIT("x", alice_bob, NULL, { &x, &y }, ALICE);
                struct object_id y2 = COMMIT("y", alice_bob, NULL, { &y, &x }, BOB);

                x = x2;
                y = y2;
        }
        x = COMMIT("end", alice_bob, NULL, { &x, &y }, ALICE);
        assert_int_equal(accepts(&a, &x).n_commits, 83);
}

static const struct CMUnitTest tests[] = {
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
};

TEST_GROUP(trust_merge, tests);
