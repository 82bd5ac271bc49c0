/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/desired/tree.h"

#include <string.h>

#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/fleet/fleet.h"

size_t entries_begin(const struct desired_entry *entries, size_t n, const char *prefix) {
        size_t low = 0, high = n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (strcmp(entries[middle].path, prefix) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

bool tree_find(const struct tree *t, const char *path, size_t *ret) {
        size_t i = entries_begin(t->entries, t->n, path);

        *ret = i;
        return i < t->n && str_eq(t->entries[i].path, path);
}

int tree_read(struct tree *t, size_t i, size_t limit, struct fault *reterr) {
        own_buffer struct buffer bytes = BUFFER_INIT;
        struct desired_entry *entry = &t->entries[i];
        int r;

        if (entry->bytes || entry->type == DESIRED_SYMLINK || entry->type == DESIRED_SUBMODULE)
                return 0;
        r = t->ops->read(t, i, limit, &bytes, reterr);
        if (r < 0)
                return fault_context(reterr, r, "%s", entry->path);
        entry->bytes = arena_strndup(t->arena, buffer_str(&bytes), bytes.size);
        entry->size = bytes.size;
        return 0;
}

int tree_read_documents(struct tree *t, struct fault *reterr) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < t->n; i++)
                if (fleet_path_is_document(t->entries[i].path))
                        r = tree_read(t, i, LIMIT_DOCUMENT_BYTES, reterr);
        return r;
}

int tree_read_app(struct tree *t, const char *app, struct fault *reterr) {
        const char *prefix = arena_printf(t->arena, "apps/%s/", app);
        size_t total = 0;

        for (size_t i = entries_begin(t->entries, t->n, prefix); i < t->n && str_after(t->entries[i].path, prefix);
             i++) {
                int r = tree_read(t, i, LIMIT_APP_BYTES, reterr);

                if (r < 0)
                        return r;
                total += t->entries[i].size;
                if (total > LIMIT_APP_BYTES)
                        return fault_set_code(reterr, FAULT_CONFIG, REASON_LOAD_LIMIT,
                                              "apps/%s holds more than %d bytes (LIMIT_APP_BYTES)", app,
                                              LIMIT_APP_BYTES);
        }
        return 0;
}
