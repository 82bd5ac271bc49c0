/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "shared/base/limits.h"
#include "shared/data/json.h"
#include "shared/data/node.h"
#include "tests/lib/group.h"

static const struct node *tree_of(const char *text, struct arena *a) {
        own_fault struct fault f = FAULT_INIT;
        own_json json_t *json = NULL;
        const struct node *n = NULL;

        assert_int_equal(json_parse("x.json", text, strlen(text), &json, &f), 0);
        assert_int_equal(node_from_json(json, NULL, a, &n, &f), 0);
        return n;
}

static void test_every_type_has_words(void **state) {
        for (int i = 0; i < NODE_TYPE_MAX_; i++)
                assert_true(strlen(node_type_to_string((enum node_type)i)) > 3);
        assert_string_equal(node_type_to_string(NODE_NULL), "nothing");
        assert_string_equal(node_type_to_string(NODE_INTEGER), "an integer");
}

static void test_get_finds_keys_of_maps_only(void **state) {
        own_arena struct arena *a = arena_new();
        const struct node *n = tree_of("{\"a\":1,\"b\":{\"c\":[]}}", a);

        assert_int_equal(node_get(n, "a")->integer, 1);
        assert_int_equal(node_get(node_get(n, "b"), "c")->type, NODE_LIST);
        assert_null(node_get(n, "c"));
        assert_null(node_get(node_get(n, "a"), "a"));
        assert_null(node_get(NULL, "a"));
}

static void test_json_becomes_nodes_of_the_same_types(void **state) {
        own_arena struct arena *a = arena_new();
        const struct node *n = tree_of("[null,true,-9223372036854775808,1.5,\"x\",{}]", a);

        assert_int_equal(n->n, 6);
        assert_int_equal(n->items[0]->type, NODE_NULL);
        assert_string_equal(n->items[0]->text, "");
        assert_int_equal(n->items[1]->type, NODE_BOOL);
        assert_true(n->items[1]->boolean);
        assert_true(n->items[2]->integer == INT64_MIN);
        assert_string_equal(n->items[2]->text, "-9223372036854775808");
        assert_int_equal(n->items[3]->type, NODE_REAL);
        assert_string_equal(n->items[3]->text, "1.5");
        assert_true(n->items[4]->quoted);
        assert_int_equal(n->items[5]->type, NODE_MAP);
        assert_int_equal(n->items[5]->n, 0);
}

static void test_map_keeps_the_order_written(void **state) {
        own_arena struct arena *a = arena_new();
        const struct node *n = tree_of("{\"z\":1,\"a\":2,\"m\":3}", a);

        assert_string_equal(n->entries[0].key, "z");
        assert_string_equal(n->entries[1].key, "a");
        assert_string_equal(n->entries[2].key, "m");
}

static void test_back_to_json_is_the_same_but_for_reals(void **state) {
        own_arena struct arena *a = arena_new();
        own_buffer struct buffer out = BUFFER_INIT;
        own_fault struct fault f = FAULT_INIT;
        own_json json_t *json = node_to_json(tree_of("{\"a\":[1,true,null,\"x\",1.5],\"b\":{}}", a));

        assert_int_equal(json_canonical(json, &out, &f), 0);
        assert_string_equal(buffer_str(&out), "{\"a\":[1,true,null,\"x\",\"1.5\"],\"b\":{}}");
}

static json_t *nested(int levels) {
        json_t *json = json_array();

        for (int i = 1; i < levels; i++) {
                json_t *outer = json_array();

                json_array_append_new(outer, json);
                json = outer;
        }
        return json;
}

static void test_depth_is_limited(void **state) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault f = FAULT_INIT;
        own_json json_t *most = nested(LIMIT_JSON_DEPTH), *more = nested(LIMIT_JSON_DEPTH + 1);
        const struct node *n = NULL;

        assert_int_equal(node_from_json(most, NULL, a, &n, &f), 0);
        n = NULL;
        assert_true(node_from_json(more, NULL, a, &n, &f) < 0);
        assert_null(n);
        assert_int_equal(f.kind, FAULT_CONFIG);
}

static void test_nul_inside_a_string_is_refused(void **state) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault f = FAULT_INIT;
        own_json json_t *json = json_stringn("a\0b", 3);
        const struct node *n = NULL;

        assert_true(node_from_json(json, NULL, a, &n, &f) < 0);
        assert_null(n);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_type_has_words),
        cmocka_unit_test(test_get_finds_keys_of_maps_only),
        cmocka_unit_test(test_json_becomes_nodes_of_the_same_types),
        cmocka_unit_test(test_map_keeps_the_order_written),
        cmocka_unit_test(test_back_to_json_is_the_same_but_for_reals),
        cmocka_unit_test(test_depth_is_limited),
        cmocka_unit_test(test_nul_inside_a_string_is_refused),
};

TEST_GROUP(node, tests);
