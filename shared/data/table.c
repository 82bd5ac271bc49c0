/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/data/table.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/buffer.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/data/table_format.h"

bool string_list_has(const struct string_list *list, const char *text) {
        for (size_t i = 0; text && i < list->n; i++)
                if (str_eq(list->items[i].text, text))
                        return true;
        return false;
}

struct reader {
        struct arena *a;
        struct fault *reterr;
};

/* A value on its way to a slot, and what messages call it: "'ports'", "an item of 'ports'". */
struct input {
        const struct node *node;
        const char *what;
};

static int read_table(struct reader *r, const struct table *t, const struct input *in, const struct node_entry *entry,
                      void *object);

static void *slot_of(const struct field *f, void *object) {
        return (char *)object + f->at;
}

/* By hand: it is made for every key that is read, for a message that hardly ever comes. */
static const char *quoted(struct reader *r, const char *key) {
        char *text = arena_alloc(r->a, strlen(key) + 3);

        (void)stpcpy(stpcpy(stpcpy(text, "'"), key), "'");
        return text;
}

static int refuse_type(struct reader *r, const struct input *in, const char *wanted) {
        return fault_set_at(r->reterr, &in->node->at, "%s must be %s, not %s", in->what, wanted,
                            node_type_to_string(in->node->type));
}

/*
 * Null: nodes from JSON have no line; those are our own writings, where null stands for what is absent
 */

static bool reads_as_absent(const struct field *f, const struct node *node) {
        if (node->type != NODE_NULL)
                return false;
        if (f->flags & FIELD_NULLABLE)
                return true;
        return node->at.line == 0 && (f->type == FIELD_STRING || f->type == FIELD_TEXT || f->type == FIELD_STRUCT_PTR);
}

/*
 * Scalars
 */

static int check_format(struct reader *r, const struct input *in, const char *name) {
        const struct format *format = format_find(name);

        if (!format || format->is_valid(in->node->text))
                return 0;
        fault_set_at(r->reterr, &in->node->at, "%s must be %s, not '%s'", in->what, format->what, in->node->text);
        if (format->hint)
                fault_hint(r->reterr, "%s", format->hint);
        return -EINVAL;
}

static int read_text(struct reader *r, const struct field *f, const struct input *in, struct text_at *ret) {
        bool scalar = (f->flags & FIELD_SCALAR) || f->type == FIELD_STRING_MAP;
        const struct node *n = in->node;
        int error;

        if (n->type == NODE_NULL || !node_is_scalar(n) || (!scalar && n->type != NODE_STRING)) {
                error = refuse_type(r, in, scalar ? "a scalar" : "a string");
                if (n->type == NODE_NULL)
                        fault_hint(r->reterr, "write \"\" for an empty text");
                else if (node_is_scalar(n))
                        fault_hint(r->reterr, "put it in quotes: \"%s\"", n->text);
                return error;
        }
        error = check_format(r, in, f->format);
        if (error < 0)
                return error;
        *ret = (struct text_at){ .text = arena_strdup(r->a, n->text), .at = n->at };
        return 0;
}

static int read_string(struct reader *r, const struct field *f, const struct input *in, void *slot) {
        struct text_at text = { .text = NULL };
        int error;

        error = read_text(r, f, in, &text);
        if (error == 0)
                *(const char **)slot = text.text;
        return error;
}

static int read_text_at(struct reader *r, const struct field *f, const struct input *in, void *slot) {
        return read_text(r, f, in, slot);
}

static int read_bool(struct reader *r, const struct field *f, const struct input *in, void *slot) {
        if (in->node->type != NODE_BOOL) {
                refuse_type(r, in, "a boolean");
                if (in->node->type == NODE_STRING)
                        fault_hint(r->reterr, "write true or false, without quotes");
                return -EINVAL;
        }
        *(bool *)slot = in->node->boolean;
        return 0;
}

static bool in_range(const struct field *f, int64_t v) {
        return (f->minimum == 0 && f->maximum == 0) || (v >= f->minimum && v <= f->maximum);
}

static int read_integer(struct reader *r, const struct field *f, const struct input *in, void *slot) {
        int64_t v;

        if (in->node->type != NODE_INTEGER) {
                refuse_type(r, in, "an integer");
                if (in->node->quoted && parse_i64(in->node->text, &v) == 0)
                        fault_hint(r->reterr, "remove the quotes: %s", in->node->text);
                return -EINVAL;
        }
        if (!in_range(f, in->node->integer))
                return fault_set_at(r->reterr, &in->node->at,
                                    "%s must be between %" PRId64 " and %" PRId64 ", not %" PRId64, in->what,
                                    f->minimum, f->maximum, in->node->integer);
        *(int64_t *)slot = in->node->integer;
        return 0;
}

