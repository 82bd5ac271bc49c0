/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/buffer.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/data/json.h"
#include "shared/data/table.h"
#include "shared/data/yaml.h"
#include "tests/lib/group.h"

#define SHA "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

/*
 * A document with a field of every type
 */

enum mode { MODE_NONE, MODE_SAFE, MODE_FAST, MODE_MAX_ };

static const char *const mode_names[MODE_MAX_ + 1] = { [MODE_NONE] = "", [MODE_SAFE] = "safe", [MODE_FAST] = "fast" };

struct port {
        struct text_at name;
        int64_t number;
        bool open;
};

static int port_read_short(const struct node *node, void *object, struct arena *a, struct fault *reterr) {
        struct port *port = object;

        if (node->type != NODE_INTEGER)
                return fault_set_at(reterr, &node->at, "a port must be a number or a map");
        port->number = node->integer;
        return 0;
}

static int port_check(void *object, const struct node *node, struct fault *reterr) {
        const struct port *port = object;

        if (port->open && port->number == 22)
                return fault_set_at(reterr, &node->at, "port 22 must not be open");
        return 0;
}

static const struct field port_fields[] = {
        { .key = "number",
          .type = FIELD_INTEGER,
          .at = offsetof(struct port, number),
          .flags = FIELD_REQUIRED,
          .minimum = 1,
          .maximum = 65535,
          .doc = "Its number." },
        { .key = "open", .type = FIELD_BOOL, .at = offsetof(struct port, open), .flags = FIELD_OMIT },
        { .key = NULL },
};

static const struct table port_table = {
        .title = "Port",
        .size = sizeof(struct port),
        .fields = port_fields,
        .map_key = offsetof(struct port, name) + 1,
        .map_key_format = "name",
        .check = port_check,
        .read_short = port_read_short,
        .short_schema = "{\"type\":\"integer\"}",
};

struct app {
        const char *name;
        struct text_at image;
        const char *version;
        bool enabled;
        int64_t replicas;
        int64_t grace_ms;
        enum mode mode;
        struct string_list tags;
        struct string_map labels;
        struct port main;
        struct port *admin;
        struct struct_list list;
        struct struct_list map;
        json_t *extra;
        char letter;
        bool secret;
        struct source_pos at;
};

static int letter_read(const struct node *node, void *slot, struct arena *a, struct fault *reterr) {
        if (node->type != NODE_STRING || strlen(node->text) != 1)
                return fault_set_at(reterr, &node->at, "'letter' must be one letter");
        *(char *)slot = node->text[0];
        return 0;
}

static json_t *letter_write(const void *slot) {
        const char *letter = slot;

        return *letter ? json_stringn(letter, 1) : NULL;
}

#define APP(member) .at = offsetof(struct app, member)
static const struct field app_fields[] = {
        { .key = "name",
          .type = FIELD_STRING,
          APP(name),
          .flags = FIELD_REQUIRED,
          .format = "name",
          .doc = "The name." },
        { .key = "image", .type = FIELD_TEXT, APP(image), .flags = FIELD_OMIT, .format = "image" },
        { .key = "version", .type = FIELD_STRING, APP(version), .flags = FIELD_SCALAR | FIELD_NULLABLE },
        { .key = "enabled", .type = FIELD_BOOL, APP(enabled), .flags = FIELD_OMIT, .absent = true },
        { .key = "replicas", .type = FIELD_INTEGER, APP(replicas), .absent = 1, .minimum = 0, .maximum = 256 },
        { .key = "grace", .type = FIELD_DURATION, APP(grace_ms), .absent = 10000, .minimum = 0, .maximum = 600000 },
        { .key = "mode", .type = FIELD_ENUM, APP(mode), .flags = FIELD_OMIT, .names = mode_names },
        { .key = "tags", .type = FIELD_STRING_LIST, APP(tags) },
        { .key = "labels", .type = FIELD_STRING_MAP, APP(labels), .flags = FIELD_OMIT },
        { .key = "main", .type = FIELD_STRUCT, APP(main), .flags = FIELD_REQUIRED, .sub = &port_table },
        { .key = "admin", .type = FIELD_STRUCT_PTR, APP(admin), .sub = &port_table, .doc = "For us." },
        { .key = "list", .type = FIELD_STRUCT_LIST, APP(list), .flags = FIELD_OMIT, .sub = &port_table },
        { .key = "map", .type = FIELD_STRUCT_MAP, APP(map), .flags = FIELD_OMIT, .sub = &port_table },
        { .key = "extra", .type = FIELD_JSON, APP(extra), .flags = FIELD_OMIT },
        { .key = "letter",
          .type = FIELD_CUSTOM,
          APP(letter),
          .read = letter_read,
          .write = letter_write,
          .schema = "{\"type\":\"string\",\"maxLength\":1}" },
        { .key = "secret", .type = FIELD_BOOL, APP(secret), .flags = FIELD_HIDDEN | FIELD_OMIT },
        { .key = NULL },
};

