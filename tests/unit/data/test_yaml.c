/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "shared/base/buffer.h"
#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/data/json.h"
#include "shared/data/yaml.h"
#include "tests/lib/group.h"

static const struct node *parsed_bytes(struct arena *a, const char *bytes, size_t size) {
        own_fault struct fault f = FAULT_INIT;
        const struct node *n = NULL;

        if (yaml_parse("x.yaml", bytes, size, a, &n, &f) < 0)
                fail_msg("%u:%u: %s", f.line, f.column, f.message);
        assert_non_null(n);
        return n;
}

static const struct node *parsed(struct arena *a, const char *text) {
        return parsed_bytes(a, text, strlen(text));
}

/* The document as canonical JSON. */
static void assert_reads(const char *text, const char *expected) {
        own_arena struct arena *a = arena_new();
        own_buffer struct buffer out = BUFFER_INIT;
        own_fault struct fault f = FAULT_INIT;
        own_json json_t *json = node_to_json(parsed(a, text));

        assert_int_equal(json_canonical(json, &out, &f), 0);
        assert_string_equal(buffer_str(&out), expected);
}

struct refusal {
        const char *text;
        unsigned line, column;
        const char *message, *hint; /* parts of them; NULL hint: any */
};

static void assert_refused(const char *bytes, size_t size, const struct refusal *r, const char *code) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault f = FAULT_INIT;
        const struct node *n = NULL;

        assert_true(yaml_parse("x.yaml", bytes, size, a, &n, &f) < 0);
        assert_null(n);
        assert_int_equal(f.kind, FAULT_CONFIG);
        assert_ptr_equal(f.code, code);
        assert_string_equal(f.path, "x.yaml");
        if (!strstr(f.message, r->message))
                fail_msg("'%s' does not say '%s'", f.message, r->message);
        if (r->hint && (!f.hint || !strstr(f.hint, r->hint)))
                fail_msg("the hint '%s' does not say '%s'", f.hint ? f.hint : "", r->hint);
        if (f.line != r->line || f.column != r->column)
                fail_msg("%s: at %u:%u, not %u:%u", f.message, f.line, f.column, r->line, r->column);
}

static void assert_all_refused(const struct refusal *r) {
        for (; r->text; r++)
                assert_refused(r->text, strlen(r->text), r, REASON_LOAD_INVALID);
}

/*
 * What is accepted
 */

static void test_collections_and_styles(void **state) {
        assert_reads("a: 1\nb:\n  - x\n  - \"y\"\n  - 'z'\nc: {d: [e, f]}\n",
                     "{\"a\":1,\"b\":[\"x\",\"y\",\"z\"],\"c\":{\"d\":[\"e\",\"f\"]}}");
        assert_reads("a: |\n  one\n  two\nb: >-\n  one\n  two\n", "{\"a\":\"one\\ntwo\\n\",\"b\":\"one two\"}");
        assert_reads("%YAML 1.2\n---\na: 1\n...\n", "{\"a\":1}");
}