static int read_duration(struct reader *r, const struct field *f, const struct input *in, void *slot) {
        char least[DURATION_TEXT_MAX], most[DURATION_TEXT_MAX];
        int64_t v = 0;

        if (in->node->type != NODE_STRING) {
                refuse_type(r, in, "a duration");
                fault_hint(r->reterr, "a whole number and a unit of ms, s, m, h or d: 30s");
                return -EINVAL;
        }
        if (parse_duration(in->node->text, &v) < 0) {
                fault_set_at(r->reterr, &in->node->at, "%s must be a duration, not '%s'", in->what, in->node->text);
                fault_hint(r->reterr, "a whole number and a unit of ms, s, m, h or d: 30s");
                return -EINVAL;
        }
        if (!in_range(f, v))
                return fault_set_at(r->reterr, &in->node->at, "%s must be between %s and %s, not %s", in->what,
                                    format_duration(f->minimum, least), format_duration(f->maximum, most),
                                    in->node->text);
        *(int64_t *)slot = v;
        return 0;
}

static int refuse_word(struct reader *r, const struct field *f, const struct input *in) {
        own_buffer struct buffer words = BUFFER_INIT;
        const char **known = NULL, *near;
        size_t n = 0;

        for (int i = 0; f->names[i] && (!f->hidden_from || i < f->hidden_from); i++)
                if (*f->names[i])
                        *(const char **)arena_push(r->a, &known, &n, sizeof(*known)) = f->names[i];
        for (size_t i = 0; i < n; i++)
                buffer_printf(&words, "%s'%s'", i == 0 ? "" : i + 1 < n ? ", " : " or ", known[i]);
        (void)arena_push(r->a, &known, &n, sizeof(*known)); /* the NULL at the end */

        if (!node_is_scalar(in->node) || in->node->type == NODE_NULL)
                return refuse_type(r, in, buffer_str(&words));
        fault_set_at(r->reterr, &in->node->at, "%s must be %s, not '%s'", in->what, buffer_str(&words), in->node->text);
        near = closest_name(in->node->text, known);
        if (near)
                fault_hint(r->reterr, "did you mean '%s'?", near);
        return -EINVAL;
}

static int read_enum(struct reader *r, const struct field *f, const struct input *in, void *slot) {
        if (node_is_scalar(in->node) && *in->node->text)
                for (int i = 0; f->names[i]; i++)
                        if (strcmp(f->names[i], in->node->text) == 0) {
                                *(int *)slot = i;
                                return 0;
                        }
        return refuse_word(r, f, in);
}

/*
 * Lists and maps
 */

static const char *an_item_of(struct reader *r, const struct input *list) {
        return arena_printf(r->a, "an item of %s", list->what);
}

static int read_string_list(struct reader *r, const struct field *f, const struct input *in, void *slot) {
        struct string_list list = { .n = 0 };
        struct input item = { .what = an_item_of(r, in) };
        int error;

        if (in->node->type != NODE_LIST)
                return refuse_type(r, in, "a list");
        list.items = arena_array(r->a, in->node->n, sizeof(*list.items));
        for (; list.n < in->node->n; list.n++) {
                item.node = in->node->items[list.n];
                error = read_text(r, f, &item, &list.items[list.n]);
                if (error < 0)
                        return error;
        }
        *(struct string_list *)slot = list;
        return 0;
}

static int read_string_map(struct reader *r, const struct field *f, const struct input *in, void *slot) {
        struct string_map map = { .n = 0 };
        int error;

        if (in->node->type != NODE_MAP)
                return refuse_type(r, in, "a map");
        map.items = arena_array(r->a, in->node->n, sizeof(*map.items));
        for (; map.n < in->node->n; map.n++) {
                const struct node_entry *e = &in->node->entries[map.n];
                struct input value = { e->value, quoted(r, e->key) };

                map.items[map.n].key = (struct text_at){ .text = arena_strdup(r->a, e->key), .at = e->at };
                error = read_text(r, f, &value, &map.items[map.n].value);
                if (error < 0)
                        return error;
        }
        *(struct string_map *)slot = map;
        return 0;
}

static int read_struct(struct reader *r, const struct field *f, const struct input *in, void *slot) {
        return read_table(r, f->sub, in, NULL, slot);
}

static int read_struct_ptr(struct reader *r, const struct field *f, const struct input *in, void *slot) {
        void *object = arena_alloc(r->a, f->sub->size);
        int error;

        error = read_table(r, f->sub, in, NULL, object);
        if (error == 0)
                *(void **)slot = object;
        return error;
}

