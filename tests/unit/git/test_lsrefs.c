/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "shared/git/lsrefs.h"
#include "tests/lib/group.h"

#define ID1 "1111111111111111111111111111111111111111"
#define ID2 "2222222222222222222222222222222222222222"

static const char *answer(const char *bytes, const char *branch, char hex[OBJECT_ID_TEXT_MAX]) {
        struct object_id id = { .raw = { 0 } };
        enum ref_answer a = lsrefs_parse(bytes, strlen(bytes), branch, &id);

        (void)object_id_format(&id, hex);
        return ref_answer_to_string(a);
}

static void the_request_is_what_git_sends(void **state) {
        own_buffer struct buffer out = BUFFER_INIT;

        (void)state;
        lsrefs_request("main", &out);
        assert_string_equal(buffer_str(&out), "0014command=ls-refs\n0001001fref-prefix refs/heads/main\n0000");
}

static void only_the_exact_branch_is_an_answer(void **state) {
        char hex[OBJECT_ID_TEXT_MAX];

        (void)state;
        assert_string_equal(answer("003d" ID1 " refs/heads/main\n0000", "main", hex), "found");
        assert_string_equal(hex, ID1);
        assert_string_equal(answer("003e" ID1 " refs/heads/main2\n003d" ID2 " refs/heads/main\n0000", "main", hex),
                            "found");
        assert_string_equal(hex, ID2);
        assert_string_equal(answer("003e" ID1 " refs/heads/main2\n0000", "main", hex), "missing");
        assert_string_equal(answer("0000", "main", hex), "missing");
        assert_string_equal(answer("0042" ID1 " refs/heads/main attr\n0000", "main", hex), "found");
}

static void anything_else_is_doubt(void **state) {
        static const char *const cases[] = {
                "",
                "000",
                "zzzz",
                "003d" ID1 " refs/heads/main\n",
                "003d" ID1 " refs/heads/main",
                "003c" ID1 " refs/heads/main\n0000",
                "003d" ID1 "_refs/heads/main\n0000",
                "003d" ID1 " refs/heads/main\n00000000",
                "003d" ID1 " refs/heads/main\n003d" ID2 " refs/heads/main\n0000",
                "0012ERR not allowed\n0000",
                "00010000",
                "0004",
                "0008abc\n0000",
                "fff0" ID1 " refs/heads/main\n0000",
                "<html>",
                "003dGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGG refs/heads/main\n0000",
        };
        char hex[OBJECT_ID_TEXT_MAX];

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                if (strcmp(answer(cases[i], "main", hex), "don't know") != 0)
                        fail_msg("'%s' is an answer", cases[i]);
                assert_string_equal(hex, "0000000000000000000000000000000000000000");
        }
}

static void a_local_or_forbidden_url_is_not_asked(void **state) {
        own_fault struct fault f = FAULT_INIT;
        own_http struct http *http = NULL;
        struct lsrefs_settings settings = { .allow_http = false };
        enum ref_answer a = REF_FOUND;
        struct object_id id;

        (void)state;
        assert_int_equal(http_new(NULL, &http, &f), 0);
        assert_int_equal(lsrefs_tip(http, &settings, "/srv/fleet.git", "main", &a, &id, &f), 0);
        assert_int_equal(a, REF_DONT_KNOW);
        assert_int_equal(lsrefs_tip(http, &settings, "http://localhost:1/x", "main", &a, &id, &f), -EINVAL);
        assert_int_equal(f.kind, FAULT_CONFIG);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_request_is_what_git_sends),
        cmocka_unit_test(only_the_exact_branch_is_an_answer),
        cmocka_unit_test(anything_else_is_doubt),
        cmocka_unit_test(a_local_or_forbidden_url_is_not_asked),
};

TEST_GROUP(lsrefs, tests);
