/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/routers/traefik.h"

#include <fcntl.h>
#include <string.h>

#include "providers/doctor.h"
#include "providers/routers/activate.h"
#include "providers/routers/admin.h"
#include "providers/routers/traefik_config.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/data/json.h"

#define TAKES_MS      15000
#define PAUSE_MS      50
/*
 * Without the API nobody says when a file was taken: the provider waits providersThrottleDuration, 2 s unless it was
 * changed.
 */
#define BLIND_MS      3000
#define FILE_NAME_MAX (ROUTE_NAME_MAX + 8)

struct traefik {
        struct router router;
        const struct router_settings *settings;
        struct admin *admin; /* NULL: no API to ask */
};

static struct traefik *traefik_of(struct router *r) {
        return (struct traefik *)r;
}

static void traefik_close(struct router *r) {
        struct traefik *t = traefik_of(r);

        if (!t)
                return;
        admin_free(t->admin);
        free(t);
}

static int traefik_open(const struct router_settings *settings, struct router **ret, struct fault *reterr) {
        struct traefik *t;
        int r = 0;

        if (!settings->folder) {
                fault_set(reterr, FAULT_CONFIG, EINVAL, "Traefik needs a folder for our files");
                fault_hint(reterr,
                           "routers: {traefik: {folder: /etc/traefik/tally.d, admin: 'http://127.0.0.1:8080'}}");
                return -EINVAL;
        }
        t = calloc(1, sizeof(*t));
        if (!t)
                return fault_set_oom(reterr);
        *t = (struct traefik){ .router.ops = &traefik_router_ops, .settings = settings };
        if (settings->admin)
                r = admin_new(settings->admin, &t->admin, reterr);
        if (r < 0) {
                traefik_close(&t->router);
                return r;
        }
        *ret = &t->router;
        return 0;
}

static int refuse(const struct traffic *t, const char *what, const char *hint, struct fault *reterr) {
        int r = fault_set_code_at(reterr, &t->at, REASON_LOAD_INVALID, "%s", what);

        fault_hint(reterr, "%s", hint);
        return r;
}

static int traefik_check(struct router *r, const char *app, const struct traffic *t, struct fault *reterr) {
        if (t->listen && !traefik_of(r)->admin)
                return refuse(
                        t,
                        "Traefik's entry points are in its own configuration, and there is no API to find the one that listens there",
                        "leave `listen` out, or set routers.traefik.admin in tally.yaml", reterr);
        if (t->split.by != SPLIT_WEIGHT && !traefik_has_routers(t))
                return refuse(t,
                              "Traefik tells requests apart by header or cookie only in routers, and this app has none",
                              "say which requests are its own: server_name or path", reterr);
        if (t->split.by != SPLIT_WEIGHT && t->sticky)
                return refuse(t, "Traefik has no sticky sessions for a split by header or cookie", "leave `sticky` out",
                              reterr);
        if (t->server_name && strchr(t->server_name, '*'))
                return refuse(t, "Traefik takes no * in a host name", "write the host name out", reterr);
        return 0;
}

static const char *file_name(const char *app, char buf[static FILE_NAME_MAX]) {
        char name[ROUTE_NAME_MAX];

        (void)snprintf(buf, FILE_NAME_MAX, "%s.yml", route_name(app, name));
        return buf;
}

static int get(struct traefik *t, const char *path, json_t **ret, struct fault *reterr) {
        own_admin_answer struct admin_answer answer = ADMIN_ANSWER_INIT;
        int r = admin_call(t->admin, &(struct admin_request){ .path = path }, &answer, reterr);

        if (r < 0)
                return r;
        if (answer.status != 200)
                return fault_set_code(reterr, FAULT_TRANSIENT, REASON_ROUTER_UNAVAILABLE,
                                      "Traefik's API answers HTTP %d at %s", answer.status, path);
        return admin_json(&answer, ret, reterr);
}

/* @ret: NULL without `listen`; in @a. */
static int find_entry_point(struct traefik *t, const struct traffic *traffic, struct arena *a, const char **ret,
                            struct fault *reterr) {
        own_json json_t *list = NULL;
        int r;

        *ret = NULL;
        if (!traffic->listen)
                return 0;
        if (!t->admin)
                return fault_set_code(reterr, FAULT_DENIED, REASON_ROUTE_INVALID,
                                      "without its API, Traefik's entry points are not known");
        r = get(t, "/api/entrypoints", &list, reterr);
        if (r < 0)
                return r;
        *ret = arena_strdup(a, traefik_entry_point(list, traffic->listen));
        return *ret ? 0
                    : fault_set_code(reterr, FAULT_DENIED, REASON_ROUTE_INVALID,
                                     "none of Traefik's entry points listens at %s", traffic->listen);
}