static int read_struct_list(struct reader *r, const struct field *f, const struct input *in, void *slot) {
        struct struct_list list = { .n = 0 };
        struct input item = { .what = an_item_of(r, in) };
        int error;

        if (in->node->type != NODE_LIST)
                return refuse_type(r, in, "a list");
        list.items = arena_array(r->a, in->node->n, f->sub->size);
        for (; list.n < in->node->n; list.n++) {
                item.node = in->node->items[list.n];
                error = read_table(r, f->sub, &item, NULL, (char *)list.items + list.n * f->sub->size);
                if (error < 0)
                        return error;
        }
        *(struct struct_list *)slot = list;
        return 0;
}

static int check_map_key(struct reader *r, const struct table *t, const struct node_entry *e, const char *what) {
        const struct format *format = format_find(t->map_key_format);

        if (!format || format->is_valid(e->key))
                return 0;
        fault_set_at(r->reterr, &e->at, "a key of %s must be %s, not '%s'", what, format->what, e->key);
        if (format->hint)
                fault_hint(r->reterr, "%s", format->hint);
        return -EINVAL;
}

static int read_struct_map(struct reader *r, const struct field *f, const struct input *in, void *slot) {
        struct struct_list list = { .n = 0 };
        int error;

        if (in->node->type != NODE_MAP)
                return refuse_type(r, in, "a map");
        list.items = arena_array(r->a, in->node->n, f->sub->size);
        for (; list.n < in->node->n; list.n++) {
                const struct node_entry *e = &in->node->entries[list.n];
                struct input value = { e->value, quoted(r, e->key) };

                error = check_map_key(r, f->sub, e, in->what);
                if (error < 0)
                        return error;
                error = read_table(r, f->sub, &value, e, (char *)list.items + list.n * f->sub->size);
                if (error < 0)
                        return error;
        }
        *(struct struct_list *)slot = list;
        return 0;
}

static void release_json(void *json) {
        json_decref(json);
}

static int read_json(struct reader *r, const struct field *f, const struct input *in, void *slot) {
        json_t *json = node_to_json(in->node);

        if (!json)
                return fault_set_oom(r->reterr);
        arena_defer(r->a, release_json, json);
        *(json_t **)slot = json;
        return 0;
}

static int read_custom(struct reader *r, const struct field *f, const struct input *in, void *slot) {
        return f->read(in->node, slot, r->a, r->reterr);
}

static int (*const readers[FIELD_TYPE_MAX_])(struct reader *r, const struct field *f, const struct input *in,
                                             void *slot) = {
        [FIELD_STRING] = read_string,
        [FIELD_TEXT] = read_text_at,
        [FIELD_BOOL] = read_bool,
        [FIELD_INTEGER] = read_integer,
        [FIELD_DURATION] = read_duration,
        [FIELD_ENUM] = read_enum,
        [FIELD_STRING_LIST] = read_string_list,
        [FIELD_STRING_MAP] = read_string_map,
        [FIELD_STRUCT] = read_struct,
        [FIELD_STRUCT_PTR] = read_struct_ptr,
        [FIELD_STRUCT_LIST] = read_struct_list,
        [FIELD_STRUCT_MAP] = read_struct_map,
        [FIELD_JSON] = read_json,
        [FIELD_CUSTOM] = read_custom,
};

/*
 * Structures
 */

static void set_defaults(const struct table *t, void *object) {
        memset(object, 0, t->size);
        for (const struct field *f = t->fields; f->key; f++) {
                void *slot = slot_of(f, object);

                if (f->type == FIELD_BOOL)
                        *(bool *)slot = f->absent != 0;
                else if (f->type == FIELD_INTEGER || f->type == FIELD_DURATION)
                        *(int64_t *)slot = f->absent;
                else if (f->type == FIELD_ENUM)
                        *(int *)slot = (int)f->absent;
                else if (f->type == FIELD_STRUCT)
                        set_defaults(f->sub, slot);
        }
}

static int refuse_unknown(struct reader *r, const struct table *t, const struct node_entry *e) {
        const char **known = NULL, *near;
        size_t n = 0;

        for (const struct field *f = t->fields; f->key; f++)
                if (!(f->flags & FIELD_HIDDEN))
                        *(const char **)arena_push(r->a, &known, &n, sizeof(*known)) = f->key;
        if (t->kind) {
                *(const char **)arena_push(r->a, &known, &n, sizeof(*known)) = "apiVersion";
                *(const char **)arena_push(r->a, &known, &n, sizeof(*known)) = "kind";
        }
        (void)arena_push(r->a, &known, &n, sizeof(*known)); /* the NULL at the end */

        fault_set_at(r->reterr, &e->at, "unknown key '%s'", e->key);
        near = closest_name(e->key, known);
        if (near)
                fault_hint(r->reterr, "did you mean '%s'?", near);
        return -EINVAL;
}

