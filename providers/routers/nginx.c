/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/routers/nginx.h"

#include <fcntl.h>
#include <string.h>

#include "providers/doctor.h"
#include "providers/routers/activate.h"
#include "providers/routers/admin.h"
#include "providers/routers/nginx_config.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"

#define TAKES_MS 10000 /* from the command to the first new answer */
#define SETTLE_MS \
        250 /* the old workers go 100 ms after the new ones came (ngx_msleep() in ngx_master_process_cycle()) */
#define PAUSE_MS      10
#define FILE_NAME_MAX (ROUTE_NAME_MAX + 8)

struct nginx {
        struct router router;
        const struct router_settings *settings;
        struct admin *admin;
};

/* What the running nginx tells of an app. */
struct told {
        bool answers; /* nginx is there */
        bool present; /* … and knows the app */
        struct digest digest;
        struct route route;
};

static struct nginx *nginx_of(struct router *r) {
        return (struct nginx *)r;
}

static void nginx_close(struct router *r) {
        struct nginx *n = nginx_of(r);

        if (!n)
                return;
        admin_free(n->admin);
        free(n);
}

static int nginx_open(const struct router_settings *settings, struct router **ret, struct fault *reterr) {
        struct nginx *n;
        int r;

        if (!settings->folder || !settings->admin || !str_after(settings->admin, "http://")) {
                fault_set(reterr, FAULT_CONFIG, EINVAL,
                          "nginx needs a folder for our files, and an address to ask it at");
                fault_hint(reterr, "routers: {nginx: {folder: /etc/nginx/tally.d, admin: 'http://127.0.0.1:8998'}}");
                return -EINVAL;
        }
        n = calloc(1, sizeof(*n));
        if (!n)
                return fault_set_oom(reterr);
        *n = (struct nginx){ .router.ops = &nginx_router_ops, .settings = settings };
        r = admin_new(settings->admin, &n->admin, reterr);
        if (r < 0) {
                nginx_close(&n->router);
                return r;
        }
        *ret = &n->router;
        return 0;
}

static int nginx_check(struct router *r, const char *app, const struct traffic *t, struct fault *reterr) {
        if (t->split.by == SPLIT_HEADER && strchr(t->split.name, '_'))
                return fault_set_code_at(reterr, &t->at, REASON_LOAD_INVALID,
                                         "nginx drops headers with an underscore in their name, as '%s' has",
                                         t->split.name);
        if (t->server_name && strchr(t->server_name, '*') && t->server_name[0] != '*')
                return fault_set_code_at(reterr, &t->at, REASON_LOAD_INVALID,
                                         "nginx takes a * only at the start of a host name");
        return 0;
}

static const char *file_name(const char *app, char buf[static FILE_NAME_MAX]) {
        char name[ROUTE_NAME_MAX];

        (void)snprintf(buf, FILE_NAME_MAX, "%s.conf", route_name(app, name));
        return buf;
}

/* 0 also when nginx does not answer: then @why says so. */
static int ask(struct nginx *n, const char *app, struct arena *a, struct told *ret, struct fault *why) {
        own_admin_answer struct admin_answer answer = ADMIN_ANSWER_INIT;
        own_fault struct fault other = FAULT_INIT;
        char host[NGINX_HOST_MAX];
        struct told t = { .answers = false };

        if (admin_call(n->admin, &(struct admin_request){ .path = "/", .host = nginx_host(app, host) }, &answer, why) ==
            0) {
                t.answers = true;
                t.present = answer.status == 200 && nginx_parse_told(app, buffer_str(&answer.body), answer.body.size, a,
                                                                     &t.digest, &t.route, &other) == 0;
        }
        *ret = t;
        return t.answers ? 0 : -ENOTCONN;
}

/*
 * Observe
 */

struct seen {
        struct told told;
        bool there;     /* our file */
        bool cut_short; /* we were ended while we changed it */
        struct buffer text;
};

static void seen_done(struct seen *s) {
        buffer_done(&s->text);
}

static int look(struct nginx *n, int folder, const char *app, struct arena *a, struct seen *ret, struct fault *why,
                struct fault *reterr) {
        char name[FILE_NAME_MAX];
        const struct activation at = { .folder = folder, .name = file_name(app, name) };
        int r;

        ret->there = false;
        if (folder >= 0) {
                r = activate_read(&at, &ret->text, &ret->there, reterr);
                if (r < 0)
                        return r;
                ret->cut_short = activate_is_cut_short(&at);
        }
        (void)ask(n, app, a, &ret->told, why);
        return 0;
}

