/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/model/files.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/data/json.h"

/* The path of an entry within @folder, or NULL when it stands elsewhere. */
static const char *path_within(const char *path, const char *folder) {
        const char *rest = str_after(path, folder);

        return rest && *rest == '/' && rest[1] ? rest + 1 : NULL;
}

static int check_entry(const struct desired_entry *entry, const char *path, struct fault *reterr) {
        static const char *const refused[DESIRED_TYPE_MAX_] = {
                [DESIRED_SYMLINK] = "a symbolic link",
                [DESIRED_SUBMODULE] = "a submodule",
        };

        assert(entry->type < DESIRED_TYPE_MAX_);
        if (refused[entry->type]) {
                int r = fault_set_code(reterr, FAULT_CONFIG, REASON_LOAD_INVALID, "%s: an app's folder may not hold %s",
                                       entry->path, refused[entry->type]);
                fault_hint(reterr, "put the file itself there: what is mounted must be what was signed");
                return r;
        }
        if (!utf8_is_valid(entry->path, strlen(entry->path))) {
                own_buffer struct buffer name = BUFFER_INIT;
                int r;

                buffer_append_utf8(&name, entry->path, strlen(entry->path));
                r = fault_set_code(reterr, FAULT_CONFIG, REASON_LOAD_INVALID, "%s: a file's name must be UTF-8",
                                   buffer_str(&name));
                fault_hint(reterr, "rename it: git ls-files -z shows the name as it is");
                return r;
        }
        if (!path_is_inside(path))
                return fault_set_code(reterr, FAULT_CONFIG, REASON_LOAD_INVALID,
                                      "an app's folder holds a file with an unusable name");
        if (!entry->bytes && entry->size > 0)
                return fault_set(reterr, FAULT_INTERNAL, EINVAL, "%s was not read", entry->path);
        return 0;
}

static int compare_files(const void *a, const void *b) {
        return strcmp(((const struct app_file *)a)->path, ((const struct app_file *)b)->path);
}

static int check_limits(const char *folder, size_t n, size_t bytes, struct fault *reterr) {
        if (n > LIMIT_APP_FILES)
                return fault_set_code(reterr, FAULT_CONFIG, REASON_LOAD_LIMIT,
                                      "%s holds more than %d files (LIMIT_APP_FILES)", folder, LIMIT_APP_FILES);
        if (bytes > LIMIT_APP_BYTES)
                return fault_set_code(reterr, FAULT_CONFIG, REASON_LOAD_LIMIT,
                                      "%s holds more than %d bytes (LIMIT_APP_BYTES)", folder, LIMIT_APP_BYTES);
        return 0;
}

int app_files_make(const char *folder, const struct desired_entry *entries, size_t n, struct arena *a,
                   struct app_files *ret, struct fault *reterr) {
        struct app_file *items = NULL;
        size_t n_items = 0, bytes = 0;

        for (size_t i = 0; i < n; i++) {
                const char *path = path_within(entries[i].path, folder);
                int r;

                if (!path)
                        continue;
                r = check_entry(&entries[i], path, reterr);
                if (r < 0)
                        return r;
                if (entries[i].size > LIMIT_APP_BYTES)
                        return check_limits(folder, 0, entries[i].size, reterr);
                bytes += entries[i].size;
                r = check_limits(folder, n_items + 1, bytes, reterr);
                if (r < 0)
                        return r;

                *(struct app_file *)arena_push(a, &items, &n_items, sizeof(*items)) = (struct app_file){
                        .path = path,
                        .executable = entries[i].type == DESIRED_EXECUTABLE,
                        .bytes = entries[i].bytes ? entries[i].bytes : "",
                        .size = entries[i].size,
                        .digest = digest_of(entries[i].bytes ? entries[i].bytes : "", entries[i].size),
                };
        }

        if (n_items > 1)
                qsort(items, n_items, sizeof(*items), compare_files);
        *ret = (struct app_files){ .folder = arena_strdup(a, folder), .items = items, .n = n_items };
        return 0;
}

const struct app_file *app_files_find(const struct app_files *files, const char *path) {
        struct app_file key = { .path = path };

        if (files->n == 0)
                return NULL;
        return bsearch(&key, files->items, files->n, sizeof(*files->items), compare_files);
}

/* The first file whose path is not before @path. */
static size_t lower_bound(const struct app_files *files, const char *path) {
        size_t low = 0, high = files->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (strcmp(files->items[middle].path, path) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

size_t app_files_under(const struct app_files *files, const char *path, const struct app_file **ret_first) {
        size_t first, last, length = strlen(path);

        if (length == 0) {
                *ret_first = files->items;
                return files->n;
        }
        /* "a-b" stands between "a" and "a/b", so the folder's files begin where "a/" would stand. */
        for (first = lower_bound(files, path); first < files->n; first++) {
                const char *item = files->items[first].path;

                if (strncmp(item, path, length) != 0 || item[length] >= '/')
                        break;
        }
        for (last = first; last < files->n; last++)
                if (!path_within(files->items[last].path, path))
                        break;
        if (last == first)
                return 0;
        *ret_first = &files->items[first];
        return last - first;
}

static void describe_file(json_t *object, const char *path, const struct app_file *file) {
        json_t *value = json_pack("{s:b, s:s}", "executable", file->executable, "sha256", digest_hex(&file->digest));

        if (!value || json_object_set_new(object, path, value) < 0)
                abort();
}

bool app_files_digest(const struct app_files *files, const char *path, struct digest *ret) {
        own_json json_t *object = json_object();
        const struct app_file *file = app_files_find(files, path), *first = NULL;
        size_t n, skip = strlen(path);

        if (!object)
                abort();
        if (file) {
                describe_file(object, "", file);
        } else {
                n = app_files_under(files, path, &first);
                if (n == 0)
                        return false;
                for (size_t i = 0; i < n; i++)
                        describe_file(object, first[i].path + (skip ? skip + 1 : 0), &first[i]);
        }
        *ret = digest_of_json(object);
        return true;
}

const char *app_path_normalize(const char *path, struct arena *a) {
        size_t size = strlen(path), at = 0;
        char *out;

        if (size == 0 || *path == '/')
                return NULL;
        out = arena_alloc(a, size + 1);
        for (const char *p = path; *p;) {
                size_t n = strcspn(p, "/");

                if (n > 0 && !(n == 1 && *p == '.')) {
                        if (at > 0)
                                out[at++] = '/';
                        memcpy(out + at, p, n);
                        at += n;
                }
                p += n;
                p += strspn(p, "/");
        }
        out[at] = '\0';
        return at == 0 || path_is_inside(out) ? out : NULL;
}
