/* SPDX-License-Identifier: Apache-2.0 */

#include "tests/lib/group.h"
#include "tests/unit/policies/repository.h"

#include "policies/approval.h"
#include "shared/base/reason.h"

#define ID "sha256:1111111111111111111111111111111111111111111111111111111111111111"

/* A statement, who signs it how, and by whom it may be signed. */
struct attempt {
        const char *at, *expires; /* RFC 3339; NULL: absent */
        const char *namespace;    /* of the signature; NULL: the right one */
        const char *principal;    /* after whom the file is named; NULL: alice@example.org */
        const char *options;      /* of alice's line; NULL: the right namespace */
        const char *environment;  /* that the statement names; NULL: prod */
        bool other_key, security_key, touched, require_touch, cut, changed;
};

static int try(const struct attempt *t, struct retry_permission *ret, struct fault *reterr) {
        static struct arena *kept; /* what @ret points at, until the next try */
        own_buffer struct buffer lines = BUFFER_INIT, statement = BUFFER_INIT, signature = BUFFER_INIT;
        struct sshkey_private alice = t->security_key ? sk_key_of_seed(1) : key_of_seed(1), mallory = key_of_seed(2);
        struct approval_request q = {
                .fleet = "acme",
                .environment = "prod",
                .app = "shop",
                .release = ID,
                .statement_path = "a/statement.json",
                .signature_path = "a/alice.sig",
                .principal = t->principal ? t->principal : "alice@example.org",
                .rules = { .seen_at = NOW_MS, .require_touch = t->require_touch },
        };
        const char *namespace = t->namespace ? t->namespace : APPROVAL_NAMESPACE;
        struct signers signers;
        struct approval approval;
        int r;

        arena_free(kept);
        kept = arena_new();
        buffer_printf(&lines, "alice@example.org,*@ops.example.org %s ",
                      t->options ? t->options : "namespaces=\"git," APPROVAL_NAMESPACE "\"");
        sshkey_put_line(&alice.key, "alice", &lines);
        buffer_putc(&lines, '\n');
        assert_fine(signers_parse("trust/allowed_signers", lines.data, lines.size, kept, &signers, &fault));
        q.signers = &signers;

        buffer_printf(&statement,
                      "{\"fleet\":\"acme\",\"environment\":\"%s\",\"app\":\"shop\",\"release\":\"" ID
                      "\",\"meaning\":\"retry\"",
                      t->environment ? t->environment : "prod");
        if (t->at)
                buffer_printf(&statement, ",\"at\":\"%s\"", t->at);
        if (t->expires)
                buffer_printf(&statement, ",\"expires\":\"%s\"", t->expires);
        buffer_puts(&statement, "}\n");
        if (t->security_key)
                sk_sign(&alice, namespace, statement.data, statement.size, t->touched ? SSHSIG_USER_PRESENT : 0, 1,
                        &signature);
        else
                assert_fine(sshsig_sign(t->other_key ? &mallory : &alice, namespace, statement.data, statement.size,
                                        &signature, &fault));
        if (t->changed)
                statement.data[statement.size - 1] = ' ';
        q.statement = statement.data;
        q.statement_size = statement.size;
        q.signature = signature.data;
        q.signature_size = t->cut ? signature.size / 2 : signature.size;
        r = approval_judge_statement(&q, kept, &approval, reterr);
        if (r == 0)
                r = approval_judge_signature(&q, &approval, reterr);
        if (r == 0) {
                struct digest id = digest_of(statement.data, statement.size);

                *ret = approval_retry(&q, &approval, kept);
                assert_string_equal(ret->id, id.text);
        }
        return r;
}

static void accepted(struct attempt t) {
        struct retry_permission retry;

        assert_fine(try(&t, &retry, &fault));
        assert_string_equal(retry.release, ID);
}

static void refused(struct attempt t, const char *says, const char *hint) {
        own_fault struct fault fault = FAULT_INIT;
        struct retry_permission retry;

        assert_fault(try(&t, &retry, &fault), &fault, REASON_RETRY_INVALID);
        if (!strstr(fault.message, says))
                fail_msg("wanted '%s', got: %s", says, fault.message);
        if (hint && (!fault.hint || !strstr(fault.hint, hint)))
                fail_msg("wanted '%s', got: %s", hint, fault.hint ? fault.hint : "no hint");
}

