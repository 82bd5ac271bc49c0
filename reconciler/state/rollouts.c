/* SPDX-License-Identifier: Apache-2.0 */

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reconciler/state/state_private.h"
#include "shared/base/file.h"
#include "shared/base/text.h"

#define SUFFIX ".json"

static inline void own_dir_p(DIR **d) {
        int saved = errno;

        if (*d)
                (void)closedir(*d);
        errno = saved;
}

static int rollout_file(const char *app, struct buffer *out, struct fault *reterr) {
        assert(name_is_valid(app));
        buffer_printf(out, "%s" SUFFIX, app);
        return buffer_check(out, "name of a rollout", reterr);
}

/* The app's name of "shop.json", in @a; NULL for anything else: temporaries, what a person put there. */
static const char *app_of(const char *file, struct arena *a) {
        size_t n = strlen(file), suffix = strlen(SUFFIX);
        char *app;

        if (!str_ends_with(file, SUFFIX) || n == suffix)
                return NULL;
        app = arena_strndup(a, file, n - suffix);
        return name_is_valid(app) ? app : NULL;
}

static int read_rollout(const struct state *s, const char *file, const char *app, struct arena *a,
                        struct state_rollout *ret, struct fault *reterr) {
        own_fault struct fault fault = FAULT_INIT;
        own_json json_t *json = NULL;
        struct rollout rollout;
        int r;

        r = state_json_read_at(s->rollouts_fd, file, &json, &fault);
        if (r == 0)
                r = table_read_json(&rollout_table, file, json, &rollout, a, &fault);
        if (r == 0 && !str_eq(rollout.app, app))
                r = fault_set(&fault, FAULT_CONFIG, 0, "it is about the app '%s'", rollout.app);
        if (state_is_damage(r, &fault)) {
                *ret = (struct state_rollout){
                        .rollout = { .app = app, .intent = -1 },
                        .corrupt = arena_printf(a,
                                                "%s/rollouts/%s cannot be read (%s): it holds what failed here before; "
                                                "mend it, or remove it to start anew",
                                                s->path, file, fault.message),
                };
                return 0;
        }
        if (r < 0) {
                fault_move(reterr, &fault);
                return r;
        }
        *ret = (struct state_rollout){ .rollout = rollout };
        return 0;
}

static int compare_rollouts(const void *a, const void *b) {
        const struct state_rollout *x = a, *y = b;

        return strcmp(x->rollout.app, y->rollout.app);
}

/* A stream over the folder from its beginning, whoever read it before. */
static int rollouts_stream(const struct state *s, DIR **ret, struct fault *reterr) {
        own_fd int fd = openat(s->rollouts_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);

        if (!dir)
                return fault_set(reterr, FAULT_TRANSIENT, errno, "cannot list '%s/rollouts'", s->path);
        (void)take_fd(&fd);
        *ret = dir;
        return 0;
}

int state_rollouts_read(const struct state *s, struct arena *a, struct struct_list *ret, struct fault *reterr) {
        own(own_dir_p) DIR *dir = NULL;
        struct struct_list list = { 0 };
        int r;

        if (s->rollouts_fd < 0) {
                *ret = list;
                return 0;
        }
        r = rollouts_stream(s, &dir, reterr);
        if (r < 0)
                return r;
        for (const struct dirent *e; (errno = 0, e = readdir(dir));) {
                const char *app = app_of(e->d_name, a);
                struct state_rollout one;

                if (!app)
                        continue;
                r = read_rollout(s, e->d_name, app, a, &one, reterr);
                if (r == -ENOENT)
                        continue;
                if (r < 0)
                        return r;
                *(struct state_rollout *)arena_push(a, &list.items, &list.n, sizeof(one)) = one;
        }
        if (errno != 0)
                return fault_set(reterr, FAULT_TRANSIENT, errno, "cannot list '%s/rollouts'", s->path);
        if (list.n > 0)
                qsort(list.items, list.n, sizeof(struct state_rollout), compare_rollouts);
        *ret = list;
        return 0;
}

int state_rollout_write(struct state *s, const struct rollout *r, struct fault *reterr) {
        own_buffer struct buffer file = BUFFER_INIT;
        own_json json_t *json = table_write(&rollout_table, r);
        int rc = rollout_file(r->app, &file, reterr);

        return rc < 0 ? rc : state_json_write_at(s, s->rollouts_fd, file.data, json, reterr);
}

int state_rollout_remove(struct state *s, const char *app, struct fault *reterr) {
        own_buffer struct buffer file = BUFFER_INIT;
        int r = rollout_file(app, &file, reterr);

        if (r == 0)
                r = file_remove(s->rollouts_fd, file.data, reterr);
        return r < 0 ? state_unwritable(s->path, r, reterr) : 0;
}