static void test_core_schema_types(void **state) {
        static const struct {
                const char *text;
                enum node_type type;
                int64_t integer;
        } cases[] = {
                { "~", NODE_NULL, 0 },
                { "null", NODE_NULL, 0 },
                { "NULL", NODE_NULL, 0 },
                { "nUll", NODE_STRING, 0 },
                { "true", NODE_BOOL, 0 },
                { "FALSE", NODE_BOOL, 0 },
                { "yes", NODE_STRING, 0 },
                { "no", NODE_STRING, 0 },
                { "on", NODE_STRING, 0 },
                { "off", NODE_STRING, 0 },
                { "y", NODE_STRING, 0 },
                { "12", NODE_INTEGER, 12 },
                { "-12", NODE_INTEGER, -12 },
                { "+12", NODE_INTEGER, 12 },
                { "010", NODE_INTEGER, 10 },
                { "0o17", NODE_INTEGER, 15 },
                { "0x1F", NODE_INTEGER, 31 },
                { "0b1", NODE_STRING, 0 },
                { "0o8", NODE_STRING, 0 },
                { "0x", NODE_STRING, 0 },
                { "-0x1", NODE_STRING, 0 },
                { "1_000", NODE_STRING, 0 },
                { "12:30", NODE_STRING, 0 },
                { "-x", NODE_STRING, 0 },
                { "9223372036854775807", NODE_INTEGER, INT64_MAX },
                { "-9223372036854775808", NODE_INTEGER, INT64_MIN },
                { "9223372036854775808", NODE_REAL, 0 },
                { "0xffffffffffffffff", NODE_REAL, 0 },
                { "1.5", NODE_REAL, 0 },
                { "1.", NODE_REAL, 0 },
                { ".5", NODE_REAL, 0 },
                { "1e3", NODE_REAL, 0 },
                { "1.5E-3", NODE_REAL, 0 },
                { "1e", NODE_STRING, 0 },
                { ".", NODE_STRING, 0 },
                { "1.2.3", NODE_STRING, 0 },
                { "-.inf", NODE_REAL, 0 },
                { ".NaN", NODE_REAL, 0 },
                { "-.nan", NODE_STRING, 0 },
                { "2024-01-01", NODE_STRING, 0 },
                { "\"12\"", NODE_STRING, 0 },
                { "'true'", NODE_STRING, 0 },
                { "!!str 12", NODE_STRING, 0 },
                { "!!int '12'", NODE_INTEGER, 12 },
                { "!!float 12", NODE_REAL, 0 },
                { "! 12", NODE_STRING, 0 },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                own_arena struct arena *a = arena_new();
                const char *text = arena_printf(a, "k: %s\n", cases[i].text);
                const struct node *n = node_get(parsed(a, text), "k");

                if (n->type != cases[i].type)
                        fail_msg("%s is %s", cases[i].text, node_type_to_string(n->type));
                assert_true(n->integer == cases[i].integer);
        }
}

static void test_text_stays_as_written(void **state) {
        own_arena struct arena *a = arena_new();
        const struct node *n = parsed(a, "a: 0x1F\nb: 1.50\nc: ~\nd: \"\\u00e9\"\n");

        assert_string_equal(node_get(n, "a")->text, "0x1F");
        assert_string_equal(node_get(n, "b")->text, "1.50");
        assert_string_equal(node_get(n, "c")->text, "");
        assert_string_equal(node_get(n, "d")->text, "\xc3\xa9");
        assert_true(node_get(n, "d")->quoted);
        assert_false(node_get(n, "a")->quoted);
}

static void test_positions_count_characters_from_one(void **state) {
        own_arena struct arena *a = arena_new();
        const struct node *n = parsed(a, "\xef\xbb\xbf"
                                         "a: {\xc3\xa9\xc3\xa9: x}\r\nb:\r\n  - y\r\n");
        const struct node *inner = node_get(n, "a"), *list = node_get(n, "b");

        assert_int_equal(n->at.line, 1);
        assert_int_equal(n->at.column, 1);
        assert_string_equal(n->at.source->name, "x.yaml");
        assert_int_equal(inner->entries[0].at.column, 5);
        assert_int_equal(inner->entries[0].value->at.column, 9);
        assert_int_equal(list->items[0]->at.line, 3);
        assert_int_equal(list->items[0]->at.column, 5);
}

static void test_bom_and_crlf_change_nothing(void **state) {
        assert_reads("\xef\xbb\xbf"
                     "a: 1\r\nb: |\r\n  x\r\n  y\r\n",
                     "{\"a\":1,\"b\":\"x\\ny\\n\"}");
}

static void test_empty_documents_are_null(void **state) {
        const char *const texts[] = { "", "\n", "# only a comment\n", "---\n", "\xef\xbb\xbf", NULL };

        for (size_t i = 0; texts[i]; i++)
                assert_reads(texts[i], "null");
}

static void test_aliases_share_their_anchor(void **state) {
        own_arena struct arena *a = arena_new();
        const struct node *n = parsed(a, "a: &x [1]\nb: *x\nc: &x 2\nd: *x\n*x : e\n");

        assert_ptr_equal(node_get(n, "a"), node_get(n, "b"));
        assert_int_equal(node_get(n, "d")->integer, 2);
        assert_string_equal(node_get(n, "2")->text, "e");
}

