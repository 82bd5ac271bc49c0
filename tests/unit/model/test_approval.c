/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "shared/model/approval.h"
#include "tests/lib/group.h"

#define ID    "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define HEX   "1111111111111111111111111111111111111111111111111111111111111111"
#define BEGIN "{\"fleet\": \"acme\", \"environment\": \"prod\", \"app\": \"shop\", \"release\": \"" ID "\""

static int parse(const char *text, struct arena *a, struct approval *ret, struct fault *reterr) {
        return approval_read("statement.json", text, strlen(text), a, ret, reterr);
}

static void what_is_written_reads_back(void **state) {
        own_arena struct arena *a = arena_new();
        own_buffer struct buffer text = BUFFER_INIT;
        own_fault struct fault f = FAULT_INIT;
        const struct approval in = {
                .fleet = { .text = "acme" },
                .environment = { .text = "prod" },
                .app = { .text = "shop" },
                .release = { .text = ID },
                .meaning = APPROVAL_RETRY,
                .reason = "the \"database\" was down — really",
                .at = 1800000000123,
                .expires_at = 1800000500000,
        };
        struct approval out;

        assert_int_equal(approval_write(&in, &text, &f), 0);
        assert_int_equal(parse(buffer_str(&text), a, &out, &f), 0);
        assert_string_equal(out.fleet.text, "acme");
        assert_string_equal(out.release.text, ID);
        assert_int_equal(out.meaning, APPROVAL_RETRY);
        assert_string_equal(out.reason, in.reason);
        assert_true(out.at == in.at && out.expires_at == in.expires_at);
        assert_int_equal(out.release.at.line, 9);
}

static void what_may_be_absent_is_absent(void **state) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault f = FAULT_INIT;
        struct approval out;

        assert_int_equal(parse(BEGIN ",\"meaning\":\"approve\"}", a, &out, &f), 0);
        assert_int_equal(out.meaning, APPROVAL_APPROVE);
        assert_null(out.reason);
        assert_true(out.at == 0 && out.expires_at == 0);
}

static void what_only_json_can_say_is_read_as_json(void **state) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault f = FAULT_INIT;
        struct approval out;

        /*
         * A pair of surrogates is one character here, and an error in YAML. Escapes of the terminal are made harmless.
         */
        assert_int_equal(parse(BEGIN ",\t\"meaning\":\"retry\",\"reason\":\"\\ud83d\\ude00 \\u001b[2J\"}", a, &out, &f),
                         0);
        assert_string_equal(out.reason, "\xf0\x9f\x98\x80 ?[2J");
}

static void what_is_wrong_is_refused_where_it_stands(void **state) {
        static const struct {
                const char *text, *says;
                unsigned line, column;
        } cases[] = {
                { BEGIN "}", "meaning", 1, 1 },
                { BEGIN ",\"meaning\":\"try\"}", "try", 1, 0 },
                { BEGIN ",\n \"meaning\":\"retry\", \"extra\":1}", "extra", 2, 21 },
                { BEGIN ",\"meaning\":\"retry\",\n\"at\":\"yesterday\"}", "no time", 2, 6 },
                { BEGIN ",\"meaning\":\"retry\",\n\"at\":\"1970-01-01T00:00:00Z\"}", "no time", 2, 6 },
                { BEGIN ",\"meaning\":\"retry\",\n\"expires\":12}", "no time", 2, 11 },
                { BEGIN ",\"meaning\":\"retry\",\n\"meaning\":\"retry\"}", "repeated", 2, 0 },
                { BEGIN ",\"meaning\":\"retry\"", "not JSON", 1, 0 },
                { BEGIN ",\"meaning\":\"retry\"} x", "not JSON", 1, 0 },
                { "fleet: acme", "not JSON", 1, 0 },
                { "[]", "", 1, 1 },
                { "{\"fleet\":null,\"environment\":\"prod\",\"app\":\"shop\",\"release\":\"" ID
                  "\",\"meaning\":\"retry\"}",
                  "fleet", 1, 0 },
                { "{\"fleet\":\"\",\"environment\":\"prod\",\"app\":\"shop\",\"release\":\"" ID
                  "\",\"meaning\":\"retry\"}",
                  "fleet", 1, 0 },
                { "{\"fleet\":\"a\",\"environment\":\"../x\",\"app\":\"shop\",\"release\":\"" ID
                  "\",\"meaning\":\"retry\"}",
                  "environment", 1, 0 },
                { "{\"fleet\":\"a\",\"environment\":\"prod\",\"app\":\"shop\",\"release\":\"" HEX
                  "\",\"meaning\":\"retry\"}",
                  "release", 1, 0 },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                own_arena struct arena *a = arena_new();
                own_fault struct fault f = FAULT_INIT;
                struct approval out;

                if (parse(cases[i].text, a, &out, &f) == 0)
                        fail_msg("accepted: %s", cases[i].text);
                assert_int_equal(f.kind, FAULT_CONFIG);
                if (!strstr(f.message, cases[i].says) || f.line != cases[i].line ||
                    (cases[i].column && f.column != cases[i].column))
                        fail_msg("%s: %u:%u: %s", cases[i].text, f.line, f.column, f.message);
        }
}

