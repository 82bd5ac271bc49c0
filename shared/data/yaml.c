/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/data/yaml.h"

#include <assert.h>
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "shared/base/cleanup.h"
#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/data/yaml_map.h"
#include "shared/data/yaml_scalar.h"
#include "shared/data/yaml_text.h"

#define own_event __attribute__((cleanup(yaml_event_delete)))

/* One definition of an anchor. A later one of the same name hides it. */
struct anchor {
        const char *name;
        const struct node *node; /* NULL while its value is being read */
        size_t weight;           /* nodes it expands to */
        unsigned height;         /* levels of collections in it */
};

struct reader {
        yaml_parser_t *parser;
        const struct source *source;
        struct arena *a;
        void *anchors;   /* tsearch() tree of struct anchor * by name: no names make it slow */
        size_t n_nodes;  /* read so far, aliases counted as what they expand to */
        unsigned depth;  /* collections around the current value */
        unsigned height; /* set by each value: the levels in it */
        struct fault *reterr;
};

static int read_value(struct reader *r, const yaml_event_t *event, const struct node **ret);

static struct source_pos position_at(const struct reader *r, const yaml_mark_t *mark) {
        return (struct source_pos){ r->source, (unsigned)mark->line + 1, (unsigned)mark->column + 1 };
}

/* Mark a fault just set as one of the desired state, and pass its number on. */
static int refuse(const struct reader *r, const char *code, int error) {
        r->reterr->code = code;
        return error;
}

static int next_event(struct reader *r, yaml_event_t *ret) {
        if (yaml_parser_parse(r->parser, ret))
                return 0;
        /* On failure libyaml leaves the event as it was: make it safe to delete. */
        *ret = (yaml_event_t){ .type = YAML_NO_EVENT };
        return yaml_text_refuse(r->parser, r->source, r->reterr);
}

/*
 * Counting
 */

static int count_nodes(struct reader *r, const struct source_pos *at, size_t n) {
        if (n <= LIMIT_YAML_NODES - r->n_nodes) {
                r->n_nodes += n;
                return 0;
        }
        fault_set_at(r->reterr, at, "the document has more than %d values, aliases counted as what they stand for",
                     LIMIT_YAML_NODES);
        return refuse(r, REASON_LOAD_LIMIT, -EINVAL);
}

static int check_depth(struct reader *r, const struct source_pos *at, unsigned depth) {
        if (depth <= LIMIT_YAML_DEPTH)
                return 0;
        fault_set_at(r->reterr, at, "the document is nested deeper than %d levels", LIMIT_YAML_DEPTH);
        return refuse(r, REASON_LOAD_LIMIT, -EINVAL);
}

/*
 * Anchors and aliases
 */

static int compare_anchors(const void *a, const void *b) {
        return strcmp(((const struct anchor *)a)->name, ((const struct anchor *)b)->name);
}

static void keep_anchor(void *anchor) {
        (void)anchor; /* the arena owns it */
}

static int define_anchor(struct reader *r, const yaml_char_t *name, struct anchor **ret) {
        struct anchor *anchor, **slot;

        if (!name)
                return 0;
        anchor = arena_new_of(r->a, struct anchor);
        anchor->name = arena_strdup(r->a, (const char *)name);
        slot = tsearch(anchor, &r->anchors, compare_anchors);
        if (!slot)
                return fault_set_oom(r->reterr);
        *slot = anchor; /* same key, so the order of the tree holds */
        *ret = anchor;
        return 0;
}

static int read_alias(struct reader *r, const yaml_event_t *event, const struct node **ret) {
        struct source_pos at = position_at(r, &event->start_mark);
        struct anchor key = { .name = (const char *)event->data.alias.anchor }, **slot;
        int error;

        slot = tfind(&key, &r->anchors, compare_anchors);
        if (!slot) {
                fault_set_at(r->reterr, &at, "no anchor '&%s' stands before this alias", key.name);
                fault_hint(r->reterr, "a text that begins with '*' must be quoted");
                return refuse(r, REASON_LOAD_INVALID, -EINVAL);
        }
        if (!(*slot)->node) {
                fault_set_at(r->reterr, &at, "the alias '*%s' stands inside of its own anchor", key.name);
                return refuse(r, REASON_LOAD_INVALID, -EINVAL);
        }
        error = check_depth(r, &at, r->depth + (*slot)->height);
        if (error < 0)
                return error;
        error = count_nodes(r, &at, (*slot)->weight);
        if (error < 0)
                return error;
        r->height = (*slot)->height;
        *ret = (*slot)->node;
        return 0;
}

/*
 * Scalars
 */

static int refuse_tag(const struct reader *r, const struct source_pos *at, const yaml_char_t *tag) {
        fault_set_at(r->reterr, at, "the tag '%s' is not supported here", (const char *)tag);
        fault_hint(r->reterr, "remove the tag; a text that begins with '!' must be quoted");
        return refuse(r, REASON_LOAD_INVALID, -EINVAL);
}