/*
 * Observe
 */

struct seen {
        struct buffer text;
        bool there, cut_short;
        json_t *file;    /* NULL: there is none, or it is not readable */
        json_t *rawdata; /* NULL without API */
};

static void seen_done(struct seen *s) {
        buffer_done(&s->text);
        json_decref(s->file);
        json_decref(s->rawdata);
}

static int look(struct traefik *t, int folder, const char *app, struct seen *ret, struct fault *reterr) {
        own_fault struct fault why = FAULT_INIT;
        char name[FILE_NAME_MAX];
        const struct activation at = { .folder = folder, .name = file_name(app, name) };
        int r = folder < 0 ? 0 : activate_read(&at, &ret->text, &ret->there, reterr);

        if (r < 0)
                return r;
        ret->cut_short = folder >= 0 && activate_is_cut_short(&at);
        if (ret->there)
                /* unreadable is altered */
                (void)traefik_read(buffer_str(&ret->text), ret->text.size, &ret->file, &why);
        return t->admin ? get(t, "/api/rawdata", &ret->rawdata, reterr) : 0;
}

/* What runs, by the API; without it, what the file says. */
static int read_route(struct traefik *t, const struct seen *s, const char *app, struct arena *a,
                      struct route_state *ret, struct fault *reterr) {
        if (t->admin)
                return traefik_parse(json_object_get(s->rawdata, "services"), app, "@file", a, &ret->present,
                                     &ret->route, reterr);
        return traefik_parse(json_object_get(json_object_get(s->file, "http"), "services"), app, "", a, &ret->present,
                             &ret->route, reterr);
}

static const char *difference(struct traefik *t, const struct seen *s, const struct traffic *traffic,
                              const struct route *route, struct arena *a) {
        own_buffer struct buffer wanted = BUFFER_INIT;
        own_fault struct fault why = FAULT_INIT;
        own_json json_t *config = NULL;
        const char *entry_point;

        if (s->cut_short)
                return "a change of its file was cut short";
        if (!s->there)
                return "its file is gone";
        if (find_entry_point(t, traffic, a, &entry_point, &why) < 0)
                return arena_strdup(a, why.message);
        config = traefik_render(traffic, route, entry_point);
        if (traefik_write(route->app, config, &wanted, &why) < 0 || wanted.size != s->text.size ||
            memcmp(buffer_str(&wanted), buffer_str(&s->text), wanted.size) != 0)
                return "its file was changed, or its settings were";
        return t->admin ? traefik_difference(config, s->rawdata, a) : NULL;
}

