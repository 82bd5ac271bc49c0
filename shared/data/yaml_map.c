/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/data/yaml_map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/reason.h"

struct ranked {
        const char *key;
        size_t rank;
};

static int compare_ranked(const void *a, const void *b) {
        const struct ranked *x = a, *y = b;
        int c = strcmp(x->key, y->key);

        return c ? c : (x->rank > y->rank) - (x->rank < y->rank);
}

/* The entry written first that repeats a key of an earlier one. By sorting: a big map must not cost its square. */
static const struct node_entry *find_repeated(const struct ranked *order, size_t n, const struct yaml_map *m) {
        size_t first = m->n;

        for (size_t i = 1; i < n; i++)
                if (strcmp(order[i - 1].key, order[i].key) == 0 && order[i].rank < first)
                        first = order[i].rank;
        return first < m->n ? &m->entries[first] : NULL;
}

/* Append what merge keys brought, without keys that are there already; the first of several wins. */
static void add_merged(struct arena *a, struct yaml_map *m, const struct ranked *order, size_t n) {
        size_t n_own = m->n;
        bool *hidden;

        hidden = arena_array(a, n, sizeof(*hidden));
        for (size_t i = 1; i < n; i++)
                hidden[order[i].rank] = strcmp(order[i - 1].key, order[i].key) == 0;
        for (size_t i = 0; i < m->n_merged; i++)
                if (!hidden[n_own + i])
                        *(struct node_entry *)arena_push(a, &m->entries, &m->n, sizeof(*m->entries)) = m->merged[i];
}

int yaml_map_finish(struct yaml_map *m, struct arena *a, struct fault *reterr) {
        size_t n = m->n + m->n_merged;
        own_free struct ranked *order = NULL;
        const struct node_entry *repeated;

        order = calloc(n + 1, sizeof(*order));
        if (!order)
                return fault_set_oom(reterr);
        for (size_t i = 0; i < n; i++)
                order[i] = (struct ranked){ i < m->n ? m->entries[i].key : m->merged[i - m->n].key, i };
        qsort(order, n, sizeof(*order), compare_ranked);

        repeated = find_repeated(order, n, m);
        if (repeated) {
                fault_set_at(reterr, &repeated->at, "repeated key '%s'", repeated->key);
                fault_hint(reterr, "each key stands once in a map; remove one of them");
                reterr->code = REASON_LOAD_INVALID;
                return -EINVAL;
        }
        if (m->n_merged > 0)
                add_merged(a, m, order, n);
        return 0;
}

static int merge_from(struct yaml_map *m, const struct node *value, const struct source_pos *at, struct arena *a,
                      struct fault *reterr) {
        if (value->type != NODE_MAP) {
                fault_set_at(reterr, at, "'<<' must be a map or a list of maps, not %s",
                             node_type_to_string(value->type));
                fault_hint(reterr, "quote the key to use '<<' as a name");
                reterr->code = REASON_LOAD_INVALID;
                return -EINVAL;
        }
        for (size_t i = 0; i < value->n; i++)
                *(struct node_entry *)arena_push(a, &m->merged, &m->n_merged, sizeof(*m->merged)) = value->entries[i];
        return 0;
}

int yaml_map_merge(struct yaml_map *m, const struct node_entry *entry, const struct source_pos *value_at,
                   struct arena *a, struct fault *reterr) {
        const struct node *value = entry->value;
        int r = 0;

        if (m->has_merge) {
                fault_set_at(reterr, &entry->at, "repeated key '<<'");
                fault_hint(reterr, "merge several maps with a list: '<<: [*one, *two]'");
                reterr->code = REASON_LOAD_INVALID;
                return -EINVAL;
        }
        m->has_merge = true;
        if (value->type != NODE_LIST)
                return merge_from(m, value, value_at, a, reterr);
        for (size_t i = 0; i < value->n && r == 0; i++)
                r = merge_from(m, value->items[i], value_at, a, reterr);
        return r;
}
