/* SPDX-License-Identifier: Apache-2.0 */

#include "tests/lib/group.h"
#include "tests/unit/sign/support.h"

#include "reconciler/desired/approvals.h"
#include "shared/sign/sshsig.h"

#define NOW_MS INT64_C(1800000000000)
#define HEX    "1111111111111111111111111111111111111111111111111111111111111111"
#define PLACE  "approvals/prod/shop/" HEX "/"
#define STATEMENT(meaning, reason) \
        "{\"fleet\":\"acme\",\"environment\":\"prod\",\"app\":\"shop\",\"release\":\"sha256:" HEX \
        "\",\"meaning\":\"" meaning "\",\"reason\":\"" reason "\"}"

static struct arena *a;
static struct approval_signers signers;
static struct app shop = { .app = { .text = "shop" } };
static struct environment prod = { .environment = { .text = "prod" } };
static const struct fleet fleet = {
        .name = "acme", .environments = &prod, .n_environments = 1, .apps = &shop, .n_apps = 1
};

static int set_up(void **state) {
        own_buffer struct buffer lines = BUFFER_INIT;

        a = arena_new();
        for (unsigned char seed = 1; seed <= 2; seed++) {
                struct sshkey_private k = key_of_seed(seed);

                buffer_printf(&lines, "%s ", seed == 1 ? "alice" : "bob");
                sshkey_put_line(&k.key, NULL, &lines);
                buffer_putc(&lines, '\n');
        }
        return signers_parse("trust/allowed_signers", lines.data, lines.size, a, &signers.signers,
                             &(struct fault){ 0 });
}

static int tear_down(void **state) {
        arena_free(a);
        return 0;
}

/* A signature of the owner of @seed over @text. */
static struct desired_entry signature(const char *path, unsigned char seed, const char *text) {
        own_buffer struct buffer out = BUFFER_INIT;
        struct sshkey_private k = key_of_seed(seed);

        assert_fine(sshsig_sign(&k, APPROVAL_NAMESPACE, text, strlen(text), &out, &fault));
        return (struct desired_entry){ .path = path, .bytes = arena_strndup(a, out.data, out.size), .size = out.size };
}

static struct desired_entry file(const char *path, const char *text) {
        return (struct desired_entry){ .path = path, .bytes = text, .size = strlen(text) };
}

static struct approvals judge(const struct desired_entry *entries, size_t n) {
        static struct release release = { .app = { .text = "shop" }, .environment = "prod" };
        const struct deployment d = { .release = &release, .app = &shop, .environment = &prod, .id = "sha256:" HEX };
        const struct approval_rules rules = { .seen_at = NOW_MS };
        struct approvals ret;

        approvals_judge(&fleet, &d, entries, n, &signers, &rules, a, &ret);
        return ret;
}

static const struct retry_permission *retry_at(const struct approvals *all, size_t i) {
        assert_true(i < all->retries.n);
        return (const struct retry_permission *)all->retries.items + i;
}

static void says(const struct approvals *all, size_t i, const char *text) {
        const struct refused_retry *items = all->refused.items;

        assert_true(i < all->refused.n);
        if (!strstr(items[i].message, text))
                fail_msg("wanted '%s', got: %s", text, items[i].message);
}

static void one_statement_with_two_signatures_is_one_permission(void **state) {
        const char *text = STATEMENT("retry", "once");
        const struct desired_entry entries[] = {
                signature(PLACE "alice.sig", 1, text),
                signature(PLACE "bob.sig", 2, text),
                file(PLACE "statement.json", text),
                file("apps/shop/compose.yaml", ""),
                file("fleet.yaml", ""),
        };
        struct approvals got = judge(entries, ELEMENTS(entries));

        assert_int_equal(got.retries.n, 1);
        assert_int_equal(got.refused.n, 0);
        assert_string_equal(retry_at(&got, 0)->principal, "alice");
        assert_string_equal(retry_at(&got, 0)->reason, "once");
}

static void a_bad_signature_beside_a_good_one_is_told(void **state) {
        const char *text = STATEMENT("retry", "once");
        const struct desired_entry entries[] = {
                signature(PLACE "alice.sig", 2, text),
                signature(PLACE "bob.sig", 2, text),
                file(PLACE "statement.json", text),
        };
        struct approvals got = judge(entries, ELEMENTS(entries));

        assert_int_equal(got.retries.n, 1);
        assert_string_equal(retry_at(&got, 0)->principal, "bob");
        assert_int_equal(got.refused.n, 1);
        says(&got, 0, PLACE "alice.sig");
}

