/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/data/table.h"
#include "shared/data/json.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/text.h"

/* Every value here is new and ours; without memory there is none, and no way on. */
static json_t *made(json_t *value) {
        if (!value)
                abort();
        return value;
}

static void put(json_t *object, const char *key, json_t *value) {
        if (json_object_set_new(object, key, made(value)) < 0)
                abort();
}

static const void *element(const struct struct_list *list, const struct table *t, size_t i) {
        return (const char *)list->items + i * t->size;
}

static json_t *write_string(const struct field *f, const void *slot) {
        return json_text(*(const char *const *)slot);
}

static json_t *write_text(const struct field *f, const void *slot) {
        return json_text(((const struct text_at *)slot)->text);
}

static json_t *write_bool(const struct field *f, const void *slot) {
        return json_boolean(*(const bool *)slot);
}

static json_t *write_integer(const struct field *f, const void *slot) {
        return json_integer(*(const int64_t *)slot);
}

static json_t *write_duration(const struct field *f, const void *slot) {
        char text[DURATION_TEXT_MAX];

        return json_string(format_duration(*(const int64_t *)slot, text));
}

static json_t *write_enum(const struct field *f, const void *slot) {
        int value = *(const int *)slot, n = 0;

        while (f->names[n])
                n++;
        assert(value >= 0 && value < n);
        return json_string(f->names[value]);
}

static json_t *write_string_list(const struct field *f, const void *slot) {
        const struct string_list *list = slot;
        json_t *array = made(json_array());

        for (size_t i = 0; i < list->n; i++)
                if (json_array_append_new(array, json_text(list->items[i].text)) < 0)
                        abort();
        return array;
}

static json_t *write_string_map(const struct field *f, const void *slot) {
        const struct string_map *map = slot;
        json_t *object = made(json_object());

        for (size_t i = 0; i < map->n; i++)
                put(object, map->items[i].key.text, json_text(map->items[i].value.text));
        return object;
}

static json_t *write_struct(const struct field *f, const void *slot) {
        return table_write(f->sub, slot);
}

static json_t *write_struct_ptr(const struct field *f, const void *slot) {
        const void *object = *(const void *const *)slot;

        return object ? table_write(f->sub, object) : json_null();
}

static json_t *write_struct_list(const struct field *f, const void *slot) {
        const struct struct_list *list = slot;
        json_t *array = made(json_array());

        for (size_t i = 0; i < list->n; i++)
                if (json_array_append_new(array, table_write(f->sub, element(list, f->sub, i))) < 0)
                        abort();
        return array;
}

static json_t *write_struct_map(const struct field *f, const void *slot) {
        const struct struct_list *list = slot;
        json_t *object = made(json_object());

        assert(f->sub->map_key);
        for (size_t i = 0; i < list->n; i++) {
                const void *item = element(list, f->sub, i);
                const struct text_at *key = (const void *)((const char *)item + f->sub->map_key - 1);

                put(object, key->text, table_write(f->sub, item));
        }
        return object;
}

static json_t *write_json(const struct field *f, const void *slot) {
        json_t *json = *(json_t *const *)slot;

        return json ? json_incref(json) : json_null();
}

static json_t *write_custom(const struct field *f, const void *slot) {
        return f->write(slot);
}

static json_t *(*const writers[FIELD_TYPE_MAX_])(const struct field *f, const void *slot) = {
        [FIELD_STRING] = write_string,
        [FIELD_TEXT] = write_text,
        [FIELD_BOOL] = write_bool,
        [FIELD_INTEGER] = write_integer,
        [FIELD_DURATION] = write_duration,
        [FIELD_ENUM] = write_enum,
        [FIELD_STRING_LIST] = write_string_list,
        [FIELD_STRING_MAP] = write_string_map,
        [FIELD_STRUCT] = write_struct,
        [FIELD_STRUCT_PTR] = write_struct_ptr,
        [FIELD_STRUCT_LIST] = write_struct_list,
        [FIELD_STRUCT_MAP] = write_struct_map,
        [FIELD_JSON] = write_json,
        [FIELD_CUSTOM] = write_custom,
};

/* What FIELD_OMIT leaves out. A 0 stays when its absence would read as something else. */
static bool is_empty(const struct field *f, const void *slot, const json_t *value) {
        switch (f->type) {
        case FIELD_BOOL:
                return !*(const bool *)slot && f->absent == 0;
        case FIELD_INTEGER:
        case FIELD_DURATION:
                return *(const int64_t *)slot == 0 && f->absent == 0;
        case FIELD_ENUM:
                return *(const int *)slot == 0 && f->absent == 0;
        case FIELD_STRING:
        case FIELD_TEXT:
                return json_is_null(value);
        case FIELD_JSON:
                return *(json_t *const *)slot == NULL;
        case FIELD_STRING_LIST:
        case FIELD_STRUCT_LIST:
                return json_array_size(value) == 0;
        case FIELD_STRING_MAP:
        case FIELD_STRUCT:
        case FIELD_STRUCT_MAP:
                return json_object_size(value) == 0;
        case FIELD_STRUCT_PTR:
                return json_is_null(value); /* one that is there but empty is not one that is absent */
        case FIELD_CUSTOM:
        case FIELD_TYPE_MAX_:
                break;
        }
        return false;
}

/* A word "" of an enumeration is the value without a word: nothing could read it back. */
static bool has_no_word(const struct field *f, const json_t *value) {
        return f->type == FIELD_ENUM && json_string_length(value) == 0;
}

json_t *table_write(const struct table *t, const void *object) {
        json_t *out = made(json_object());

        if (t->kind) {
                put(out, "apiVersion", json_string(API_VERSION));
                put(out, "kind", json_string(t->kind));
        }
        for (const struct field *f = t->fields; f->key; f++) {
                const void *slot = (const char *)object + f->at;
                json_t *value = writers[f->type](f, slot);
                bool optional = (f->flags & FIELD_OMIT) && !(f->flags & FIELD_REQUIRED);

                if (!value && f->type == FIELD_CUSTOM)
                        continue;
                if (has_no_word(f, made(value)) || (optional && is_empty(f, slot, value)))
                        json_decref(value);
                else
                        put(out, f->key, value);
        }
        return out;
}
