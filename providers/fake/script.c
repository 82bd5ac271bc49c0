/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/fake/script.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"

static int make_folder_of(const char *path, struct fault *reterr) {
        own_free char *folder = strdup(path);
        own_fd int fd = -1;
        char *slash = folder ? strrchr(folder, '/') : NULL;

        if (!folder)
                return fault_set_oom(reterr);
        if (!slash || slash == folder)
                return 0;
        *slash = '\0';
        return dir_make(AT_FDCWD, folder, 0755, &fd, reterr);
}

int script_init(struct script *s, const char *path, struct fault *reterr) {
        int r = path ? make_folder_of(path, reterr) : 0;

        *s = (struct script){ .path = path, .world = r == 0 ? json_object() : NULL };
        return r < 0 || s->world ? r : fault_set_oom(reterr);
}

void script_done(struct script *s) {
        json_decref(s->world);
        s->world = NULL;
}

bool script_is_away(const struct script *s) {
        return !json_get_bool(s->world, "available", true);
}

const char *script_reason(const struct script *s, const char *otherwise) {
        const char *reason = json_get_string(s->world, "reason");

        return reason ? reason : otherwise;
}

json_t *script_member(json_t *object, const char *key, json_t *(*make)(void)) {
        json_t *value = json_object_get(object, key);

        if (!value) {
                json_object_set_new(object, key, make());
                value = json_object_get(object, key);
        }
        return value;
}

static int script_load(struct script *s, struct fault *reterr) {
        own_buffer struct buffer text = BUFFER_INIT;
        own_fault struct fault why = FAULT_INIT;
        json_t *world = NULL;
        int r;

        if (!s->path)
                return 0;
        r = file_read(AT_FDCWD, s->path, LIMIT_STATE_BYTES, &text, &why);
        if (r == -ENOENT)
                return 0;
        if (r < 0) {
                fault_move(reterr, &why);
                return r;
        }
        r = json_parse(s->path, text.data, text.size, &world, reterr);
        if (r < 0)
                return r;
        json_decref(s->world);
        s->world = world;
        return 0;
}

static int script_save(struct script *s, struct fault *reterr) {
        own_buffer struct buffer text = BUFFER_INIT;
        int r;

        if (!s->path)
                return 0;
        r = json_pretty(s->world, &text, reterr);
        return r < 0 ? r : file_write(AT_FDCWD, s->path, text.data, text.size, 0644, reterr);
}

static int64_t script_count(struct script *s, const char *call) {
        json_t *counts = script_member(s->world, "counts", json_object);
        int64_t n = json_get_integer(counts, call, 0) + 1;

        json_object_set_new(counts, call, json_integer(n));
        return n;
}

/* The entry of @list (fail or exit) that applies to this call, or NULL. */
static const json_t *script_find(const struct script *s, const char *list, const char *call, int64_t nth, int64_t any,
                                 bool after) {
        size_t i;
        json_t *entry;

        json_array_foreach(json_object_get(s->world, list), i, entry) {
                const char *name = json_get_string(entry, "call");
                int64_t first = json_get_integer(entry, "nth", 1), last = json_get_integer(entry, "last", first);
                int64_t n = str_eq(name, "*") ? any : nth;

                if ((str_eq(name, call) || str_eq(name, "*")) && n >= first && (last == 0 || n <= last) &&
                    json_get_bool(entry, "after", false) == after)
                        return entry;
        }
        return NULL;
}

static enum fault_kind kind_of(const json_t *entry) {
        const char *name = json_get_string(entry, "kind");

        for (enum fault_kind k = FAULT_CONFIG; name && k < FAULT_KIND_MAX_; k++)
                if (str_eq(fault_kind_to_string(k), name))
                        return k;
        return FAULT_TRANSIENT;
}

/* The table's own string of a code: faults keep a pointer to it. */
static const char *code_of(const json_t *entry, const char *otherwise) {
        const char *code = json_get_string(entry, "code");

        for (const char *const *known = reason_codes(); code && *known; known++)
                if (str_eq(*known, code))
                        return *known;
        return otherwise;
}

static const char *message_of(const json_t *entry) {
        const char *message = json_get_string(entry, "message");

        return message ? message : "the script says so";
}

int script_begin(struct script *s, const char *name, const char *what, struct script_call *ret, struct fault *reterr) {
        struct script_call call = { .name = name };
        const json_t *entry;
        int r;

        r = script_load(s, reterr);
        if (r < 0)
                return r;
        call.nth = script_count(s, name);
        call.any = script_count(s, "*");
        json_array_append_new(script_member(s->world, "trace", json_array),
                              json_sprintf("%s%s%s", name, *what ? " " : "", what));
        r = script_save(s, reterr);
        if (r < 0)
                return r;
        clock_sleep_ms(json_get_integer(s->world, "slow", 0));
        entry = script_find(s, "exit", name, call.nth, call.any, false);
        if (entry)
                _exit((int)json_get_integer(entry, "code", 137));
        entry = script_find(s, "fail", name, call.nth, call.any, false);
        if (entry)
                return fault_set_code(reterr, kind_of(entry), code_of(entry, NULL), "%s", message_of(entry));
        *ret = call;
        return 0;
}

int script_end(struct script *s, const struct script_call *call, struct fault *reterr) {
        const json_t *entry;
        int r = script_save(s, reterr);

        if (r < 0)
                return r;
        entry = script_find(s, "exit", call->name, call->nth, call->any, true);
        if (entry)
                _exit((int)json_get_integer(entry, "code", 137));
        entry = script_find(s, "fail", call->name, call->nth, call->any, true);
        if (entry)
                return fault_set_code(reterr, kind_of(entry), code_of(entry, NULL), "%s", message_of(entry));
        return 0;
}