static void statements_stand_beside_each_other(void **state) {
        const char *first = STATEMENT("approve", "good"), *second = STATEMENT("retry", "twice");
        const struct desired_entry entries[] = {
                signature(PLACE "alice.sig", 1, first),
                signature(PLACE "statement-retry.bob.sig", 2, second),
                file(PLACE "statement-retry.json", second),
                file(PLACE "statement.json", first),
        };
        struct approvals got = judge(entries, ELEMENTS(entries));

        assert_int_equal(got.refused.n, 0);
        assert_int_equal(got.retries.n, 1);
        assert_string_equal(retry_at(&got, 0)->reason, "twice");
}

static void other_folders_are_not_looked_at(void **state) {
        const struct desired_entry entries[] = {
                file("approvals/prod/shop/1111/statement.json", "junk"),
                file("approvals/prod/shop/2222222222222222222222222222222222222222222222222222222222222222/statement.json",
                     "junk"),
                file("approvals/test/shop/" HEX "/statement.json", "junk"),
        };
        struct approvals got = judge(entries, ELEMENTS(entries));

        assert_int_equal(got.retries.n + got.refused.n, 0);
}

static void what_cannot_be_read_is_told(void **state) {
        const char *text = STATEMENT("retry", "x");
        const struct desired_entry entries[] = {
                { .path = PLACE "alice.sig", .type = DESIRED_SYMLINK },
                file(PLACE "notes.txt", "x"),
                { .path = PLACE "statement-big.json", .bytes = NULL },
                file(PLACE "statement-open.json", text),
                file(PLACE "statement-x.bob.sig", "x"),
                file(PLACE "statement.json", text),
        };
        struct approvals got = judge(entries, ELEMENTS(entries));

        assert_int_equal(got.retries.n, 0);
        assert_int_equal(got.refused.n, 5);
        says(&got, 0, "notes.txt is neither");
        says(&got, 1, "statement-big.json has more than");
        says(&got, 2, "statement-open.json: no signature");
        says(&got, 3, "signs nothing: there is no statement-x.json");
        says(&got, 4, "alice.sig is no regular file");
}

static void there_is_a_limit_of_files(void **state) {
        struct desired_entry entries[LIMIT_APPROVALS + 1];
        struct approvals got;

        for (size_t i = 0; i <= LIMIT_APPROVALS; i++)
                entries[i] = file(arena_printf(a, PLACE "p%03zu.sig", i), "x");
        got = judge(entries, ELEMENTS(entries));
        assert_int_equal(got.refused.n, 1);
        says(&got, 0, "LIMIT_APPROVALS");
}

static void without_readable_trust_nothing_counts(void **state) {
        const char *text = STATEMENT("retry", "once");
        const struct desired_entry entries[] = { signature(PLACE "alice.sig", 1, text),
                                                 file(PLACE "statement.json", text) };
        struct approvals got;

        signers.unusable = "it is malformed";
        got = judge(entries, ELEMENTS(entries));
        signers.unusable = NULL;
        assert_int_equal(got.retries.n, 0);
        says(&got, 0, "it is malformed");
}

static void misplaced_files_are_found(void **state) {
        const struct desired_entry entries[] = {
                file("approvals/README.md", ""),
                file(PLACE "statement.json", ""),
                file("approvals/prod/store/" HEX "/statement.json", ""),
                file("approvals/qa/shop/" HEX "/statement.json", ""),
                file("approvals/statement.json", ""),
                file("fleet.yaml", ""),
        };
        struct struct_list refused = { .items = NULL };
        const struct refused_retry *items;

        approvals_find_misplaced(&fleet, entries, ELEMENTS(entries), a, &refused);
        items = refused.items;
        assert_int_equal(refused.n, 3);
        assert_non_null(strstr(items[0].message, "no app 'store'"));
        assert_non_null(strstr(items[1].message, "no environment 'qa'"));
        assert_non_null(strstr(items[2].message, "no host looks at this"));
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_statement_with_two_signatures_is_one_permission),
        cmocka_unit_test(a_bad_signature_beside_a_good_one_is_told),
        cmocka_unit_test(statements_stand_beside_each_other),
        cmocka_unit_test(other_folders_are_not_looked_at),
        cmocka_unit_test(what_cannot_be_read_is_told),
        cmocka_unit_test(there_is_a_limit_of_files),
        cmocka_unit_test(without_readable_trust_nothing_counts),
        cmocka_unit_test(misplaced_files_are_found),
};

TEST_GROUP(approvals, tests, .setup = set_up, .teardown = tear_down);
