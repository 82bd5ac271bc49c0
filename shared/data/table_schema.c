/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/data/table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/text.h"
#include "shared/data/json.h"
#include "shared/data/table_format.h"

#define DIALECT          "https://json-schema.org/draft/2020-12/schema"
#define DURATION_PATTERN "^(0|[1-9][0-9]*)(ms|s|m|h|d)$"

static json_t *object_schema(const struct table *t);

static json_t *made(json_t *value) {
        if (!value)
                abort();
        return value;
}

static void put(json_t *object, const char *key, json_t *value) {
        if (json_object_set_new(object, key, made(value)) < 0)
                abort();
}

static void append(json_t *array, json_t *value) {
        if (json_array_append_new(array, made(value)) < 0)
                abort();
}

/* A fragment that a table carries as text; a broken one is a mistake in the program. */
static json_t *fragment(const char *text) {
        json_t *value = json_loads(text ? text : "{}", JSON_REJECT_DUPLICATES, NULL);

        assert(value);
        return value;
}

static json_t *typed(const char *type) {
        json_t *schema = made(json_object());

        put(schema, "type", json_string(type));
        return schema;
}

static void add_format(json_t *schema, const char *name) {
        const struct format *format = format_find(name);

        if (format)
                put(schema, "pattern", json_string(format->pattern));
}

/*
 * One kind of field each
 */

static json_t *string_schema(const struct field *f) {
        json_t *schema, *types;

        if (!(f->flags & FIELD_SCALAR) && f->type != FIELD_STRING_MAP)
                schema = typed("string");
        else {
                types = made(json_array());
                append(types, json_string("string"));
                append(types, json_string("number"));
                append(types, json_string("boolean"));
                schema = made(json_object());
                put(schema, "type", types);
        }
        add_format(schema, f->format);
        return schema;
}

static json_t *bool_schema(const struct field *f) {
        json_t *schema = typed("boolean");

        if (!(f->flags & FIELD_REQUIRED))
                put(schema, "default", json_boolean(f->absent != 0));
        return schema;
}

/* A default outside of the range only says that the key is absent. */
static bool has_default(const struct field *f) {
        bool ranged = f->minimum != 0 || f->maximum != 0;

        return !(f->flags & FIELD_REQUIRED) && (!ranged || (f->absent >= f->minimum && f->absent <= f->maximum));
}

static json_t *integer_schema(const struct field *f) {
        json_t *schema = typed("integer");

        if (f->minimum != 0 || f->maximum != 0) {
                put(schema, "minimum", json_integer(f->minimum));
                put(schema, "maximum", json_integer(f->maximum));
        }
        if (has_default(f))
                put(schema, "default", json_integer(f->absent));
        return schema;
}

static json_t *duration_schema(const struct field *f) {
        json_t *schema = typed("string");
        char text[DURATION_TEXT_MAX];

        put(schema, "pattern", json_string(DURATION_PATTERN));
        if (has_default(f))
                put(schema, "default", json_string(format_duration(f->absent, text)));
        return schema;
}

static json_t *enum_schema(const struct field *f) {
        json_t *schema = made(json_object()), *words = made(json_array());

        put(schema, "enum", words);
        for (int64_t i = 0; f->names[i] && (!f->hidden_from || i < f->hidden_from); i++) {
                if (!*f->names[i])
                        continue;
                append(words, json_string(f->names[i]));
                if (i == f->absent && !(f->flags & FIELD_REQUIRED))
                        put(schema, "default", json_string(f->names[i]));
        }
        return schema;
}

static json_t *list_of(json_t *items) {
        json_t *schema = typed("array");

        put(schema, "items", items);
        return schema;
}

static json_t *string_list_schema(const struct field *f) {
        return list_of(string_schema(f));
}

static json_t *string_map_schema(const struct field *f) {
        json_t *schema = typed("object");

        put(schema, "additionalProperties", string_schema(f));
        return schema;
}

static json_t *struct_schema(const struct field *f) {
        return object_schema(f->sub);
}

static json_t *struct_list_schema(const struct field *f) {
        return list_of(object_schema(f->sub));
}