static void test_merge_keys(void **state) {
        assert_reads("a: &a {x: 1, y: 2}\nb: {y: 3, <<: *a, z: 4}\n",
                     "{\"a\":{\"x\":1,\"y\":2},\"b\":{\"x\":1,\"y\":3,\"z\":4}}");
        assert_reads("a: &a {x: 1}\nb: &b {x: 2, y: 2}\nc: {<<: [*a, *b, {z: 3}]}\n",
                     "{\"a\":{\"x\":1},\"b\":{\"x\":2,\"y\":2},\"c\":{\"x\":1,\"y\":2,\"z\":3}}");
        assert_reads("a: &a {x: 1}\nb: &b {<<: *a, y: 2}\nc: {<<: *b}\n",
                     "{\"a\":{\"x\":1},\"b\":{\"x\":1,\"y\":2},\"c\":{\"x\":1,\"y\":2}}");
        assert_reads("\"<<\": 1\n", "{\"<<\":1}");
}

static void test_written_keys_come_before_merged_ones(void **state) {
        own_arena struct arena *a = arena_new();
        const struct node *n = node_get(parsed(a, "a: &a {m: 1, b: 1}\nx:\n  <<: *a\n  z: 1\n  b: 2\n"), "x");

        assert_int_equal(n->n, 3);
        assert_string_equal(n->entries[0].key, "z");
        assert_string_equal(n->entries[1].key, "b");
        assert_string_equal(n->entries[2].key, "m");
        assert_int_equal(n->entries[2].at.line, 1);
}

/*
 * What is refused
 */

static void test_syntax_errors_say_what_to_do(void **state) {
        static const struct refusal refusals[] = {
                { "a:\n\tb: 1\n", 2, 1, "tabs cannot indent YAML", "use spaces" },
                { "a: b\n\tc: d\n", 2, 1, "tabs cannot indent YAML", "use spaces" },
                { "a: |\n\tb\n", 2, 1, "tabs cannot indent YAML", "use spaces" },
                { "a: 1\nb: \"foo\nc: d\n", 2, 4, "this quote is never closed", "close it" },
                { "a: 'foo\n", 1, 4, "this quote is never closed", "close it" },
                { "a: b: c\n", 1, 5, "a ':' cannot start a value here", "quote a text that holds ': '" },
                { "x: 1\n y: 2\n", 2, 3, "a ':' cannot start a value here", "indentation" },
                { "a: 1\nb:c\nd: e\n", 2, 1, "this key has no ':'", "space after the colon" },
                { "a:\n  - b\n c: d\n", 3, 2, "a key was expected here", "indentation" },
                { "a: [1, 2\nb: 3\n", 1, 4, "not closed", NULL },
                { "a: {b: 1\nc: [\n", 1, 4, "not closed", NULL },
                { "a: @x\n", 1, 4, "this character cannot start a value", "quote" },
                { "a: \"\\d\"\n", 1, 5, "unknown escape", "single quotes" },
                { "a: \"\\ud800\"\n", 1, 7, "names no character", NULL },
                { "a: - b\n", 1, 4, "a '-' cannot start a list item here", "lines of its own" },
                { "a: *\n", 1, 5, "needs a name", "quote" },
                { "a: |x\n  b\n", 1, 5, "only a comment may follow", NULL },
                { "a: \x01\n", 1, 4, "U+0001 cannot stand in YAML", "escape" },
                { NULL },
        };

        assert_all_refused(refusals);
}