static const struct table app_table = {
        .title = "App",
        .kind = "App",
        .size = sizeof(struct app),
        .fields = app_fields,
        .position = offsetof(struct app, at) + 1,
        .doc = "One app.",
        .extension_prefix = "x-",
};

#define HEAD "apiVersion: tallyman/v1\nkind: App\n"
#define MIN  HEAD "name: shop\nmain: {number: 80}\n"

static int read_app(const char *text, struct app *ret, struct arena *a, struct fault *reterr) {
        const struct node *n = NULL;

        assert_int_equal(yaml_parse("a.yaml", text, strlen(text), a, &n, reterr), 0);
        return table_read(&app_table, n, ret, a, reterr);
}

/*
 * Reading
 */

static void test_every_type_is_read(void **state) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault f = FAULT_INIT;
        struct app app;

        assert_int_equal(read_app(MIN
                                  "image: r/x@" SHA "\nversion: 1.50\nenabled: false\nreplicas: 3\ngrace: 2m\n"
                                  "mode: fast\ntags: [a, b]\nlabels: {x: 1, y: no}\nadmin: {number: 81, open: true}\n"
                                  "list: [82, {number: 83}]\nmap: {web: 84, api: {number: 85}}\n"
                                  "extra: {k: [1, null]}\nletter: q\nx-note: {any: thing}\n",
                                  &app, a, &f),
                         0);
        assert_string_equal(app.name, "shop");
        assert_string_equal(app.image.text, "r/x@" SHA);
        assert_int_equal(app.image.at.line, 5);
        assert_int_equal(app.image.at.column, 8);
        assert_string_equal(app.version, "1.50");
        assert_false(app.enabled);
        assert_int_equal(app.replicas, 3);
        assert_int_equal(app.grace_ms, 120000);
        assert_int_equal(app.mode, MODE_FAST);
        assert_int_equal(app.tags.n, 2);
        assert_string_equal(app.tags.items[1].text, "b");
        assert_int_equal(app.labels.n, 2);
        assert_string_equal(app.labels.items[0].key.text, "x");
        assert_string_equal(app.labels.items[0].value.text, "1");
        assert_int_equal(app.main.number, 80);
        assert_int_equal(app.admin->number, 81);
        assert_true(app.admin->open);
        assert_int_equal(app.list.n, 2);
        assert_int_equal(((struct port *)app.list.items)[0].number, 82);
        assert_int_equal(app.map.n, 2);
        assert_string_equal(((struct port *)app.map.items)[1].name.text, "api");
        assert_int_equal(((struct port *)app.map.items)[1].name.at.line, 15);
        assert_int_equal(json_array_size(json_object_get(app.extra, "k")), 2);
        assert_int_equal(app.letter, 'q');
        assert_int_equal(app.at.line, 1);
}

static void test_absent_keys_have_their_defaults(void **state) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault f = FAULT_INIT;
        struct app app;

        memset(&app, 0xff, sizeof(app));
        assert_int_equal(read_app(MIN "version: ~\n", &app, a, &f), 0);
        assert_null(app.image.text);
        assert_null(app.version);
        assert_true(app.enabled);
        assert_int_equal(app.replicas, 1);
        assert_int_equal(app.grace_ms, 10000);
        assert_int_equal(app.mode, MODE_NONE);
        assert_int_equal(app.tags.n, 0);
        assert_null(app.admin);
        assert_null(app.extra);
}

