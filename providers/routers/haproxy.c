/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/routers/haproxy.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#include "providers/doctor.h"
#include "providers/routers/activate.h"
#include "providers/routers/haproxy_answer.h"
#include "providers/routers/haproxy_config.h"
#include "providers/routers/haproxy_socket.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"

#define TAKES_MS      15000
#define SETTLE_MS     150
#define PAUSE_MS      10
#define FILE_NAME_MAX (ROUTE_NAME_MAX + 8)

struct haproxy {
        struct router router;
        const struct router_settings *settings;
};

/* What the running HAProxy has. */
struct live {
        bool present;
        char digest[17]; /* that names the map that it has loaded */
        struct haproxy_layout layout;
        const char *unreadable; /* it has something of the app, but not what we made; in the arena */
};

static struct haproxy *haproxy_of(struct router *r) {
        return (struct haproxy *)r;
}

static void haproxy_close(struct router *r) {
        free(r);
}

/* What stands in HAProxy's own files as it is. */
static bool is_plain_path(const char *path) {
        return path && path[0] == '/' && !strpbrk(path, " \t\r\n\"'\\#$(),;{}%");
}

static int haproxy_open(const struct router_settings *settings, struct router **ret, struct fault *reterr) {
        struct haproxy *h;

        if (!is_plain_path(settings->folder) || !settings->socket) {
                fault_set(reterr, FAULT_CONFIG, EINVAL,
                          "HAProxy needs a folder for our files, without special characters, and its socket");
                fault_hint(reterr,
                           "routers: {haproxy: {folder: /etc/haproxy/tally.d, socket: /run/haproxy/admin.sock}}");
                return -EINVAL;
        }
        h = calloc(1, sizeof(*h));
        if (!h)
                return fault_set_oom(reterr);
        *h = (struct haproxy){ .router.ops = &haproxy_router_ops, .settings = settings };
        *ret = &h->router;
        return 0;
}

static int haproxy_check(struct router *r, const char *app, const struct traffic *t, struct fault *reterr) {
        if (t->server_name && strchr(t->server_name + 1, '*'))
                return fault_set_code_at(reterr, &t->at, REASON_LOAD_INVALID,
                                         "HAProxy takes a * only at the start of a host name here");
        return 0;
}

/*
 * What runs
 */

static int ask(struct haproxy *h, const char *app, struct arena *a, struct live *ret, struct fault *reterr) {
        own_buffer struct buffer maps = BUFFER_INIT, commands = BUFFER_INIT, answer = BUFFER_INIT,
                                 backend = BUFFER_INIT;
        own_fault struct fault why = FAULT_INIT;
        struct live l = { .present = false };
        char name[ROUTE_NAME_MAX];
        int r = haproxy_say(h->settings->socket, "show map", &maps, reterr);

        *ret = l;
        if (r < 0 || !haproxy_parse_maps(buffer_str(&maps), h->settings->folder, app, l.digest))
                return r;
        route_name(app, name);
        buffer_printf(&commands,
                      "show servers state %s:current\nshow servers state %s:candidate\nshow map %s/%s-%s.map\n", name,
                      name, h->settings->folder, name, l.digest);
        r = haproxy_say(h->settings->socket, buffer_str(&commands), &answer, reterr);
        if (r < 0)
                return r;
        l.present = true;
        r = haproxy_parse_map(buffer_str(&answer), a, &l.layout, &why);
        for (enum variation v = 0; r == 0 && v < VARIATION_MAX_; v++) {
                buffer_clear(&backend);
                buffer_printf(&backend, "%s:%s", name, variation_names[v]);
                r = haproxy_parse_servers(buffer_str(&answer), buffer_str(&backend), v, a, &l.layout, &why);
        }
        if (r < 0)
                l.unreadable = arena_strdup(a, why.message ? why.message : "what HAProxy tells is not ours");
        *ret = l;
        return 0;
}

/*
 * What lies in the folder
 */

struct files {
        struct buffer config, map;
        bool there, map_there, cut_short;
};