static bool same_bytes(const struct buffer *x, const struct buffer *y) {
        return x->size == y->size && memcmp(buffer_str(x), buffer_str(y), x->size) == 0;
}

/* NULL: what runs is what lies in the folder is what we would write. */
static const char *difference(const struct seen *s, const struct buffer *wanted, const struct digest *digest) {
        bool file = s->there && same_bytes(&s->text, wanted), live = digest_equal(&s->told.digest, digest);

        if (s->cut_short)
                return "a change of it was cut short";
        if (!s->there)
                return "its file is gone";
        if (file && live)
                return NULL;
        if (live)
                return "its file was changed";
        return file ? "nginx runs another configuration than its file" : "its file or its settings were changed";
}

static int nginx_observe(struct router *r, const char *app, const struct traffic *traffic, struct arena *a,
                         struct route_state *ret, struct fault *reterr) {
        struct nginx *n = nginx_of(r);
        own_fd int folder = open(n->settings->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        own_fault struct fault why = FAULT_INIT;
        own(seen_done) struct seen s = { .there = false };
        own_buffer struct buffer wanted = BUFFER_INIT;
        struct digest digest;
        int e = look(n, folder, app, a, &s, &why, reterr);

        if (e < 0)
                return e;
        /*
         * Without a file of ours nothing tells us anything: there is nothing, and apply() finds out whether nginx is
         * there.
         */
        ret->available = s.told.answers || !s.there || s.cut_short;
        if (!ret->available) {
                ret->reason = arena_printf(
                        a,
                        "nginx does not answer at %s: does it run, and does its configuration include %s/*.conf? (%s)",
                        n->settings->admin, n->settings->folder, why.message ? why.message : "");
                return 0;
        }
        ret->present = s.told.present;
        if (!s.told.present) {
                ret->altered = s.there;
                ret->detail = s.there ? "its file is there, but nginx has not loaded it" : NULL;
                return 0;
        }
        ret->route = s.told.route;
        e = nginx_render(admin_address(n->admin), traffic, &s.told.route, &wanted, &digest, reterr);
        if (e < 0)
                return e;
        ret->detail = difference(&s, &wanted, &digest);
        ret->altered = ret->detail;
        return 0;
}

/*
 * Apply
 */

/* Until @digest (NULL: nothing) is told, and nothing else for as long as old workers may still take requests. */
static bool wait_for(struct nginx *n, const char *app, const struct digest *digest) {
        int64_t start = clock_monotonic_ns(), since = 0, now;

        for (;;) {
                own_arena struct arena *a = arena_new();
                own_fault struct fault why = FAULT_INIT;
                struct told t;
                bool is;

                (void)ask(n, app, a, &t, &why);
                is = digest ? t.present && digest_equal(&t.digest, digest) : !t.present;
                now = clock_monotonic_ns();
                since = !is ? 0 : since ? since : now;
                if (since && now - since >= (int64_t)SETTLE_MS * 1000000)
                        return true;
                if (now - start >= (int64_t)TAKES_MS * 1000000)
                        return false;
                clock_sleep_ms(PAUSE_MS);
        }
}

/* Whether @said, of a test that passed, is that our server does not get its requests: nginx only warns. */
static bool is_conflict(const struct traffic *t, const char *said) {
        own_buffer struct buffer warning = BUFFER_INIT;

        if (!t || !t->listen || !t->server_name)
                return false;
        buffer_printf(&warning, "conflicting server name \"%s\"", t->server_name);
        return strstr(said, buffer_str(&warning));
}

static int validate(struct nginx *n, const struct traffic *t, struct fault *reterr) {
        static const char *const usual[] = { "nginx", "-t", NULL };
        own_buffer struct buffer said = BUFFER_INIT;
        int code, r = activate_command(&n->settings->test, usual, &code, &said, reterr);

        if (r < 0)
                return fault_context(reterr, r, "cannot validate");
        if (code != 0 || is_conflict(t, buffer_str(&said)))
                return fault_set_code(reterr, FAULT_DENIED, REASON_ROUTE_INVALID, "nginx refuses the configuration: %s",
                                      buffer_str(&said));
        return 0;
}

static int reload(struct nginx *n, struct fault *reterr) {
        static const char *const usual[] = { "nginx", "-s", "reload", NULL };
        own_buffer struct buffer said = BUFFER_INIT;
        int code, r = activate_command(&n->settings->reload, usual, &code, &said, reterr);

        if (r < 0)
                return fault_context(reterr, r, "cannot reload");
        if (code != 0) {
                r = fault_set_code(reterr, FAULT_TRANSIENT, REASON_ROUTER_UNAVAILABLE,
                                   "nginx cannot be told to reload: %s", buffer_str(&said));
                fault_hint(reterr, "is nginx running?");
        }
        return r;
}

static int activate(struct nginx *n, const struct traffic *t, const char *app, const struct digest *digest,
                    struct fault *reterr) {
        own_fault struct fault why = FAULT_INIT;
        own_arena struct arena *a = arena_new();
        struct told told;
        int r = validate(n, t, reterr);

        if (r == 0)
                r = reload(n, reterr);
        if (r < 0 || wait_for(n, app, digest))
                return r;
        if (ask(n, app, a, &told, &why) < 0)
                return fault_set_code(reterr, FAULT_TRANSIENT, REASON_ROUTER_UNAVAILABLE,
                                      "nginx does not answer at %s: %s", n->settings->admin,
                                      why.message ? why.message : "");
        r = fault_set_code(reterr, FAULT_DENIED, REASON_ROUTE_INVALID,
                           "nginx was told to reload and goes on as before");
        fault_hint(reterr, "its error log says why; does its configuration include %s/*.conf?", n->settings->folder);
        return r;
}

/* @text NULL: nothing is left of the app. */
static int change(struct nginx *n, int folder, const struct traffic *t, const char *app, const struct buffer *text,
                  const struct digest *digest, struct fault *reterr) {
        own_fault struct fault why = FAULT_INIT;
        char name[FILE_NAME_MAX];
        const struct activation at = { .folder = folder, .name = file_name(app, name) };
        int r = activate_put(&at, text ? buffer_str(text) : NULL, text ? text->size : 0, reterr);

        if (r < 0)
                return r;
        r = activate(n, t, app, digest, reterr);
        if (r == 0)
                return activate_keep(&at, reterr);
        /* Perhaps it takes the new one yet, late: then it shall find the old one. */
        if (activate_revert(&at, &why) == 0 && validate(n, NULL, &why) == 0)
                (void)reload(n, &why);
        return r;
}

static int nginx_apply(struct router *r, const struct traffic *traffic, const struct route *route,
                       struct fault *reterr) {
        struct nginx *n = nginx_of(r);
        own_arena struct arena *a = arena_new();
        own_fd int folder = -1;
        own_fault struct fault why = FAULT_INIT;
        own(seen_done) struct seen s = { .there = false };
        own_buffer struct buffer text = BUFFER_INIT;
        struct digest digest;
        int e = dir_make(AT_FDCWD, n->settings->folder, 0755, &folder, reterr);

        if (e == 0)
                e = look(n, folder, route->app, a, &s, &why, reterr);
        if (e == 0)
                e = nginx_render(admin_address(n->admin), traffic, route, &text, &digest, reterr);
        if (e < 0)
                return e;
        if (s.told.present && !difference(&s, &text, &digest))
                return 0;
        return change(n, folder, traffic, route->app, &text, &digest, reterr);
}

static int nginx_remove(struct router *r, const char *app, struct fault *reterr) {
        struct nginx *n = nginx_of(r);
        own_arena struct arena *a = arena_new();
        own_fd int folder = open(n->settings->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        own_fault struct fault why = FAULT_INIT;
        own(seen_done) struct seen s = { .there = false };
        int e;

        if (folder < 0)
                return errno == ENOENT
                               ? 0
                               : fault_set(reterr, FAULT_TRANSIENT, errno, "cannot open '%s'", n->settings->folder);
        e = look(n, folder, app, a, &s, &why, reterr);
        if (e < 0 || (!s.there && !s.cut_short && !s.told.present))
                return e;
        return change(n, folder, NULL, app, NULL, NULL, reterr);
}

static int nginx_doctor(struct router *r, json_t *out, struct fault *reterr) {
        own_fault struct fault why = FAULT_INIT;

        if (validate(nginx_of(r), NULL, &why) < 0)
                return doctor_say_fault(out, "nginx", &why, reterr);
        return doctor_say(out, "nginx", "ok", "its configuration validates", NULL, reterr);
}

const struct router_ops nginx_router_ops = {
        .abi = ROUTER_ABI,
        .name = "nginx",
        .open = nginx_open,
        .close = nginx_close,
        .check = nginx_check,
        .observe = nginx_observe,
        .apply = nginx_apply,
        .remove = nginx_remove,
        .doctor = nginx_doctor,
};
