/* SPDX-License-Identifier: Apache-2.0 */

#include "tests/lib/group.h"
#include "tests/unit/sign/support.h"

#include "shared/base/text.h"
#include "shared/sign/statement.h"

#define KIND "https://example.org/attestation/deployment/v0.1"

static void a_statement_is_written_in_canonical_order(void **state) {
        own_json json_t *statement = statement_new(KIND, json_pack("{s:i, s:s}", "seq", 7, "kind", "result"));
        own_buffer struct buffer out = BUFFER_INIT;

        (void)statement_add_subject(statement, "plan.json", "sha256", "ab");
        json_set_string(statement_add_subject(statement, NULL, "gitCommit", "cd"), "gitTree", "ef");
        assert_fine(statement_write(statement, &out, &fault));
        assert_string_equal(
                buffer_str(&out),
                "{\"_type\":\"https://in-toto.io/Statement/v1\",\"predicate\":{\"kind\":\"result\",\"seq\":7},"
                "\"predicateType\":\"" KIND "\",\"subject\":[{\"digest\":{\"sha256\":\"ab\"},\"name\":\"plan.json\"},"
                "{\"digest\":{\"gitCommit\":\"cd\",\"gitTree\":\"ef\"}}]}");
}

static void what_was_written_is_read_back(void **state) {
        own_json json_t *statement = statement_new(KIND, json_pack("{s:i}", "seq", 7)), *back = NULL;
        own_buffer struct buffer out = BUFFER_INIT;

        (void)statement_add_subject(statement, "x", "sha256", "ab");
        assert_fine(statement_write(statement, &out, &fault));
        assert_fine(statement_parse("record", out.data, out.size, KIND, &back, &fault));
        assert_true(json_equal(statement, back));
        assert_int_equal(json_get_integer(json_object_get(back, "predicate"), "seq", -1), 7);
}

#define SUBJECT "\"subject\":[{\"digest\":{\"sha256\":\"ab\"}}]"

static void other_statements_are_refused(void **state) {
        static const char *const bad[] = {
                "[]",
                "{}",
                "{\"_type\":\"https://in-toto.io/Statement/v0.1\"," SUBJECT ",\"predicateType\":\"" KIND
                "\",\"predicate\":{}}",
                "{\"_type\":\"" STATEMENT_TYPE "\"," SUBJECT ",\"predicateType\":\"other\",\"predicate\":{}}",
                "{\"_type\":\"" STATEMENT_TYPE "\"," SUBJECT ",\"predicateType\":\"" KIND "\"}",
                "{\"_type\":\"" STATEMENT_TYPE "\"," SUBJECT ",\"predicateType\":\"" KIND "\",\"predicate\":[]}",
                "{\"_type\":\"" STATEMENT_TYPE "\",\"subject\":[],\"predicateType\":\"" KIND "\",\"predicate\":{}}",
                "{\"_type\":\"" STATEMENT_TYPE "\",\"subject\":[{}],\"predicateType\":\"" KIND "\",\"predicate\":{}}",
                "{\"_type\":\"" STATEMENT_TYPE "\",\"subject\":[{\"digest\":{}}],\"predicateType\":\"" KIND
                "\",\"predicate\":{}}",
                "{\"_type\":\"" STATEMENT_TYPE
                "\",\"subject\":[{\"digest\":{\"sha256\":\"AB\"}}],\"predicateType\":\"" KIND "\",\"predicate\":{}}",
                "{\"_type\":\"" STATEMENT_TYPE "\",\"subject\":[{\"digest\":{\"sha256\":1}}],\"predicateType\":\"" KIND
                "\",\"predicate\":{}}",
        };
        json_t *back = NULL;

        for (size_t i = 0; i < ELEMENTS(bad); i++)
                assert_refused(statement_parse("record", bad[i], strlen(bad[i]), KIND, &back, &fault), NULL);
        assert_null(back);
}

static void unknown_fields_are_ignored(void **state) {
        static const char text[] = "{\"_type\":\"" STATEMENT_TYPE "\"," SUBJECT ",\"predicateType\":\"" KIND
                                   "\",\"predicate\":{},\"new\":1}";
        own_json json_t *back = NULL;

        assert_fine(statement_parse("record", text, strlen(text), KIND, &back, &fault));
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_statement_is_written_in_canonical_order),
        cmocka_unit_test(what_was_written_is_read_back),
        cmocka_unit_test(other_statements_are_refused),
        cmocka_unit_test(unknown_fields_are_ignored),
};

TEST_GROUP(statement, tests);
