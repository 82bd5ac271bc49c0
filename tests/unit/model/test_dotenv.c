/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/compose/dotenv.h"
#include "tests/lib/group.h"
#include "tests/unit/model/support.h"

static int parse(const char *text, bool raw, struct arena *a, struct string_map *ret, struct fault *reterr) {
        static const struct variable items[] = { { "GIVEN", "g" } };
        static const struct variables given = { .items = items, .n = 1 };
        struct dotenv_input in = {
                .name = "web.env",
                .bytes = text,
                .size = strlen(text),
                .raw = raw,
                .variables = &given,
        };

        return dotenv_parse(&in, a, ret, reterr);
}

static void every_kind_of_line_is_read(void **state) {
        static const struct {
                const char *in, *out;
        } cases[] = {
                { "", "" },
                { "\n\n# comment\n  # another\n", "" },
                { "A=1\nB=2", "A=1|B=2|" },
                { "A=1\r\nB=2\r\n", "A=1|B=2|" },
                { "\xef\xbb\xbf"
                  "A=1\n",
                  "A=1|" },
                { "A = 1 \n", "A=1|" },
                { "export A=1\n", "A=1|" },
                { "exported=1\n", "exported=1|" },
                { "A=\n", "A=|" },
                { "A\n", "A|" },
                { "A=b=c\n", "A=b=c|" },
                { "A=x # comment\n", "A=x|" },
                { "A=x#y\n", "A=x#y|" },
                { "A=#y\n", "A=|" },
                { "A='$x # \"y\"'\n", "A=$x # \"y\"|" },
                { "A='a\nb'\nC=1\n", "A=a\nb|C=1|" },
                { "A=\"a\\nb\\t\\\"c\\\"\"\n", "A=a\nb\t\"c\"|" },
                { "A=\"x\" # comment\n", "A=x|" },
                { "A=\"$GIVEN\"\nB=$A\n", "A=g|B=g|" },
                { "A=\"\\$GIVEN\"\n", "A=$GIVEN|" },
                { "GIVEN=other\nB=$GIVEN\n", "GIVEN=other|B=g|" },
                { "A=${NO:-x}\n", "A=x|" },
                { "A=1\nA=2\n", "A=1|A=2|" },
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                own_arena struct arena *a = arena_new();
                own_fault struct fault fault = FAULT_INIT;
                own_buffer struct buffer joined = BUFFER_INIT;
                struct string_map pairs;

                if (parse(cases[i].in, false, a, &pairs, &fault) < 0)
                        fail_msg("%s: %s", cases[i].in, fault.message);
                for (size_t k = 0; k < pairs.n; k++)
                        buffer_printf(&joined, "%s%s%s|", pairs.items[k].key.text, pairs.items[k].value.text ? "=" : "",
                                      pairs.items[k].value.text ? pairs.items[k].value.text : "");
                assert_string_equal(buffer_str(&joined), cases[i].out);
        }
}

static void raw_values_stay_as_they_are(void **state) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT;
        struct string_map pairs;

        (void)state;
        assert_int_equal(parse("A='$x' # y\n", true, a, &pairs, &fault), 0);
        assert_string_equal(pairs.items[0].value.text, "'$x' # y");
}

static void mistakes_have_their_place(void **state) {
        static const struct {
                const char *in;
                unsigned line, column;
                const char *part;
        } cases[] = {
                { "A=1\nB C=1\n", 2, 3, "not followed by '='" },
                { "A=1\n  1B=1\n", 2, 3, "NAME=value" },
                { "=1\n", 1, 1, "NAME=value" },
                { "A='x\nB=1\n", 1, 3, "not closed" },
                { "A='x'y\n", 1, 6, "behind the closing quote" },
                { "A=1\nB=é$NO\n", 2, 4, "'NO' is not set" },
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                own_arena struct arena *a = arena_new();
                own_fault struct fault fault = FAULT_INIT;
                struct string_map pairs;

                assert_true(parse(cases[i].in, false, a, &pairs, &fault) < 0);
                assert_fault(&fault, NULL, cases[i].part);
                assert_string_equal(fault.path, "web.env");
                assert_int_equal(fault.line, cases[i].line);
                assert_int_equal(fault.column, cases[i].column);
        }
}

static void bytes_that_are_no_text_are_refused(void **state) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault bad = FAULT_INIT, nul = FAULT_INIT;
        struct dotenv_input in = { .name = "web.env", .bytes = "A=\xff", .size = 3 };
        struct string_map pairs;

        (void)state;
        assert_true(dotenv_parse(&in, a, &pairs, &bad) < 0);
        assert_fault(&bad, "LOAD_INVALID", "UTF-8");
        in.bytes = "A=\0";
        assert_true(dotenv_parse(&in, a, &pairs, &nul) < 0);
        assert_fault(&nul, "LOAD_INVALID", "UTF-8");
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_line_is_read),
        cmocka_unit_test(raw_values_stay_as_they_are),
        cmocka_unit_test(mistakes_have_their_place),
        cmocka_unit_test(bytes_that_are_no_text_are_refused),
};

TEST_GROUP(dotenv, tests);