static void files_done(struct files *f) {
        buffer_done(&f->config);
        buffer_done(&f->map);
}
#define own_files own(files_done)

static const char *config_name(const char *app, char buf[static FILE_NAME_MAX]) {
        char name[ROUTE_NAME_MAX];

        (void)snprintf(buf, FILE_NAME_MAX, "%s.cfg", route_name(app, name));
        return buf;
}

static int files_read(int folder, const char *app, const char *map, struct files *ret, struct fault *reterr) {
        char name[FILE_NAME_MAX];
        const struct activation at = { .folder = folder, .name = config_name(app, name) };
        const struct activation map_at = { .folder = folder, .name = map };
        int r;

        if (folder < 0)
                return 0;
        r = activate_read(&at, &ret->config, &ret->there, reterr);
        if (r == 0 && map)
                r = activate_read(&map_at, &ret->map, &ret->map_there, reterr);
        ret->cut_short = activate_is_cut_short(&at);
        return r;
}

static bool same_bytes(const struct buffer *x, const struct buffer *y) {
        return x->size == y->size && memcmp(buffer_str(x), buffer_str(y), x->size) == 0;
}

/* NULL: what lies in the folder is @layout. */
static const char *files_differ(const struct files *have, const struct haproxy_files *f,
                                const struct haproxy_layout *layout) {
        own_buffer struct buffer config = BUFFER_INIT, map = BUFFER_INIT;

        haproxy_render(f, layout, &config);
        haproxy_render_map(layout, &map);
        if (have->cut_short)
                return "a change of its file was cut short";
        if (!have->there || !have->map_there)
                return "its file is gone";
        if (!same_bytes(&have->config, &config))
                return "its file was changed, or HAProxy runs another configuration";
        return same_bytes(&have->map, &map) ? NULL : "its map was changed, or the share in HAProxy";
}

static const char *map_name_of(const struct live *l, const char *app, char buf[static HAPROXY_MAP_MAX]) {
        char name[ROUTE_NAME_MAX];

        (void)snprintf(buf, HAPROXY_MAP_MAX, "%s-%s.map", route_name(app, name), l->digest);
        return buf;
}

