/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/compose/interpolate.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/buffer.h"
#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"

/*
 * Variables
 */

static bool is_name_start(char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static bool is_name(char c) {
        return is_name_start(c) || (c >= '0' && c <= '9');
}

static size_t name_length(const char *s) {
        size_t n = 0;

        if (!is_name_start(*s))
                return 0;
        while (is_name(s[n]))
                n++;
        return n;
}

bool variable_name_is_valid(const char *name) {
        size_t n = name_length(name);

        return n > 0 && name[n] == '\0';
}

static int compare_names(const void *a, const void *b) {
        return strcmp(((const struct variable *)a)->name, ((const struct variable *)b)->name);
}

const char *variables_get(const struct variables *v, const char *name) {
        struct variable key = { .name = name };
        const struct variable *found;

        if (!v || v->n == 0)
                return NULL;
        found = bsearch(&key, v->items, v->n, sizeof(*v->items), compare_names);
        return found ? found->value : NULL;
}

const char *variables_lookup(const void *variables, const char *name) {
        return variables_get(variables, name);
}

/* A variable with its place in the input, so that the last of equal names can win in an unstable sort. */
struct placed {
        struct variable variable;
        size_t place;
};

static int compare_placed(const void *a, const void *b) {
        const struct placed *x = a, *y = b;
        int order = strcmp(x->variable.name, y->variable.name);

        return order ? order : (x->place > y->place) - (x->place < y->place);
}

struct variables variables_make(const struct variable *items, size_t n, struct arena *a) {
        struct placed *sorted = arena_array(a, n, sizeof(*sorted));
        struct variable *out = arena_array(a, n, sizeof(*out));
        size_t n_out = 0;

        for (size_t i = 0; i < n; i++)
                sorted[i] = (struct placed){ .variable = items[i], .place = i };
        if (n > 1)
                qsort(sorted, n, sizeof(*sorted), compare_placed);
        for (size_t i = 0; i < n; i++)
                if (i + 1 == n || !str_eq(sorted[i].variable.name, sorted[i + 1].variable.name))
                        out[n_out++] = sorted[i].variable;
        return (struct variables){ .items = out, .n = n_out };
}

struct variables variables_of_map(const struct string_map *map, struct arena *a) {
        struct variable *items = arena_array(a, map->n, sizeof(*items));
        size_t n = 0;

        for (size_t i = 0; i < map->n; i++)
                if (map->items[i].value.text)
                        items[n++] = (struct variable){ map->items[i].key.text, map->items[i].value.text };
        return variables_make(items, n, a);
}

struct variables variables_merge(const struct variables *under, const struct variables *over, struct arena *a) {
        struct variable *all = arena_array(a, under->n + over->n, sizeof(*all));

        if (under->n > 0)
                memcpy(all, under->items, under->n * sizeof(*all));
        if (over->n > 0)
                memcpy(all + under->n, over->items, over->n * sizeof(*all));
        return variables_make(all, under->n + over->n, a);
}

/*
 * One text
 */

struct expansion {
        variable_lookup lookup;
        const void *data;
        struct arena *arena;
        const struct source_pos *at;
        struct fault *reterr;
};

/*
 * The place of an expression in the source, searched from where its scalar begins: quoting and block scalars make the
 * distance in the value differ from the one in the file. The scalar's own place when it is not found.
 */
static struct source_pos locate(const struct source_pos *at, const char *expression, size_t n) {
        const char *text = at->source ? at->source->text : NULL, *end, *found;
        struct source_pos pos = *at;

        if (!text || at->line == 0)
                return pos;
        end = text + at->source->size;
        for (unsigned line = 1; line < at->line && text < end; line++) {
                const char *newline = memchr(text, '\n', (size_t)(end - text));

                text = newline ? newline + 1 : end;
        }
        for (unsigned column = 1; column < at->column && text < end; text++)
                if (text + 1 == end || ((unsigned char)text[1] & 0xc0) != 0x80)
                        column++;
        found = memmem(text, (size_t)(end - text), expression, n);
        if (!found)
                return pos;
        for (; text < found; text++) {
                if (*text == '\n') {
                        pos.line++;
                        pos.column = 1;
                } else if (((unsigned char)text[1] & 0xc0) != 0x80) {
                        pos.column++;
                }
        }
        return pos;
}

#define fail(x, code_, expression, n, ...) \
        __extension__({ \
                struct source_pos pos_ = locate((x)->at, (expression), (n)); \
                int r_ = fault_set_at((x)->reterr, &pos_, __VA_ARGS__); \
                (x)->reterr->code = (code_); \
                r_; \
        })

static int fail_syntax(struct expansion *x, const char *start, const char *what) {
        int r = fail(x, REASON_LOAD_INVALID, start, strcspn(start, "\n"), "%s", what);

        fault_hint(x->reterr, "write $$ for a dollar sign that begins no variable");
        return r;
}

static int fail_unset(struct expansion *x, const char *start, size_t n, const char *name) {
        int r = fail(x, REASON_LOAD_REFERENCE, start, n, "variable '%s' is not set", name);

        fault_hint(x->reterr, "set it in the app's .env or in `variables` of the environment, or write ${%s:-default}",
                   name);
        return r;
}

static int expand(struct expansion *x, const char **p, unsigned depth, bool live, struct buffer *out);

/* What stands between the braces: the name, ':' or not, and one of "-?+", or '\0' when there is only a name. */
struct expression {
        const char *start;
        const char *name;
        const char *value; /* NULL: not set */
        bool present;      /* set, and not empty where ':' asks for it */
        char operator;
};

static int apply(struct expansion *x, const struct expression *e, size_t n, const struct buffer *word, bool live,
                 struct buffer *out) {
        if (!live)
                return 0;
        if (e->operator== '+') {
                if (e->present)
                        buffer_puts(out, buffer_str(word));
                return 0;
        }
        if (e->present) {
                buffer_puts(out, e->value);
                return 0;
        }
        if (e->operator== '-') {
                buffer_puts(out, buffer_str(word));
                return 0;
        }
        if (e->operator== '?' && word->size> 0)
                return fail(x, REASON_LOAD_REFERENCE, e->start, n, "variable '%s' is required: %s", e->name,
                            buffer_str(word));
        return fail_unset(x, e->start, n, e->name);
}

static int expand_braced(struct expansion *x, const char **p, unsigned depth, bool live, struct buffer *out) {
        own_buffer struct buffer word = { .max = LIMIT_INTERPOLATION_BYTES };
        const char *q = *p + 2;
        size_t n = name_length(q);
        struct expression e = { .start = *p };
        bool colon;

        if (n == 0)
                return fail_syntax(x, e.start, "'${' is not followed by the name of a variable");
        e.name = arena_strndup(x->arena, q, n);
        e.value = x->lookup(x->data, e.name);
        q += n;
        colon = *q == ':';
        if (colon)
                q++;
        e.present = e.value && (!colon || *e.value);

        if (*q && strchr("-?+", *q)) {
                e.operator= * q++;
                int r = expand(x, &q, depth + 1, live && e.present == (e.operator== '+'), &word);
                if (r < 0)
                        return r;
                if (word.failed)
                        out->failed = word.failed;
        } else if (colon || (*q && *q != '}')) {
                return fail_syntax(x, e.start, "a variable's name is followed by one of :- - :? ? :+ + }");
        }
        if (*q != '}')
                return fail_syntax(x, e.start, "'${' is not closed by '}'");
        *p = q + 1;
        return apply(x, &e, (size_t)(q + 1 - e.start), &word, live, out);
}

static int expand_plain(struct expansion *x, const char **p, bool live, struct buffer *out) {
        size_t n = name_length(*p + 1);
        struct expression e = { .start = *p };

        if (n == 0)
                return fail_syntax(x, *p, "'$' is not followed by the name of a variable");
        e.name = arena_strndup(x->arena, *p + 1, n);
        e.value = x->lookup(x->data, e.name);
        e.present = e.value;
        *p += n + 1;
        return apply(x, &e, n + 1, NULL, live, out);
}

/* Up to the end, or inside of braces up to the '}' that closes them. */
static int expand(struct expansion *x, const char **p, unsigned depth, bool live, struct buffer *out) {
        int r = 0;

        if (depth > LIMIT_INTERPOLATION_DEPTH)
                return fail(x, REASON_LOAD_LIMIT, *p, strlen(*p),
                            "variables stand in variables more than %d deep (LIMIT_INTERPOLATION_DEPTH)",
                            LIMIT_INTERPOLATION_DEPTH);

        while (r == 0 && **p && !(depth > 0 && **p == '}')) {
                size_t n = strcspn(*p, depth > 0 ? "$}" : "$");

                if (live)
                        buffer_append(out, *p, n);
                *p += n;
                if (**p != '$')
                        continue;
                if ((*p)[1] == '$') {
                        if (live)
                                buffer_putc(out, '$');
                        *p += 2;
                } else if ((*p)[1] == '{') {
                        r = expand_braced(x, p, depth, live, out);
                } else {
                        r = expand_plain(x, p, live, out);
                }
        }
        return r;
}

int interpolate_text(const char *text, const struct source_pos *at, variable_lookup lookup, const void *data,
                     struct arena *a, const char **ret, struct fault *reterr) {
        struct expansion x = { .lookup = lookup, .data = data, .arena = a, .at = at, .reterr = reterr };
        own_buffer struct buffer out = { .max = LIMIT_INTERPOLATION_BYTES };
        const char *p = text;
        int r;

        if (!strchr(text, '$')) {
                *ret = text;
                return 0;
        }
        r = expand(&x, &p, 0, true, &out);
        if (r < 0)
                return r;
        if (out.failed == EFBIG)
                return fail(
                        &x, REASON_LOAD_LIMIT, text, strlen(text),
                        "the value has more than %d bytes once its variables are replaced (LIMIT_INTERPOLATION_BYTES)",
                        LIMIT_INTERPOLATION_BYTES);
        r = buffer_check(&out, "interpolated value", reterr);
        if (r < 0)
                return r;
        *ret = arena_strndup(a, buffer_str(&out), out.size);
        return 0;
}

/*
 * A tree
 */

/* An interpolated scalar is what it would be if its value had been written plain. */
static void retype(struct node *n) {
        n->type = NODE_STRING;
        if (parse_i64(n->text, &n->integer) == 0)
                n->type = NODE_INTEGER;
        else if (str_eq(n->text, "true") || str_eq(n->text, "false"))
                n->type = NODE_BOOL;
        n->boolean = n->type == NODE_BOOL && n->text[0] == 't';
        n->quoted = n->type == NODE_STRING;
}

static int interpolate_scalar(const struct node *node, const struct variables *v, struct arena *a,
                              const struct node **ret, struct fault *reterr) {
        struct node *copy;
        const char *text;
        int r;

        *ret = node;
        if (node->type != NODE_STRING)
                return 0;
        r = interpolate_text(node->text, &node->at, variables_lookup, v, a, &text, reterr);
        if (r < 0 || text == node->text)
                return r;
        copy = arena_new_of(a, struct node);
        *copy = *node;
        copy->text = text;
        retype(copy);
        *ret = copy;
        return 0;
}

static int interpolate_list(const struct node *list, const struct variables *v, struct arena *a,
                            const struct node **ret, struct fault *reterr) {
        const struct node **items = arena_array(a, list->n, sizeof(*items));
        struct node *copy;
        bool changed = false;

        for (size_t i = 0; i < list->n; i++) {
                int r = interpolate_node(list->items[i], v, a, &items[i], reterr);
                if (r < 0)
                        return r;
                changed = changed || items[i] != list->items[i];
        }
        *ret = list;
        if (changed) {
                copy = arena_new_of(a, struct node);
                *copy = *list;
                copy->items = items;
                *ret = copy;
        }
        return 0;
}

static int interpolate_map(const struct node *map, const struct variables *v, struct arena *a, const struct node **ret,
                           struct fault *reterr) {
        struct node_entry *entries = arena_array(a, map->n, sizeof(*entries));
        struct node *copy;
        bool changed = false;

        for (size_t i = 0; i < map->n; i++) {
                int r;

                entries[i] = map->entries[i];
                r = interpolate_node(map->entries[i].value, v, a, &entries[i].value, reterr);
                if (r < 0)
                        return r;
                changed = changed || entries[i].value != map->entries[i].value;
        }
        *ret = map;
        if (changed) {
                copy = arena_new_of(a, struct node);
                *copy = *map;
                copy->entries = entries;
                *ret = copy;
        }
        return 0;
}

int interpolate_node(const struct node *root, const struct variables *v, struct arena *a, const struct node **ret,
                     struct fault *reterr) {
        if (root->type == NODE_MAP)
                return interpolate_map(root, v, a, ret, reterr);
        if (root->type == NODE_LIST)
                return interpolate_list(root, v, a, ret, reterr);
        return interpolate_scalar(root, v, a, ret, reterr);
}
