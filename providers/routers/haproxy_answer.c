/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/routers/haproxy_answer.h"

#include <stdio.h>
#include <string.h>

#include "shared/base/limits.h"
#include "shared/base/text.h"

#define COLUMNS_MAX 64
#define PLACES_MAX  1024

/* Administrative states (include/haproxy/server-t.h, enum srv_admin): forced to maintenance, forced to drain. */
#define ADMIN_MAINTENANCE 0x01
#define ADMIN_DRAIN       0x08

static int not_ours(const char *what, struct fault *reterr) {
        return fault_set(reterr, FAULT_TRANSIENT, EPROTO, "what HAProxy tells is not ours: %s", what);
}

/* The next line of *@text, in @a without its end; NULL at the end. */
static char *next_line(const char **text, struct arena *a) {
        size_t n = strcspn(*text, "\r\n");
        char *line;

        if (!**text)
                return NULL;
        line = arena_strndup(a, *text, n);
        *text += n;
        *text += **text == '\r';
        *text += **text == '\n';
        return line;
}

static size_t split_words(char *line, char *words[static COLUMNS_MAX]) {
        size_t n = 0;
        char *save = NULL;

        for (char *w = strtok_r(line, " ", &save); w && n < COLUMNS_MAX; w = strtok_r(NULL, " ", &save))
                words[n++] = w;
        return n;
}

/*
 * Maps
 */

bool haproxy_parse_maps(const char *text, const char *folder, const char *app, char digest[static 17]) {
        own_arena struct arena *a = arena_new();
        own_buffer struct buffer prefix = BUFFER_INIT;
        char name[ROUTE_NAME_MAX], *line;
        bool found = false;

        /* "0 (/etc/haproxy/tally.d/tally_shop-0123456789abcdef.map) pattern loaded from file …" */
        buffer_printf(&prefix, "(%s/%s-", folder, route_name(app, name));
        while ((line = next_line(&text, a))) {
                const char *p = line[0] == '#' ? NULL : strchr(line, '(');
                const char *rest = p ? str_after(p, buffer_str(&prefix)) : NULL;
                char digits[17] = "";

                if (!rest || strnlen(rest, 16) < 16)
                        continue;
                memcpy(digits, rest, 16);
                if (!hex_is_valid(digits, 16) || !str_after(rest + 16, ".map)"))
                        continue;
                memcpy(digest, digits, sizeof(digits));
                found = true;
        }
        return found;
}

static bool is_release(const char *text) {
        if (strlen(text) > ROUTE_RELEASE_MAX)
                return false;
        for (; *text; text++)
                if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", *text))
                        return false;
        return true;
}

int haproxy_parse_map(const char *text, struct arena *a, struct haproxy_layout *l, struct fault *reterr) {
        const char *release[VARIATION_MAX_] = { 0 };
        char *line, *words[COLUMNS_MAX];
        uint64_t share = UINT64_MAX;

        /* "0x55b0297cb5a0 share 25" */
        while ((line = next_line(&text, a))) {
                if (split_words(line, words) != 3)
                        continue;
                if (str_eq(words[1], "share") && parse_u64(words[2], &share) < 0)
                        return not_ours("a share that is no number", reterr);
                for (enum variation v = 0; v < VARIATION_MAX_; v++)
                        if (str_eq(words[1], variation_names[v]) && is_release(words[2]))
                                release[v] = words[2];
        }
        if (share > 100 || !release[VARIATION_CURRENT] || !release[VARIATION_CANDIDATE])
                return not_ours("a map without share or releases", reterr);
        l->share = (int64_t)share;
        for (enum variation v = 0; v < VARIATION_MAX_; v++)
                l->release[v] = release[v];
        return 0;
}

/*
 * Servers
 */

enum column { COLUMN_BACKEND, COLUMN_NAME, COLUMN_ADDRESS, COLUMN_ADMIN, COLUMN_WEIGHT, COLUMN_PORT, COLUMN_MAX_ };
static const char *const column_names[COLUMN_MAX_] = {
        [COLUMN_BACKEND] = "be_name",       [COLUMN_NAME] = "srv_name",      [COLUMN_ADDRESS] = "srv_addr",
        [COLUMN_ADMIN] = "srv_admin_state", [COLUMN_WEIGHT] = "srv_uweight", [COLUMN_PORT] = "srv_port",
};