static void a_statement_has_a_limit(void **state) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault f = FAULT_INIT;
        char *text = arena_alloc(a, LIMIT_APPROVAL_BYTES + 2);
        struct approval out;

        memset(text, ' ', LIMIT_APPROVAL_BYTES + 1);
        assert_true(approval_read("s", text, LIMIT_APPROVAL_BYTES + 1, a, &out, &f) < 0);
        assert_non_null(strstr(f.message, "LIMIT_APPROVAL_BYTES"));
}

static void a_path_says_what_it_is(void **state) {
        static const struct {
                const char *path;
                enum approval_file file;
                const char *statement, *principal;
        } cases[] = {
                { "approvals/prod/shop/" HEX "/statement.json", APPROVAL_STATEMENT, "statement", "" },
                { "approvals/prod/shop/" HEX "/statement-retry.json", APPROVAL_STATEMENT, "statement-retry", "" },
                { "approvals/prod/shop/" HEX "/alice@example.org.sig", APPROVAL_SIGNATURE, "statement",
                  "alice@example.org" },
                { "approvals/prod/shop/" HEX "/statement.json.sig", APPROVAL_SIGNATURE, "statement", "statement.json" },
                { "approvals/prod/shop/" HEX "/statement-retry.a.b.sig", APPROVAL_SIGNATURE, "statement-retry", "a.b" },
                { "approvals/prod/shop/" HEX "/statement-retry.sig", APPROVAL_MISPLACED, NULL, NULL },
                { "approvals/prod/shop/" HEX "/statement-.json", APPROVAL_MISPLACED, NULL, NULL },
                { "approvals/prod/shop/" HEX "/statement-a.b.json", APPROVAL_MISPLACED, NULL, NULL },
                { "approvals/prod/shop/" HEX "/statement-A.json", APPROVAL_MISPLACED, NULL, NULL },
                { "approvals/prod/shop/" HEX "/statement.yaml", APPROVAL_MISPLACED, NULL, NULL },
                { "approvals/prod/shop/" HEX "/more/statement.json", APPROVAL_MISPLACED, NULL, NULL },
                { "approvals/prod/shop/" ID "/statement.json", APPROVAL_MISPLACED, NULL, NULL },
                { "approvals/prod/shop/1111/statement.json", APPROVAL_MISPLACED, NULL, NULL },
                { "approvals/prod/Shop/" HEX "/statement.json", APPROVAL_MISPLACED, NULL, NULL },
                { "approvals/../shop/" HEX "/statement.json", APPROVAL_MISPLACED, NULL, NULL },
                { "approvals/statement.json", APPROVAL_MISPLACED, NULL, NULL },
                { "approvals/README.md", APPROVAL_NONE, NULL, NULL },
                { "approvals/prod/.gitkeep", APPROVAL_NONE, NULL, NULL },
                { "approval/prod/shop/" HEX "/statement.json", APPROVAL_NONE, NULL, NULL },
                { "fleet.yaml", APPROVAL_NONE, NULL, NULL },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct approval_path p = approval_path_read(cases[i].path);

                if (p.file != cases[i].file)
                        fail_msg("%s: %d", cases[i].path, p.file);
                if (!cases[i].statement)
                        continue;
                assert_string_equal(p.statement, cases[i].statement);
                assert_string_equal(p.principal, cases[i].principal);
                assert_string_equal(p.environment, "prod");
                assert_string_equal(p.app, "shop");
                assert_string_equal(p.release, ID);
        }
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(what_may_be_absent_is_absent),
        cmocka_unit_test(what_only_json_can_say_is_read_as_json),
        cmocka_unit_test(what_is_wrong_is_refused_where_it_stands),
        cmocka_unit_test(a_statement_has_a_limit),
        cmocka_unit_test(a_path_says_what_it_is),
};

TEST_GROUP(approval, tests);