static int haproxy_observe(struct router *r, const char *app, const struct traffic *traffic, struct arena *a,
                           struct route_state *ret, struct fault *reterr) {
        struct haproxy *h = haproxy_of(r);
        own_fd int folder = open(h->settings->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        const struct haproxy_files f = { .folder = h->settings->folder, .app = app, .traffic = traffic };
        own_fault struct fault why = FAULT_INIT;
        own_files struct files have = { .there = false };
        char map[HAPROXY_MAP_MAX], wanted[HAPROXY_MAP_MAX];
        struct live l;
        int e;

        if (ask(h, app, a, &l, &why) < 0) {
                ret->reason = arena_strdup(a, why.message);
                return 0;
        }
        ret->available = true;
        e = files_read(folder, app, l.present ? map_name_of(&l, app, map) : NULL, &have, reterr);
        if (e < 0)
                return e;
        ret->present = l.present && !l.unreadable;
        if (!ret->present) {
                ret->detail = l.unreadable ? l.unreadable
                              : have.there ? "its file is there, but HAProxy has not loaded it"
                                           : NULL;
                ret->altered = ret->detail;
                return 0;
        }
        haproxy_layout_route(&l.layout, app, a, &ret->route, &ret->detail);
        if (!ret->detail)
                ret->detail = files_differ(&have, &f, &l.layout);
        if (!ret->detail && !str_eq(haproxy_map_name(&f, l.layout.n, wanted), map))
                ret->detail = "its settings changed";
        ret->altered = ret->detail;
        return 0;
}

/*
 * Apply
 */

static bool layout_equal(const struct haproxy_layout *x, const struct haproxy_layout *y) {
        if (x->n != y->n || x->share != y->share)
                return false;
        for (enum haproxy_group g = 0; g < HAPROXY_GROUP_MAX_; g++)
                for (size_t i = 0; i < x->n; i++)
                        if (!str_eq(x->places[g][i].address, y->places[g][i].address) ||
                            x->places[g][i].odd != y->places[g][i].odd)
                                return false;
        for (enum variation v = 0; v < VARIATION_MAX_; v++)
                if (!str_eq(x->release[v], y->release[v]))
                        return false;
        return true;
}

static int write_file(int folder, const char *name, const struct buffer *text, struct fault *reterr) {
        int r = buffer_check(text, "a configuration for HAProxy", reterr);

        return r < 0 ? r : file_write(folder, name, buffer_str(text), text->size, 0644, reterr);
}

/* Maps of earlier configurations of this app, but for @keep (may be NULL). */
static void sweep_maps(int folder, const char *app, const char *keep) {
        char name[ROUTE_NAME_MAX];
        size_t n = strlen(route_name(app, name));
        own_fd int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *entry;

        if (!dir)
                return;
        (void)take_fd(&fd);
        while ((entry = readdir(dir))) {
                const char *rest = str_after(entry->d_name, name);

                if (rest && rest[0] == '-' && strlen(rest) == sizeof("-0123456789abcdef.map") - 1 &&
                    str_eq(rest + 17, ".map") && strspn(rest + 1, "0123456789abcdef") == 16 &&
                    !str_eq(entry->d_name, keep) && n > 0)
                        (void)unlinkat(folder, entry->d_name, 0); /* a failure leaves a file that nothing names */
        }
        (void)closedir(dir);
}

/*
 * Until it has @wanted (NULL: nothing of the app), and nothing else for as long as an old process may still take
 * requests.
 */
static bool wait_for(struct haproxy *h, const char *app, const char *map, const struct haproxy_layout *wanted) {
        int64_t start = clock_monotonic_ns(), since = 0, now;

        for (;;) {
                own_arena struct arena *a = arena_new();
                own_fault struct fault why = FAULT_INIT;
                char name[HAPROXY_MAP_MAX];
                struct live l;
                bool is = ask(h, app, a, &l, &why) == 0;

                if (is)
                        is = wanted ? l.present && !l.unreadable && str_eq(map_name_of(&l, app, name), map) &&
                                              layout_equal(&l.layout, wanted)
                                    : !l.present;
                now = clock_monotonic_ns();
                since = !is ? 0 : since ? since : now;
                if (since && now - since >= (int64_t)SETTLE_MS * 1000000)
                        return true;
                if (now - start >= (int64_t)TAKES_MS * 1000000)
                        return false;
                clock_sleep_ms(PAUSE_MS);
        }
}

static int validate(struct haproxy *h, struct fault *reterr) {
        const char *const usual[] = {
                "haproxy", "-c", "-f", "/etc/haproxy/haproxy.cfg", "-f", h->settings->folder, NULL
        };
        own_buffer struct buffer said = BUFFER_INIT;
        int code, r = activate_command(&h->settings->test, usual, &code, &said, reterr);

        if (r < 0)
                return fault_context(reterr, r, "cannot validate");
        return code == 0 ? 0
                         : fault_set_code(reterr, FAULT_DENIED, REASON_ROUTE_INVALID,
                                          "HAProxy refuses the configuration: %s", buffer_str(&said));
}

static int reload(struct haproxy *h, struct fault *reterr) {
        static const char *const usual[] = { "systemctl", "reload", "haproxy.service", NULL };
        own_buffer struct buffer said = BUFFER_INIT;
        int code, r = activate_command(&h->settings->reload, usual, &code, &said, reterr);

        if (r < 0)
                return fault_context(reterr, r, "cannot reload");
        return code == 0 ? 0
                         : fault_set_code(reterr, FAULT_TRANSIENT, REASON_ROUTER_UNAVAILABLE,
                                          "HAProxy cannot be told to reload: %s", buffer_str(&said));
}

static int activate(struct haproxy *h, const char *app, const char *map, const struct haproxy_layout *wanted,
                    struct fault *reterr) {
        int r = validate(h, reterr);

        if (r == 0)
                r = reload(h, reterr);
        if (r < 0 || wait_for(h, app, map, wanted))
                return r;
        r = fault_set_code(reterr, FAULT_DENIED, REASON_ROUTE_INVALID,
                           "HAProxy was told to reload and goes on as before");
        fault_hint(reterr, "its log says why; does it load %s (-f) and listen at %s?", h->settings->folder,
                   h->settings->socket);
        return r;
}

/* @config NULL: nothing is left of the app. */
static int change(struct haproxy *h, int folder, const char *app, const struct buffer *config, const char *map,
                  const struct haproxy_layout *wanted, struct fault *reterr) {
        own_fault struct fault why = FAULT_INIT;
        char name[FILE_NAME_MAX];
        const struct activation at = { .folder = folder, .name = config_name(app, name) };
        int r = activate_put(&at, config ? buffer_str(config) : NULL, config ? config->size : 0, reterr);

        if (r < 0)
                return r;
        r = activate(h, app, map, wanted, reterr);
        if (r == 0) {
                r = activate_keep(&at, reterr);
                sweep_maps(folder, app, map);
                return r;
        }
        /* Perhaps it takes the new one yet, late: then it shall find the old one. */
        if (activate_revert(&at, &why) == 0 && validate(h, &why) == 0)
                (void)reload(h, &why);
        return r;
}

/* Two HAProxy frontends at one address would share the connections by chance. */
static int check_listen(struct haproxy *h, int folder, const struct traffic *t, const char *app, struct fault *reterr) {
        own_fd int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        own_buffer struct buffer bind = BUFFER_INIT;
        char own_name[FILE_NAME_MAX];
        DIR *dir = !t->listen || fd < 0 ? NULL : fdopendir(fd);
        struct dirent *entry;
        int r = 0;

        if (!dir)
                return 0;
        (void)take_fd(&fd);
        config_name(app, own_name);
        buffer_printf(&bind, "\n    bind %s\n", t->listen);
        while (r == 0 && (entry = readdir(dir))) {
                own_buffer struct buffer text = BUFFER_INIT;
                own_fault struct fault why = FAULT_INIT;

                if (!str_after(entry->d_name, "tally_") || !str_ends_with(entry->d_name, ".cfg") ||
                    str_eq(entry->d_name, own_name) ||
                    file_read(folder, entry->d_name, LIMIT_ROUTER_BYTES, &text, &why) < 0 ||
                    !strstr(buffer_str(&text), buffer_str(&bind)))
                        continue;
                r = fault_set_code(reterr, FAULT_DENIED, REASON_ROUTE_INVALID, "%s is taken by another app: %s",
                                   t->listen, entry->d_name);
                fault_hint(reterr, "without `listen`, a frontend of your own can choose between the apps' backends");
        }
        (void)closedir(dir);
        return r;
}

/*
 * What runs is what we wrote, as far as can be told: the file has the places of @l. Otherwise somebody may have had
 * HAProxy load something else, that only a reload takes back.
 */
static bool is_as_written(const struct files *have, const struct haproxy_files *f, const struct live *l) {
        own_buffer struct buffer config = BUFFER_INIT;

        haproxy_render(f, &l->layout, &config);
        return have->there && !have->cut_short && same_bytes(&have->config, &config);
}

/*
 * Without a reload: only what the runtime API can change is different. The files first: a restart in between takes the
 * new route.
 */
static int shift(struct haproxy *h, int folder, const struct haproxy_files *f, const struct haproxy_layout *from,
                 const struct haproxy_layout *to, const struct buffer *config, const struct buffer *map,
                 const char *map_name, bool *ret_done, struct fault *reterr) {
        own_buffer struct buffer commands = BUFFER_INIT, answer = BUFFER_INIT;
        char name[FILE_NAME_MAX];
        own_arena struct arena *a = arena_new();
        struct live l;
        int r = write_file(folder, config_name(f->app, name), config, reterr);

        if (r == 0)
                r = write_file(folder, map_name, map, reterr);
        if (r < 0)
                return r;
        haproxy_commands(f, from, to, &commands);
        r = buffer_check(&commands, "commands for HAProxy", reterr);
        if (r == 0)
                r = haproxy_say(h->settings->socket, buffer_str(&commands), &answer, reterr);
        if (r == 0)
                r = ask(h, f->app, a, &l, reterr);
        if (r == 0)
                *ret_done = l.present && !l.unreadable && layout_equal(&l.layout, to);
        return r;
}

static int haproxy_apply(struct router *r, const struct traffic *traffic, const struct route *route,
                         struct fault *reterr) {
        struct haproxy *h = haproxy_of(r);
        const struct haproxy_files f = { .folder = h->settings->folder, .app = route->app, .traffic = traffic };
        own_arena struct arena *a = arena_new();
        own_fd int folder = -1;
        own_files struct files have = { .there = false };
        own_buffer struct buffer config = BUFFER_INIT, map = BUFFER_INIT;
        char map_name[HAPROXY_MAP_MAX], live_map[HAPROXY_MAP_MAX];
        struct haproxy_layout to;
        struct live l;
        bool same, done = false;
        int e = dir_make(AT_FDCWD, h->settings->folder, 0755, &folder, reterr);

        if (e == 0)
                e = ask(h, route->app, a, &l, reterr);
        if (e < 0)
                return e;
        haproxy_layout_make(route, l.present && !l.unreadable ? &l.layout : NULL, a, &to);
        haproxy_map_name(&f, to.n, map_name);
        haproxy_render(&f, &to, &config);
        haproxy_render_map(&to, &map);
        e = files_read(folder, route->app, map_name, &have, reterr);
        if (e < 0)
                return e;
        same = l.present && !l.unreadable && str_eq(map_name_of(&l, route->app, live_map), map_name);
        if (same && layout_equal(&l.layout, &to) && !files_differ(&have, &f, &to))
                return 0;
        if (same && is_as_written(&have, &f, &l)) {
                e = shift(h, folder, &f, &l.layout, &to, &config, &map, map_name, &done, reterr);
                if (e < 0 || done)
                        return e;
        }
        e = check_listen(h, folder, traffic, route->app, reterr);
        if (e == 0)
                e = write_file(folder, map_name, &map, reterr);
        return e < 0 ? e : change(h, folder, route->app, &config, map_name, &to, reterr);
}

static int haproxy_remove(struct router *r, const char *app, struct fault *reterr) {
        struct haproxy *h = haproxy_of(r);
        own_arena struct arena *a = arena_new();
        own_fd int folder = open(h->settings->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        own_files struct files have = { .there = false };
        struct live l;
        int e;

        if (folder < 0)
                return errno == ENOENT
                               ? 0
                               : fault_set(reterr, FAULT_TRANSIENT, errno, "cannot open '%s'", h->settings->folder);
        e = files_read(folder, app, NULL, &have, reterr);
        if (e == 0)
                e = ask(h, app, a, &l, reterr);
        if (e < 0 || (!have.there && !have.cut_short && !l.present))
                return e;
        return change(h, folder, app, NULL, NULL, NULL, reterr);
}

static int haproxy_doctor(struct router *r, json_t *out, struct fault *reterr) {
        struct haproxy *h = haproxy_of(r);
        own_buffer struct buffer answer = BUFFER_INIT, detail = BUFFER_INIT;
        own_fault struct fault why = FAULT_INIT;

        if (haproxy_say(h->settings->socket, "show version", &answer, &why) < 0 || validate(h, &why) < 0)
                return doctor_say_fault(out, "haproxy", &why, reterr);
        if (answer.data)
                text_make_harmless(answer.data, "");
        buffer_printf(&detail, "its configuration validates; version %s", buffer_str(&answer));
        return doctor_say(out, "haproxy", "ok", buffer_str(&detail), NULL, reterr);
}

const struct router_ops haproxy_router_ops = {
        .abi = ROUTER_ABI,
        .name = "haproxy",
        .open = haproxy_open,
        .close = haproxy_close,
        .check = haproxy_check,
        .observe = haproxy_observe,
        .apply = haproxy_apply,
        .remove = haproxy_remove,
        .doctor = haproxy_doctor,
};