static int read_scalar(struct reader *r, const yaml_event_t *event, const struct node **ret) {
        const char *tag = (const char *)event->data.scalar.tag, *text = (const char *)event->data.scalar.value;
        bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        struct node *n = arena_new_of(r->a, struct node);

        n->at = position_at(r, &event->start_mark);
        if (strlen(text) != event->data.scalar.length) {
                fault_set_at(r->reterr, &n->at, "a text cannot hold a NUL character");
                return refuse(r, REASON_LOAD_INVALID, -EINVAL);
        }
        if (tag && !yaml_scalar_tag_is_known(tag))
                return refuse_tag(r, &n->at, event->data.scalar.tag);

        n->text = arena_strndup(r->a, text, event->data.scalar.length);
        if (yaml_scalar_resolve(n, tag, plain) < 0) {
                fault_set_at(r->reterr, &n->at, "'%s' is not what the tag '%s' says", text, tag);
                return refuse(r, REASON_LOAD_INVALID, -EINVAL);
        }
        if (n->type == NODE_NULL)
                n->text = "";
        r->height = 0;
        *ret = n;
        return 0;
}

/*
 * Lists
 */

static int read_items(struct reader *r, struct node *list) {
        const struct node **items = NULL, *item = NULL;
        unsigned height = 0;
        int error;

        for (;;) {
                own_event yaml_event_t event = { .type = YAML_NO_EVENT };

                error = next_event(r, &event);
                if (error < 0)
                        return error;
                if (event.type == YAML_SEQUENCE_END_EVENT)
                        break;
                error = read_value(r, &event, &item);
                if (error < 0)
                        return error;
                if (r->height > height)
                        height = r->height;
                *(const struct node **)arena_push(r->a, &items, &list->n, sizeof(*items)) = item;
        }
        list->items = items;
        r->height = height + 1;
        return 0;
}

/*
 * Maps
 */

static int read_key(struct reader *r, const yaml_event_t *event, struct node_entry *ret, bool *ret_merge) {
        struct source_pos at = position_at(r, &event->start_mark);
        const struct node *key = NULL;
        int error;

        if (event->type != YAML_SCALAR_EVENT && event->type != YAML_ALIAS_EVENT) {
                fault_set_at(r->reterr, &at, "a key must be a scalar, not %s",
                             event->type == YAML_MAPPING_START_EVENT ? "a map" : "a list");
                fault_hint(r->reterr, "quote a text that begins with '{' or '['");
                return refuse(r, REASON_LOAD_INVALID, -EINVAL);
        }
        error = read_value(r, event, &key);
        if (error < 0)
                return error;
        if (!node_is_scalar(key) || key->type == NODE_NULL) {
                fault_set_at(r->reterr, &at, "a key must be a scalar, not %s", node_type_to_string(key->type));
                return refuse(r, REASON_LOAD_INVALID, -EINVAL);
        }
        *ret = (struct node_entry){ .key = key->text, .at = at };
        *ret_merge = !key->quoted && str_eq(key->text, "<<");
        return 0;
}

static int read_entry(struct reader *r, const yaml_event_t *key_event, struct yaml_map *m) {
        own_event yaml_event_t event = { .type = YAML_NO_EVENT };
        struct node_entry entry = { .key = NULL };
        struct source_pos at;
        bool merge = false;
        int error;

        error = read_key(r, key_event, &entry, &merge);
        if (error < 0)
                return error;
        error = next_event(r, &event);
        if (error < 0)
                return error;
        at = position_at(r, &event.start_mark);
        error = read_value(r, &event, &entry.value);
        if (error < 0)
                return error;

        if (merge)
                return yaml_map_merge(m, &entry, &at, r->a, r->reterr);
        *(struct node_entry *)arena_push(r->a, &m->entries, &m->n, sizeof(entry)) = entry;
        return 0;
}

static int read_entries(struct reader *r, struct node *map) {
        struct yaml_map m = { .n = 0 };
        unsigned height = 0;
        int error;

        for (;;) {
                own_event yaml_event_t event = { .type = YAML_NO_EVENT };

                error = next_event(r, &event);
                if (error < 0)
                        return error;
                if (event.type == YAML_MAPPING_END_EVENT)
                        break;
                error = read_entry(r, &event, &m);
                if (error < 0)
                        return error;
                if (r->height > height)
                        height = r->height;
        }
        error = yaml_map_finish(&m, r->a, r->reterr);
        if (error < 0)
                return error;
        map->entries = m.entries;
        map->n = m.n;
        r->height = height + 1;
        return 0;
}

/*
 * Values
 */