static void test_refusals_name_the_place_and_the_way_out(void **state) {
        static const struct {
                const char *text;
                unsigned line, column;
                const char *message, *hint;
        } cases[] = {
                { "[]\n", 1, 1, "App must be a map, not a list", NULL },
                { "kind: App\n", 1, 1, "missing key 'apiVersion'", "write 'apiVersion: tallyman/v1'" },
                { "apiVersion: v1\nkind: App\n", 1, 13, "apiVersion must be 'tallyman/v1'", NULL },
                { "apiVersion: tallyman/v1\nkind: Host\n", 2, 7, "kind must be 'App'", NULL },
                { HEAD "nmae: x\n", 3, 1, "unknown key 'nmae'", "did you mean 'name'?" },
                { MIN "sekret: true\n", 5, 1, "unknown key 'sekret'", NULL },
                { MIN "admin: {number: 1, opne: true}\n", 5, 20, "unknown key 'opne'", "did you mean 'open'?" },
                { HEAD "main: 80\n", 1, 1, "missing key 'name'", NULL },
                { MIN "list:\n  - open: true\n", 6, 5, "missing key 'number'", NULL },
                { MIN "replicas: \"3\"\n", 5, 11, "'replicas' must be an integer, not a string",
                  "remove the quotes: 3" },
                { MIN "replicas: 300\n", 5, 11, "'replicas' must be between 0 and 256, not 300", NULL },
                { MIN "replicas: 1.5\n", 5, 11, "'replicas' must be an integer, not a real number", NULL },
                { MIN "enabled: yes\n", 5, 10, "'enabled' must be a boolean, not a string", "true or false" },
                { MIN "grace: 30\n", 5, 8, "'grace' must be a duration, not an integer", "30s" },
                { MIN "grace: soon\n", 5, 8, "'grace' must be a duration, not 'soon'", "30s" },
                { MIN "grace: 1h\n", 5, 8, "'grace' must be between 0s and 10m, not 1h", NULL },
                { MIN "mode: fsat\n", 5, 7, "'mode' must be 'safe' or 'fast', not 'fsat'", "did you mean 'fast'?" },
                { MIN "mode: \"\"\n", 5, 7, "'mode' must be 'safe' or 'fast', not ''", NULL },
                { MIN "mode: [safe]\n", 5, 7, "'mode' must be 'safe' or 'fast', not a list", NULL },
                { HEAD "main: 80\nname: 12\n", 4, 7, "'name' must be a string, not an integer",
                  "put it in quotes: \"12\"" },
                { HEAD "main: 80\nname: Shop\n", 4, 7, "'name' must be a name, not 'Shop'", "lower-case" },
                { MIN "image: a b\n", 5, 8, "'image' must be an image reference", NULL },
                { MIN "version: [1]\n", 5, 10, "'version' must be a scalar, not a list", NULL },
                { MIN "replicas:\n", 5, 10, "'replicas' must be an integer, not nothing", NULL },
                { MIN "tags: a\n", 5, 7, "'tags' must be a list, not a string", NULL },
                { MIN "tags: [a, 1]\n", 5, 11, "an item of 'tags' must be a string, not an integer", "quotes" },
                { MIN "labels: [a]\n", 5, 9, "'labels' must be a map, not a list", NULL },
                { MIN "labels: {a: {}}\n", 5, 13, "'a' must be a scalar, not a map", NULL },
                { MIN "labels:\n  a:\n", 6, 5, "'a' must be a scalar, not nothing", "write \"\"" },
                { MIN "admin: x\n", 5, 8, "a port must be a number or a map", NULL },
                { MIN "list: {}\n", 5, 7, "'list' must be a list, not a map", NULL },
                { MIN "map: {Web: 80}\n", 5, 7, "a key of 'map' must be a name, not 'Web'", "lower-case" },
                { MIN "map: {ssh: {number: 22, open: true}}\n", 5, 12, "port 22 must not be open", NULL },
                { MIN "letter: abc\n", 5, 9, "'letter' must be one letter", NULL },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                own_arena struct arena *a = arena_new();
                own_fault struct fault f = FAULT_INIT;
                struct app app;

                if (read_app(cases[i].text, &app, a, &f) == 0)
                        fail_msg("accepted: %s", cases[i].text);
                assert_int_equal(f.kind, FAULT_CONFIG);
                assert_ptr_equal(f.code, REASON_LOAD_INVALID);
                assert_string_equal(f.path, "a.yaml");
                if (!strstr(f.message, cases[i].message))
                        fail_msg("'%s' does not say '%s'", f.message, cases[i].message);
                if (cases[i].hint && (!f.hint || !strstr(f.hint, cases[i].hint)))
                        fail_msg("%s: the hint '%s' is not '%s'", f.message, f.hint ? f.hint : "", cases[i].hint);
                if (f.line != cases[i].line || f.column != cases[i].column)
                        fail_msg("%s: at %u:%u", f.message, f.line, f.column);
        }
}