static int refuse_missing(struct reader *r, const struct node *node, const char *key) {
        return fault_set_at(r->reterr, &node->at, "missing key '%s'", key);
}

/* apiVersion and kind come before everything else: a document of another kind has other keys. */
static int check_head(struct reader *r, const struct table *t, const struct node *node) {
        const struct { const char *key, *value; } head[] = { { "apiVersion", API_VERSION }, { "kind", t->kind } };

        for (size_t i = 0; i < 2; i++) {
                const struct node *n = node_get(node, head[i].key);

                if (!n) {
                        refuse_missing(r, node, head[i].key);
                        fault_hint(r->reterr, "write '%s: %s'", head[i].key, head[i].value);
                        return -EINVAL;
                }
                if (n->type != NODE_STRING || strcmp(n->text, head[i].value) != 0)
                        return fault_set_at(r->reterr, &n->at, "%s must be '%s'", head[i].key, head[i].value);
        }
        return 0;
}

static bool is_extra(const struct table *t, const char *key) {
        if (t->kind && (str_eq(key, "apiVersion") || str_eq(key, "kind")))
                return true;
        return t->extension_prefix && str_after(key, t->extension_prefix);
}

static const struct field *find_field(const struct table *t, const char *key) {
        for (const struct field *f = t->fields; f->key; f++)
                if (strcmp(f->key, key) == 0)
                        return f;
        return NULL;
}

static int check_keys(struct reader *r, const struct table *t, const struct node *node) {
        for (size_t i = 0; i < node->n; i++)
                if (!find_field(t, node->entries[i].key) && !is_extra(t, node->entries[i].key))
                        return refuse_unknown(r, t, &node->entries[i]);
        return 0;
}

static int read_fields(struct reader *r, const struct table *t, const struct node *node, void *object) {
        int error;

        error = t->kind ? check_head(r, t, node) : 0;
        if (error < 0)
                return error;
        error = check_keys(r, t, node);
        if (error < 0)
                return error;
        for (const struct field *f = t->fields; f->key; f++) {
                const struct node *value = node_get(node, f->key);

                if (value && !reads_as_absent(f, value)) {
                        struct input in = { value, quoted(r, f->key) };

                        error = readers[f->type](r, f, &in, slot_of(f, object));
                } else if (f->flags & FIELD_REQUIRED)
                        error = refuse_missing(r, node, f->key);
                if (error < 0)
                        return error;
        }
        return 0;
}

static int read_table(struct reader *r, const struct table *t, const struct input *in, const struct node_entry *entry,
                      void *object) {
        int error;

        set_defaults(t, object);
        if (t->position)
                *(struct source_pos *)((char *)object + t->position - 1) = in->node->at;
        if (entry && t->map_key)
                *(struct text_at *)((char *)object + t->map_key - 1) =
                        (struct text_at){ .text = arena_strdup(r->a, entry->key), .at = entry->at };

        if (in->node->type == NODE_MAP)
                error = read_fields(r, t, in->node, object);
        else if (t->read_short)
                error = t->read_short(in->node, object, r->a, r->reterr);
        else
                error = refuse_type(r, in, "a map");
        if (error < 0)
                return error;
        return t->check ? t->check(object, in->node, r->reterr) : 0;
}

int table_read(const struct table *t, const struct node *node, void *object, struct arena *a, struct fault *reterr) {
        struct reader r = { .a = a, .reterr = reterr };
        struct input in = { node, t->title ? t->title : "the document" };
        int error;

        assert(node);
        error = read_table(&r, t, &in, NULL, object);
        if (error < 0 && reterr->kind == FAULT_CONFIG && !reterr->code)
                reterr->code = REASON_LOAD_INVALID;
        return error;
}

int table_read_json(const struct table *t, const char *name, const json_t *json, void *object, struct arena *a,
                    struct fault *reterr) {
        struct source *source = arena_new_of(a, struct source);
        const struct node *node = NULL;
        int error;

        source->name = arena_strdup(a, name);
        error = node_from_json(json, source, a, &node, reterr);
        if (error < 0)
                return error;
        return table_read(t, node, object, a, reterr);
}

const char *document_kind(const struct node *root) {
        const struct node *kind = node_get(root, "kind");

        return kind && kind->type == NODE_STRING ? kind->text : NULL;
}