/* "# be_id be_name srv_id …": later versions have more columns. */
static bool read_header(char **words, size_t n, size_t columns[static COLUMN_MAX_]) {
        for (enum column c = 0; c < COLUMN_MAX_; c++) {
                size_t at = 1;

                while (at < n && !str_eq(words[at], column_names[c]))
                        at++;
                if (at == n)
                        return false;
                columns[c] = at - 1;
        }
        return true;
}

/* "s12": place 11 of its group. */
static bool read_name(const char *name, enum variation v, enum haproxy_group *ret_group, size_t *ret_place) {
        uint64_t n;

        if ((name[0] != 's' && !(name[0] == 'b' && v == VARIATION_CANDIDATE)) || parse_u64(name + 1, &n) < 0 || n < 1 ||
            n > PLACES_MAX)
                return false;
        *ret_group = v == VARIATION_CURRENT ? HAPROXY_CURRENT : name[0] == 's' ? HAPROXY_CANDIDATE : HAPROXY_BACKUP;
        *ret_place = (size_t)n - 1;
        return true;
}

struct found {
        struct haproxy_place places[HAPROXY_GROUP_MAX_][PLACES_MAX];
        bool is[HAPROXY_GROUP_MAX_][PLACES_MAX];
        size_t n[HAPROXY_GROUP_MAX_];
};

static bool read_server(char **words, const size_t columns[static COLUMN_MAX_], enum variation v, struct arena *a,
                        struct found *f) {
        const char *address = words[columns[COLUMN_ADDRESS]];
        enum haproxy_group g;
        uint64_t admin, weight;
        char host[ROUTE_HOST_MAX];
        int64_t port;
        size_t at;

        if (!read_name(words[columns[COLUMN_NAME]], v, &g, &at) ||
            parse_u64(words[columns[COLUMN_ADMIN]], &admin) < 0 ||
            parse_u64(words[columns[COLUMN_WEIGHT]], &weight) < 0 || f->is[g][at])
                return false;
        f->is[g][at] = true;
        f->n[g]++;
        if (admin & ADMIN_MAINTENANCE)
                return true;
        address = arena_printf(a, strchr(address, ':') ? "[%s]:%s" : "%s:%s", address, words[columns[COLUMN_PORT]]);
        f->places[g][at] = (struct haproxy_place){ .address = address, .odd = (admin & ADMIN_DRAIN) || weight != 1 };
        return address_split(address, host, &port);
}

/* Every group of this backend has the same places, from the first to the last. */
static int take_over(const struct found *f, enum variation v, struct arena *a, struct haproxy_layout *l,
                     struct fault *reterr) {
        for (enum haproxy_group g = 0; g < HAPROXY_GROUP_MAX_; g++) {
                if ((g == HAPROXY_CURRENT) != (v == VARIATION_CURRENT))
                        continue;
                if (l->n == 0)
                        l->n = f->n[g];
                if (f->n[g] != l->n || l->n == 0 || !f->is[g][l->n - 1])
                        return not_ours("not as many servers in each group", reterr);
                l->places[g] = arena_array(a, l->n, sizeof(*l->places[g]));
                memcpy(l->places[g], f->places[g], l->n * sizeof(*l->places[g]));
        }
        return 0;
}

int haproxy_parse_servers(const char *text, const char *backend, enum variation v, struct arena *a,
                          struct haproxy_layout *l, struct fault *reterr) {
        struct found *f = arena_alloc(a, sizeof(*f));
        size_t columns[COLUMN_MAX_], n_columns = 0;
        char *line, *words[COLUMNS_MAX];

        while ((line = next_line(&text, a))) {
                size_t n = split_words(line, words);

                if (n > 1 && str_eq(words[0], "#")) {
                        if (!read_header(words, n, columns))
                                return not_ours("servers without addresses", reterr);
                        n_columns = n - 1;
                } else if (n_columns > 0 && n >= n_columns && str_eq(words[columns[COLUMN_BACKEND]], backend) &&
                           !read_server(words, columns, v, a, f))
                        return not_ours("a server that we did not make", reterr);
        }
        return take_over(f, v, a, l, reterr);
}