static void test_what_yaml_allows_and_we_do_not(void **state) {
        static const struct refusal refusals[] = {
                { "a: 1\n---\nb: 2\n", 2, 1, "a second document", "a file of its own" },
                { "a: 1\nb: 2\na: 3\n", 3, 1, "repeated key 'a'", "once" },
                { "1: x\n\"1\": y\n", 2, 1, "repeated key '1'", NULL },
                { "x: {a: 1, b: 2, b: 3, a: 4}\n", 1, 17, "repeated key 'b'", NULL },
                { "? [a]\n: b\n", 1, 3, "a key must be a scalar, not a list", NULL },
                { "a: {{ x }}\n", 1, 5, "a key must be a scalar, not a map", "quote" },
                { "~: 1\n", 1, 1, "a key must be a scalar, not nothing", NULL },
                { "a: &x [1]\n*x : 1\n", 2, 1, "a key must be a scalar, not a list", NULL },
                { "a: !foo x\n", 1, 4, "the tag '!foo'", "remove the tag" },
                { "a: !!binary eA==\n", 1, 4, "the tag 'tag:yaml.org,2002:binary'", NULL },
                { "a: !!set {x}\n", 1, 4, "the tag", NULL },
                { "a: !!int x\n", 1, 4, "'x' is not what the tag", NULL },
                { "a: !e!x y\n", 1, 4, "the tag is not supported", NULL },
                { "%TAG !e! tag:e,2000:\n---\na: 1\n", 1, 1, "%TAG", NULL },
                { "a: \"x\\0y\"\n", 1, 4, "NUL", NULL },
                { "<<: 3\n", 1, 5, "'<<' must be a map or a list of maps, not an integer", NULL },
                { "<<: [{a: 1}, 2]\n", 1, 5, "'<<' must be a map or a list of maps", NULL },
                { "<<: {a: 1}\n<<: {b: 1}\n", 2, 1, "repeated key '<<'", "list" },
                { "a: *y\n", 1, 4, "no anchor '&y'", "quoted" },
                { "a: &x [*x]\n", 1, 8, "inside of its own anchor", NULL },
                { "&x a: &y {b: {c: *y}}\n", 1, 18, "inside of its own anchor", NULL },
                { NULL },
        };

        assert_all_refused(refusals);
}

static void test_bytes_that_hide_something_are_refused(void **state) {
        static const struct {
                const char *bytes;
                size_t size;
                struct refusal r;
        } cases[] = {
                { "a: \xc3\xa9\xff\n", 7, { NULL, 1, 5, "0xff is not UTF-8", "UTF-8" } },
                { "a: 1\nb: \xc0\xaf\n", 11, { NULL, 2, 4, "0xc0 is not UTF-8", NULL } },
                { "a: \xed\xa0\x80", 6, { NULL, 1, 4, "0xed is not UTF-8", NULL } },
                { "\xff\xfe"
                  "a\0:\0",
                  6,
                  { NULL, 1, 1, "0xff is not UTF-8", NULL } },
                { "a: 1\0b", 6, { NULL, 1, 5, "NUL", NULL } },
                { "# x\rb: 1\n", 9, { NULL, 1, 4, "carriage return", "LF" } },
                { "a: 1\r", 5, { NULL, 1, 5, "carriage return", NULL } },
                { "# x\xe2\x80\xa8"
                  "b: 1\n",
                  12,
                  { NULL, 1, 4, "U+2028", "escape" } },
                { "# x\xc2\x85"
                  "b: 1\n",
                  11,
                  { NULL, 1, 4, "U+0085", NULL } },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
                assert_refused(cases[i].bytes, cases[i].size, &cases[i].r, REASON_LOAD_INVALID);
}

static void test_faults_show_the_line(void **state) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault f = FAULT_INIT;
        const struct node *n = NULL;
        const char text[] = "\xef\xbb\xbf"
                            "one: 1\r\ntwo: [\r\nthree: 3\r\n";

        assert_true(yaml_parse("x.yaml", text, strlen(text), a, &n, &f) < 0);
        assert_int_equal(f.line, 2);
        assert_string_equal(f.excerpt, "two: [");
}

/*
 * Limits
 */

static void test_depth_is_limited(void **state) {
        const struct refusal flow = { NULL, 1, LIMIT_YAML_DEPTH + 1, "nested deeper than 64", NULL };
        own_buffer struct buffer text = BUFFER_INIT;
        own_arena struct arena *a = arena_new();

        for (int i = 0; i < LIMIT_YAML_DEPTH; i++)
                buffer_putc(&text, '[');
        for (int i = 0; i < LIMIT_YAML_DEPTH; i++)
                buffer_putc(&text, ']');
        assert_non_null(parsed(a, buffer_str(&text)));

        buffer_clear(&text);
        for (int i = 0; i < 500000; i++)
                buffer_putc(&text, '[');
        assert_refused(text.data, text.size, &flow, REASON_LOAD_LIMIT);

        buffer_clear(&text);
        for (int i = 0; i < 1000; i++)
                buffer_puts(&text, "- ");
        assert_refused(text.data, text.size, &(struct refusal){ NULL, 1, 2 * LIMIT_YAML_DEPTH + 1, "nested", NULL },
                       REASON_LOAD_LIMIT);
}