static void a_signed_statement_is_a_permission(void **state) {
        struct retry_permission retry;
        const struct attempt t = { .at = "2027-01-15T07:00:00Z", .expires = "2027-01-16T08:00:00Z" };

        assert_fine(try(&t, &retry, &fault));
        assert_string_equal(retry.principal, "alice@example.org");
        assert_true(retry.expires_at == NOW_MS + INT64_C(24) * 3600 * 1000);
        accepted((struct attempt){ .at = NULL });
        accepted((struct attempt){ .options = "" });
        accepted((struct attempt){ .options = "namespaces=\"*\"" });
        accepted((struct attempt){ .principal = "bob@ops.example.org" });
        /* Expiry is the gate's: the same bytes are the same permission, whenever they are looked at. */
        accepted((struct attempt){ .at = "2020-01-01T00:00:00Z", .expires = "2020-01-02T00:00:00Z" });
}

static void a_statement_counts_in_its_place_alone(void **state) {
        refused((struct attempt){ .environment = "test" }, "about environment test, but stands at that of prod",
                "tally retry");
        refused((struct attempt){ .environment = "Te st" }, "environment", NULL);
}

static void a_signature_is_for_these_bytes_and_this_namespace(void **state) {
        refused((struct attempt){ .namespace = "git" }, "signed for namespace 'git'", "-n approval@tallyman");
        refused((struct attempt){ .changed = true }, "a/alice.sig", "changed after");
        refused((struct attempt){ .cut = true }, "a/alice.sig", NULL);
}

static void the_key_is_the_principals_and_may_approve(void **state) {
        refused((struct attempt){ .other_key = true }, "no line of trust/allowed_signers allows the key", "principal");
        refused((struct attempt){ .principal = "bob@example.org" }, "is of alice@example.org, not of bob@example.org",
                "principal");
        refused((struct attempt){ .principal = "statement.json" }, "not of statement.json", "rename");
        refused((struct attempt){ .options = "namespaces=\"git\"" }, "not good for this namespace",
                "namespaces=\"git,approval@tallyman\"");
        refused((struct attempt){ .options = "cert-authority" }, "allows the key", NULL);
}

static void the_key_is_valid_when_seen_and_when_written(void **state) {
        accepted((struct attempt){ .options = "valid-before=\"20270116Z\"", .at = "2027-01-15T07:00:00Z" });
        refused((struct attempt){ .options = "valid-before=\"20270101Z\"" }, "not valid at this time", "valid-before");
        /* A date before its end does not bring an expired key back. */
        refused((struct attempt){ .options = "valid-before=\"20270101Z\"", .at = "2026-12-01T00:00:00Z" },
                "not valid at this time", NULL);
        refused((struct attempt){ .options = "valid-after=\"20270110Z\"", .at = "2027-01-01T00:00:00Z" },
                "not valid at this time", NULL);
        refused((struct attempt){ .at = "2027-01-15T08:10:00Z" }, "in the future", NULL);
        accepted((struct attempt){ .at = "2027-01-15T08:04:00Z" });
        refused((struct attempt){ .at = "2027-01-15T07:00:00Z", .expires = "2027-01-15T07:00:00Z" }, "expires before",
                NULL);
}

static void a_security_key_is_touched_where_that_is_demanded(void **state) {
        accepted((struct attempt){ .security_key = true });
        accepted((struct attempt){ .security_key = true, .touched = true, .require_touch = true });
        accepted((struct attempt){ .require_touch = true });
        refused((struct attempt){ .security_key = true, .require_touch = true }, "not touched", NULL);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signed_statement_is_a_permission),
        cmocka_unit_test(a_statement_counts_in_its_place_alone),
        cmocka_unit_test(a_signature_is_for_these_bytes_and_this_namespace),
        cmocka_unit_test(the_key_is_the_principals_and_may_approve),
        cmocka_unit_test(the_key_is_valid_when_seen_and_when_written),
        cmocka_unit_test(a_security_key_is_touched_where_that_is_demanded),
};

TEST_GROUP(approval_judge, tests);