static json_t *struct_map_schema(const struct field *f) {
        json_t *schema = typed("object"), *names;

        put(schema, "additionalProperties", object_schema(f->sub));
        if (f->sub->map_key_format) {
                names = made(json_object());
                add_format(names, f->sub->map_key_format);
                put(schema, "propertyNames", names);
        }
        return schema;
}

static json_t *any_schema(const struct field *f) {
        return fragment(f->schema);
}

static json_t *(*const schemas[FIELD_TYPE_MAX_])(const struct field *f) = {
        [FIELD_STRING] = string_schema,
        [FIELD_TEXT] = string_schema,
        [FIELD_BOOL] = bool_schema,
        [FIELD_INTEGER] = integer_schema,
        [FIELD_DURATION] = duration_schema,
        [FIELD_ENUM] = enum_schema,
        [FIELD_STRING_LIST] = string_list_schema,
        [FIELD_STRING_MAP] = string_map_schema,
        [FIELD_STRUCT] = struct_schema,
        [FIELD_STRUCT_PTR] = struct_schema,
        [FIELD_STRUCT_LIST] = struct_list_schema,
        [FIELD_STRUCT_MAP] = struct_map_schema,
        [FIELD_JSON] = any_schema,
        [FIELD_CUSTOM] = any_schema,
};

/*
 * Structures
 */

/* @schema, or @other; takes both. */
static json_t *either(json_t *schema, json_t *other) {
        json_t *choice = made(json_object()), *both = made(json_array());

        append(both, schema);
        append(both, other);
        put(choice, "anyOf", both);
        return choice;
}

static json_t *field_schema(const struct field *f) {
        json_t *schema = schemas[f->type](f), *otherwise;

        if (f->flags & FIELD_NULLABLE) {
                /* The default belongs to the key, not to one of its forms. */
                otherwise = json_incref(json_object_get(schema, "default"));
                json_object_del(schema, "default");
                schema = either(schema, typed("null"));
                if (otherwise)
                        put(schema, "default", otherwise);
        }
        if (f->doc)
                put(schema, "description", json_string(f->doc));
        return schema;
}

static void add_head(const struct table *t, json_t *properties, json_t *required) {
        const struct { const char *key, *value; } head[] = { { "apiVersion", API_VERSION }, { "kind", t->kind } };

        for (size_t i = 0; i < 2; i++) {
                json_t *schema = made(json_object());

                put(schema, "const", json_string(head[i].value));
                put(properties, head[i].key, schema);
                append(required, json_string(head[i].key));
        }
}

/* Keys with the prefix of extensions: the pattern is the prefix itself, its special characters escaped. */
static void add_extensions(json_t *schema, const char *prefix) {
        own_buffer struct buffer pattern = BUFFER_INIT;
        json_t *patterns = made(json_object());

        buffer_putc(&pattern, '^');
        for (; *prefix; prefix++) {
                if (strchr("\\^$.|?*+()[]{}", *prefix))
                        buffer_putc(&pattern, '\\');
                buffer_putc(&pattern, *prefix);
        }
        put(patterns, buffer_str(&pattern), json_true());
        put(schema, "patternProperties", patterns);
}

static json_t *object_schema(const struct table *t) {
        json_t *schema = typed("object"), *properties = made(json_object()), *required = made(json_array());

        if (t->kind)
                add_head(t, properties, required);
        for (const struct field *f = t->fields; f->key; f++) {
                if (f->flags & FIELD_HIDDEN)
                        continue;
                put(properties, f->key, field_schema(f));
                if (f->flags & FIELD_REQUIRED)
                        append(required, json_string(f->key));
        }
        put(schema, "properties", properties);
        put(schema, "required", required);
        put(schema, "additionalProperties", json_false());
        if (t->extension_prefix)
                add_extensions(schema, t->extension_prefix);

        if (t->read_short)
                schema = either(schema, fragment(t->short_schema));
        if (t->title)
                put(schema, "title", json_string(t->title));
        if (t->doc)
                put(schema, "description", json_string(t->doc));
        return schema;
}

json_t *table_schema(const struct table *t) {
        json_t *schema = object_schema(t);

        put(schema, "$schema", json_string(DIALECT));
        return schema;
}