static void test_aliases_do_not_hide_depth(void **state) {
        own_buffer struct buffer text = BUFFER_INIT;

        buffer_puts(&text, "a: &a0 [x]\n");
        for (int i = 1; i < 200; i++)
                buffer_printf(&text, "a%d: &a%d [*a%d]\n", i, i, i - 1);
        assert_refused(text.data, text.size, &(struct refusal){ NULL, 64, 12, "nested deeper than 64", NULL },
                       REASON_LOAD_LIMIT);
}

static void test_alias_bombs_are_refused(void **state) {
        own_buffer struct buffer text = BUFFER_INIT;

        buffer_puts(&text, "a: &a [x,x,x,x,x,x,x,x,x]\n");
        for (char c = 'b'; c <= 'i'; c++) {
                buffer_printf(&text, "%c: &%c [", c, c);
                for (int i = 0; i < 9; i++)
                        buffer_printf(&text, "%s*%c", i ? "," : "", c - 1);
                buffer_puts(&text, "]\n");
        }
        assert_refused(text.data, text.size, &(struct refusal){ NULL, 6, 11, "more than 200000 values", NULL },
                       REASON_LOAD_LIMIT);
}

static void test_nodes_and_bytes_are_limited(void **state) {
        own_buffer struct buffer text = BUFFER_INIT;
        own_free char *big = malloc(LIMIT_DOCUMENT_BYTES + 1);

        buffer_putc(&text, '[');
        for (int i = 0; i < LIMIT_YAML_NODES; i++)
                buffer_puts(&text, "1,\n");
        buffer_putc(&text, ']');
        assert_refused(text.data, text.size, &(struct refusal){ NULL, LIMIT_YAML_NODES, 1, "more than 200000", NULL },
                       REASON_LOAD_LIMIT);

        assert_non_null(big);
        memset(big, '#', LIMIT_DOCUMENT_BYTES + 1);
        assert_refused(big, LIMIT_DOCUMENT_BYTES + 1, &(struct refusal){ NULL, 0, 0, "1048576 bytes", NULL },
                       REASON_LOAD_LIMIT);
}

static void test_a_big_map_and_many_anchors_are_read(void **state) {
        own_buffer struct buffer text = BUFFER_INIT;
        own_arena struct arena *a = arena_new();

        for (int i = 0; i < 40000; i++)
                buffer_printf(&text, "k%d: &a%d 1\n", i, i);
        assert_int_equal(parsed_bytes(a, text.data, text.size)->n, 40000);
        buffer_puts(&text, "k7: 2\n");
        assert_refused(text.data, text.size, &(struct refusal){ NULL, 40001, 1, "repeated key 'k7'", NULL },
                       REASON_LOAD_INVALID);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_collections_and_styles),
        cmocka_unit_test(test_core_schema_types),
        cmocka_unit_test(test_text_stays_as_written),
        cmocka_unit_test(test_positions_count_characters_from_one),
        cmocka_unit_test(test_bom_and_crlf_change_nothing),
        cmocka_unit_test(test_empty_documents_are_null),
        cmocka_unit_test(test_aliases_share_their_anchor),
        cmocka_unit_test(test_merge_keys),
        cmocka_unit_test(test_written_keys_come_before_merged_ones),
        cmocka_unit_test(test_syntax_errors_say_what_to_do),
        cmocka_unit_test(test_what_yaml_allows_and_we_do_not),
        cmocka_unit_test(test_bytes_that_hide_something_are_refused),
        cmocka_unit_test(test_faults_show_the_line),
        cmocka_unit_test(test_depth_is_limited),
        cmocka_unit_test(test_aliases_do_not_hide_depth),
        cmocka_unit_test(test_alias_bombs_are_refused),
        cmocka_unit_test(test_nodes_and_bytes_are_limited),
        cmocka_unit_test(test_a_big_map_and_many_anchors_are_read),
};

TEST_GROUP(yaml, tests);