static void test_null_is_absent_only_in_our_own_json(void **state) {
        const char text[] =
                "{\"apiVersion\":\"tallyman/v1\",\"kind\":\"App\",\"name\":\"x\",\"main\":80,\"admin\":null}";
        own_arena struct arena *a = arena_new();
        own_fault struct fault f = FAULT_INIT, g = FAULT_INIT;
        own_json json_t *json = NULL;
        struct app app;

        assert_int_equal(json_parse("w.json", text, strlen(text), &json, &f), 0);
        assert_int_equal(table_read_json(&app_table, "w.json", json, &app, a, &f), 0);
        assert_null(app.admin);
        assert_true(read_app(text, &app, a, &g) < 0);
        fault_done(&g);

        json_object_del(json, "name");
        assert_true(table_read_json(&app_table, "w.json", json, &app, a, &f) < 0);
        assert_string_equal(f.path, "w.json");
        assert_non_null(strstr(f.message, "'name'"));
}

static void test_kind_of_a_document(void **state) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault f = FAULT_INIT;
        const struct node *n = NULL;

        assert_int_equal(yaml_parse("x", MIN, strlen(MIN), a, &n, &f), 0);
        assert_string_equal(document_kind(n), "App");
        assert_int_equal(yaml_parse("x", "kind: 1", 7, a, &n, &f), 0);
        assert_null(document_kind(n));
        assert_null(document_kind(NULL));
}

/*
 * Writing
 */

static char *written(const struct app *app) {
        own_json json_t *json = table_write(&app_table, app);
        own_buffer struct buffer out = BUFFER_INIT;
        own_fault struct fault f = FAULT_INIT;

        assert_int_equal(json_canonical(json, &out, &f), 0);
        return buffer_steal(&out, NULL);
}

static void test_empty_fields_are_left_out_or_null(void **state) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault f = FAULT_INIT;
        own_free char *text = NULL;
        struct app app;

        assert_int_equal(read_app(MIN, &app, a, &f), 0);
        text = written(&app);
        assert_string_equal(text, "{\"admin\":null,\"apiVersion\":\"tallyman/v1\",\"enabled\":true,\"grace\":\"10s\","
                                  "\"kind\":\"App\",\"main\":{\"number\":80},\"name\":\"shop\",\"replicas\":1,"
                                  "\"tags\":[],\"version\":null}");
}

static void test_what_is_written_reads_back_as_equal(void **state) {
        static const char *const texts[] = {
                MIN,
                MIN "enabled: false\nreplicas: 0\ngrace: 0s\nmode: safe\nversion: \"\"\n",
                MIN "image: r/x@" SHA "\nversion: 1.50\nmode: fast\ntags: [a, b]\nlabels: {x: 1, y: no, z: \"\"}\n"
                    "admin: {number: 81, open: true}\nlist: [82, {number: 83}]\nmap: {web: 84, api: {number: 85}}\n"
                    "extra: {k: [1, null, {}]}\nletter: q\n",
                NULL,
        };

        for (size_t i = 0; texts[i]; i++) {
                own_arena struct arena *a = arena_new();
                own_fault struct fault f = FAULT_INIT;
                own_free char *once = NULL, *twice = NULL;
                own_json json_t *json = NULL;
                struct app app, again;

                assert_int_equal(read_app(texts[i], &app, a, &f), 0);
                json = table_write(&app_table, &app);
                assert_int_equal(table_read_json(&app_table, "x", json, &again, a, &f), 0);
                once = written(&app);
                twice = written(&again);
                assert_string_equal(once, twice);
                assert_int_equal(app.enabled, again.enabled);
                assert_int_equal(app.replicas, again.replicas);
                assert_int_equal(app.grace_ms, again.grace_ms);
                assert_int_equal(app.mode, again.mode);
                assert_true(str_eq(app.version, again.version));
        }
}