static int read_collection(struct reader *r, const yaml_event_t *event, const struct node **ret) {
        bool list = event->type == YAML_SEQUENCE_START_EVENT;
        const yaml_char_t *tag = list ? event->data.sequence_start.tag : event->data.mapping_start.tag;
        struct node *n = arena_new_of(r->a, struct node);
        int error;

        n->type = list ? NODE_LIST : NODE_MAP;
        n->text = "";
        n->at = position_at(r, &event->start_mark);
        if (tag && !str_eq((const char *)tag, list ? YAML_SEQ_TAG : YAML_MAP_TAG))
                return refuse_tag(r, &n->at, tag);
        error = check_depth(r, &n->at, r->depth + 1);
        if (error < 0)
                return error;

        r->depth++;
        error = list ? read_items(r, n) : read_entries(r, n);
        r->depth--;
        if (error < 0)
                return error;
        *ret = n;
        return 0;
}

static const yaml_char_t *anchor_of(const yaml_event_t *event) {
        if (event->type == YAML_SCALAR_EVENT)
                return event->data.scalar.anchor;
        if (event->type == YAML_SEQUENCE_START_EVENT)
                return event->data.sequence_start.anchor;
        return event->data.mapping_start.anchor;
}

static int read_value(struct reader *r, const yaml_event_t *event, const struct node **ret) {
        struct source_pos at = position_at(r, &event->start_mark);
        struct anchor *anchor = NULL;
        size_t before = r->n_nodes;
        int error;

        if (event->type == YAML_ALIAS_EVENT)
                return read_alias(r, event, ret);
        error = count_nodes(r, &at, 1);
        if (error < 0)
                return error;
        error = define_anchor(r, anchor_of(event), &anchor);
        if (error < 0)
                return error;
        error = event->type == YAML_SCALAR_EVENT ? read_scalar(r, event, ret) : read_collection(r, event, ret);
        if (error < 0)
                return error;
        if (anchor) {
                anchor->node = *ret;
                anchor->weight = r->n_nodes - before;
                anchor->height = r->height;
        }
        return 0;
}

/*
 * The document
 */

static int refuse_second(const struct reader *r, const yaml_event_t *event) {
        struct source_pos at = position_at(r, &event->start_mark);

        fault_set_at(r->reterr, &at, "a second document begins here");
        fault_hint(r->reterr, "put each document into a file of its own");
        return refuse(r, REASON_LOAD_INVALID, -EINVAL);
}

/* One event that has nothing for us: 0 when it is of @type, 1 when it is another. */
static int skip_event(struct reader *r, yaml_event_type_t type, yaml_event_t *ret) {
        int error;

        error = next_event(r, ret);
        if (error < 0)
                return error;
        return ret->type == type ? 0 : 1;
}

static int read_document(struct reader *r, const struct node **ret) {
        own_event yaml_event_t stream = { .type = YAML_NO_EVENT }, start = { .type = YAML_NO_EVENT };
        own_event yaml_event_t value = { .type = YAML_NO_EVENT }, end = { .type = YAML_NO_EVENT };
        own_event yaml_event_t last = { .type = YAML_NO_EVENT };
        const struct node *root = NULL;
        struct node *empty;
        int error;

        error = skip_event(r, YAML_STREAM_START_EVENT, &stream);
        if (error < 0)
                return error;
        error = skip_event(r, YAML_DOCUMENT_START_EVENT, &start);
        if (error < 0)
                return error;
        if (error > 0) {
                empty = arena_new_of(r->a, struct node);
                *empty = (struct node){ .type = NODE_NULL, .at = { r->source, 1, 1 }, .text = "" };
                *ret = empty;
                return 0;
        }

        error = next_event(r, &value);
        if (error < 0)
                return error;
        error = read_value(r, &value, &root);
        if (error < 0)
                return error;
        error = skip_event(r, YAML_DOCUMENT_END_EVENT, &end);
        if (error < 0)
                return error;
        error = skip_event(r, YAML_STREAM_END_EVENT, &last);
        if (error != 0)
                return error < 0 ? error : refuse_second(r, &last);
        *ret = root;
        return 0;
}

int yaml_parse(const char *name, const void *bytes, size_t size, struct arena *a, const struct node **ret,
               struct fault *reterr) {
        const struct source *source = NULL;
        yaml_parser_t parser;
        struct reader r;
        int error;

        error = yaml_text_take(name, bytes, size, a, &source, reterr);
        if (error < 0)
                return error;
        if (!yaml_parser_initialize(&parser))
                return fault_set_oom(reterr);
        yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&parser, (const unsigned char *)source->text, source->size);

        r = (struct reader){ .parser = &parser, .source = source, .a = a, .reterr = reterr };
        error = read_document(&r, ret);
        tdestroy(r.anchors, keep_anchor);
        yaml_parser_delete(&parser);
        return error;
}