static int traefik_observe(struct router *r, const char *app, const struct traffic *traffic, struct arena *a,
                           struct route_state *ret, struct fault *reterr) {
        struct traefik *t = traefik_of(r);
        own_fd int folder = open(t->settings->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        own_fault struct fault why = FAULT_INIT;
        own(seen_done) struct seen s = { .there = false };

        if (look(t, folder, app, &s, &why) < 0) {
                ret->reason = arena_strdup(a, why.message);
                return 0;
        }
        ret->available = true;
        if (read_route(t, &s, app, a, ret, &why) < 0)
                ret->detail = arena_strdup(a, why.message);
        else if (ret->present)
                ret->detail = difference(t, &s, traffic, &ret->route, a);
        else if (s.there)
                ret->detail = "its file is there, but has no route of ours in force";
        ret->altered = ret->detail;
        return 0;
}

/*
 * Apply
 */

/* Until Traefik has @config; NULL: nothing of @app. *ret_why: what it has not, at the end. */
static bool wait_for(struct traefik *t, const char *app, const json_t *config, struct arena *a, const char **ret_why) {
        int64_t start = clock_monotonic_ns();

        *ret_why = "Traefik does not answer";
        if (!t->admin) {
                clock_sleep_ms(BLIND_MS);
                return true;
        }
        for (;;) {
                own_fault struct fault why = FAULT_INIT;
                own_json json_t *rawdata = NULL;
                char name[ROUTE_NAME_MAX];

                if (get(t, "/api/rawdata", &rawdata, &why) == 0) {
                        if (config)
                                *ret_why = traefik_difference(config, rawdata, a);
                        else {
                                const char *service = arena_printf(a, "%s@file", route_name(app, name));

                                *ret_why = json_object_get(json_object_get(rawdata, "services"), service)
                                                   ? "Traefik still has its services"
                                                   : NULL;
                        }
                        if (!*ret_why)
                                return true;
                }
                if (clock_monotonic_ns() - start >= (int64_t)TAKES_MS * 1000000)
                        return false;
                clock_sleep_ms(PAUSE_MS);
        }
}

/* Traefik itself keeps what it has when a file is not valid; so that it also starts with that, ours goes back then. */
static int change(struct traefik *t, int folder, const char *app, const json_t *config, const struct buffer *text,
                  struct fault *reterr) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault why = FAULT_INIT;
        char name[FILE_NAME_MAX];
        const struct activation at = { .folder = folder, .name = file_name(app, name) };
        const char *missing;
        int r = activate_put(&at, text ? buffer_str(text) : NULL, text ? text->size : 0, reterr);

        if (r < 0)
                return r;
        if (wait_for(t, app, config, a, &missing))
                return activate_keep(&at, reterr);
        (void)activate_revert(&at, &why);
        r = fault_set_code(reterr, FAULT_DENIED, REASON_ROUTE_INVALID, "Traefik does not take the configuration: %s",
                           missing);
        fault_hint(reterr, "its log says why; is %s the folder of its file provider, with watch?", t->settings->folder);
        return r;
}

static int traefik_apply(struct router *r, const struct traffic *traffic, const struct route *route,
                         struct fault *reterr) {
        struct traefik *t = traefik_of(r);
        own_arena struct arena *a = arena_new();
        own_fd int folder = -1;
        own(seen_done) struct seen s = { .there = false };
        own_buffer struct buffer text = BUFFER_INIT;
        own_json json_t *config = NULL;
        const char *entry_point;
        int e = dir_make(AT_FDCWD, t->settings->folder, 0755, &folder, reterr);

        if (e == 0)
                e = look(t, folder, route->app, &s, reterr);
        if (e == 0)
                e = find_entry_point(t, traffic, a, &entry_point, reterr);
        if (e < 0)
                return e;
        if (s.there && !difference(t, &s, traffic, route, a))
                return 0;
        config = traefik_render(traffic, route, entry_point);
        e = traefik_write(route->app, config, &text, reterr);
        if (e == 0)
                e = buffer_check(&text, "a configuration for Traefik", reterr);
        return e < 0 ? e : change(t, folder, route->app, config, &text, reterr);
}

static int traefik_remove(struct router *r, const char *app, struct fault *reterr) {
        struct traefik *t = traefik_of(r);
        own_fd int folder = open(t->settings->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        own(seen_done) struct seen s = { .there = false };
        int e;

        if (folder < 0)
                return errno == ENOENT
                               ? 0
                               : fault_set(reterr, FAULT_TRANSIENT, errno, "cannot open '%s'", t->settings->folder);
        e = look(t, folder, app, &s, reterr);
        return e < 0 || (!s.there && !s.cut_short) ? e : change(t, folder, app, NULL, NULL, reterr);
}

static int traefik_doctor(struct router *r, json_t *out, struct fault *reterr) {
        struct traefik *t = traefik_of(r);
        own_buffer struct buffer detail = BUFFER_INIT;
        own_json json_t *answer = NULL;
        own_fault struct fault why = FAULT_INIT;
        const char *version;

        if (!t->admin)
                return doctor_say(out, "traefik", "warn", "what it has in force cannot be read back",
                                  "set routers.traefik.admin in tally.yaml to its API", reterr);
        if (get(t, "/api/version", &answer, &why) < 0)
                return doctor_say_fault(out, "traefik", &why, reterr);
        version = json_get_string(answer, "Version");
        buffer_printf(&detail, "version %s", version ? version : "unknown");
        return doctor_say(out, "traefik", "ok", buffer_str(&detail), NULL, reterr);
}

const struct router_ops traefik_router_ops = {
        .abi = ROUTER_ABI,
        .name = "traefik",
        .open = traefik_open,
        .close = traefik_close,
        .check = traefik_check,
        .observe = traefik_observe,
        .apply = traefik_apply,
        .remove = traefik_remove,
        .doctor = traefik_doctor,
};