/*
 * Schema
 */

static const json_t *at(const json_t *json, const char *path) {
        char part[64];

        for (size_t n; *path; path += n + (path[n] == '/')) {
                n = strcspn(path, "/");
                assert_true(n < sizeof(part));
                memcpy(part, path, n);
                part[n] = '\0';
                json = json_is_array(json) ? json_array_get(json, (size_t)(part[0] - '0'))
                                           : json_object_get(json, part);
        }
        return json;
}

static void assert_at(const json_t *json, const char *path, const char *expected) {
        own_buffer struct buffer out = BUFFER_INIT;
        own_fault struct fault f = FAULT_INIT;
        const json_t *found = at(json, path);

        if (!found)
                fail_msg("nothing at %s", path);
        assert_int_equal(json_canonical(found, &out, &f), 0);
        assert_string_equal(buffer_str(&out), expected);
}

static void test_schema_describes_every_field(void **state) {
        own_json json_t *s = table_schema(&app_table);

        assert_at(s, "title", "\"App\"");
        assert_at(s, "description", "\"One app.\"");
        assert_at(s, "type", "\"object\"");
        assert_at(s, "additionalProperties", "false");
        assert_at(s, "patternProperties", "{\"^x-\":true}");
        assert_at(s, "required", "[\"apiVersion\",\"kind\",\"name\",\"main\"]");
        assert_at(s, "properties/apiVersion", "{\"const\":\"tallyman/v1\"}");
        assert_at(s, "properties/kind", "{\"const\":\"App\"}");
        assert_at(s, "properties/name",
                  "{\"description\":\"The name.\",\"pattern\":\"^[a-z0-9][a-z0-9._-]{0,62}$\","
                  "\"type\":\"string\"}");
        assert_at(s, "properties/version",
                  "{\"anyOf\":[{\"type\":[\"string\",\"number\",\"boolean\"]},{\"type\":\"null\"}]}");
        assert_at(s, "properties/enabled", "{\"default\":true,\"type\":\"boolean\"}");
        assert_at(s, "properties/replicas", "{\"default\":1,\"maximum\":256,\"minimum\":0,\"type\":\"integer\"}");
        assert_at(s, "properties/grace/default", "\"10s\"");
        assert_at(s, "properties/mode", "{\"enum\":[\"safe\",\"fast\"]}");
        assert_at(s, "properties/tags", "{\"items\":{\"type\":\"string\"},\"type\":\"array\"}");
        assert_at(s, "properties/labels/additionalProperties/type", "[\"string\",\"number\",\"boolean\"]");
        assert_at(s, "properties/admin/description", "\"For us.\"");
        assert_at(s, "properties/admin/anyOf/1", "{\"type\":\"integer\"}");
        assert_at(s, "properties/list/items/anyOf/0/required", "[\"number\"]");
        assert_at(s, "properties/map/propertyNames/pattern", "\"^[a-z0-9][a-z0-9._-]{0,62}$\"");
        assert_at(s, "properties/extra", "{}");
        assert_at(s, "properties/letter", "{\"maxLength\":1,\"type\":\"string\"}");
        assert_null(at(s, "properties/secret"));
        assert_non_null(strstr(json_get_string(s, "$schema"), "draft/2020-12"));
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_type_is_read),
        cmocka_unit_test(test_absent_keys_have_their_defaults),
        cmocka_unit_test(test_refusals_name_the_place_and_the_way_out),
        cmocka_unit_test(test_null_is_absent_only_in_our_own_json),
        cmocka_unit_test(test_kind_of_a_document),
        cmocka_unit_test(test_empty_fields_are_left_out_or_null),
        cmocka_unit_test(test_what_is_written_reads_back_as_equal),
        cmocka_unit_test(test_schema_describes_every_field),
};

TEST_GROUP(table, tests);
