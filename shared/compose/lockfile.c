/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/compose/lockfile.h"

#include <assert.h>
#include <string.h>

#include "shared/base/text.h"
#include "shared/data/json.h"

/*
 * YAML as a subset that everybody reads alike: block maps and lists, two spaces a level, strings in double quotes with
 * JSON's escapes (YAML 1.2 takes them all), integers, true, false and null. A '$' is doubled, for docker compose would
 * replace it.
 */

#define INDENT 2

static void write_indent(struct buffer *out, unsigned depth) {
        for (unsigned i = 0; i < depth * INDENT; i++)
                buffer_putc(out, ' ');
}

static void write_character(struct buffer *out, unsigned char c) {
        switch (c) {
        case '"':
                buffer_puts(out, "\\\"");
                break;
        case '\\':
                buffer_puts(out, "\\\\");
                break;
        case '\n':
                buffer_puts(out, "\\n");
                break;
        case '\t':
                buffer_puts(out, "\\t");
                break;
        default:
                if (c < 0x20 || c == 0x7f)
                        buffer_printf(out, "\\u%04x", c);
                else
                        buffer_putc(out, (char)c);
        }
}

/* C1 controls, NEL and the line separators are line ends, or not printable, to a YAML reader. */
static size_t write_special(struct buffer *out, const unsigned char *s) {
        if (s[0] == 0xc2 && s[1] >= 0x80 && s[1] <= 0x9f) {
                buffer_printf(out, "\\u%04x", s[1]);
                return 2;
        }
        if (s[0] == 0xe2 && s[1] == 0x80 && (s[2] == 0xa8 || s[2] == 0xa9)) {
                buffer_puts(out, s[2] == 0xa8 ? "\\u2028" : "\\u2029");
                return 3;
        }
        if (s[0] == 0xef && s[1] == 0xbb && s[2] == 0xbf) {
                buffer_puts(out, "\\ufeff");
                return 3;
        }
        return 0;
}

static void write_quoted(struct buffer *out, const char *text, bool double_dollar) {
        buffer_putc(out, '"');
        for (const unsigned char *s = (const unsigned char *)text; *s;) {
                size_t n = write_special(out, s);

                if (n == 0) {
                        if (*s == '$' && double_dollar)
                                buffer_putc(out, '$');
                        write_character(out, *s);
                        n = 1;
                }
                s += n;
        }
        buffer_putc(out, '"');
}

static void write_string(struct buffer *out, const char *text) {
        write_quoted(out, text, true);
}

/* Keys are not interpolated. Plain where every reader takes them for a string. */
static void write_key(struct buffer *out, unsigned depth, const char *key) {
        static const char *const words[] = { "null", "true", "false", "yes", "no", "on", "off", "y", "n" };
        size_t n = strspn(key, "abcdefghijklmnopqrstuvwxyz_");
        bool plain = n > 0 && key[n] == '\0';

        for (size_t i = 0; plain && i < sizeof(words) / sizeof(words[0]); i++)
                plain = !str_eq(key, words[i]);
        write_indent(out, depth);
        if (plain)
                buffer_puts(out, key);
        else
                write_quoted(out, key, false);
        buffer_putc(out, ':');
}

static void write_pair(struct buffer *out, unsigned depth, const char *key, const char *value) {
        write_key(out, depth, key);
        buffer_putc(out, ' ');
        write_string(out, value);
        buffer_putc(out, '\n');
}

static void write_node(struct buffer *out, unsigned depth, const struct node *node);

static void write_scalar(struct buffer *out, const struct node *node) {
        if (node->type == NODE_NULL)
                buffer_puts(out, " null");
        else if (node->type == NODE_BOOL)
                buffer_puts(out, node->boolean ? " true" : " false");
        else {
                buffer_putc(out, ' ');
                /* Digits with a leading zero are octal to some readers: modes stay as they were written. */
                if (node->type == NODE_INTEGER && str_eq(node->text, "0"))
                        buffer_puts(out, "0");
                else if ((node->type == NODE_INTEGER || node->type == NODE_REAL) && node->text[0] != '0' &&
                         strspn(node->text, "0123456789.") == strlen(node->text))
                        buffer_puts(out, node->text);
                else
                        write_string(out, node->text);
        }
        buffer_putc(out, '\n');
}

static void write_entries(struct buffer *out, unsigned depth, const struct node *map) {
        for (size_t i = 0; i < map->n; i++) {
                write_key(out, depth, map->entries[i].key);
                write_node(out, depth + 1, map->entries[i].value);
        }
}

static void write_items(struct buffer *out, unsigned depth, const struct node *list) {
        for (size_t i = 0; i < list->n; i++) {
                write_indent(out, depth);
                buffer_putc(out, '-');
                write_node(out, depth + 1, list->items[i]);
        }
}

/* Behind a key or a dash: a scalar on the same line, all else on lines of its own. */
static void write_node(struct buffer *out, unsigned depth, const struct node *node) {
        if (node_is_scalar(node)) {
                write_scalar(out, node);
        } else if (node->n == 0) {
                buffer_puts(out, node->type == NODE_MAP ? " {}\n" : " []\n");
        } else {
                buffer_putc(out, '\n');
                if (node->type == NODE_MAP)
                        write_entries(out, depth, node);
                else
                        write_items(out, depth, node);
        }
}

/*
 * Services
 */

/* `env_file` as a reference that a reader without the app's files can pass over. */
static void write_env_files(struct buffer *out, const struct node *node) {
        size_t n = node->type == NODE_LIST ? node->n : 1;

        if (node->type == NODE_NULL || n == 0)
                return;
        write_key(out, 2, "env_file");
        buffer_putc(out, '\n');
        for (size_t i = 0; i < n; i++) {
                const struct node *item = node->type == NODE_LIST ? node->items[i] : node;
                const struct node *path = item->type == NODE_MAP ? node_get(item, "path") : item,
                                  *format = node_get(item, "format");

                buffer_puts(out, "      - path: ");
                write_string(out, path->text);
                buffer_puts(out, "\n        required: false\n");
                if (format && *format->text)
                        write_pair(out, 4, "format", format->text);
        }
}

/* A list of K=V, or a map. */
static bool environment_has(const struct node *node, const char *key) {
        size_t n = strlen(key);

        if (node->type == NODE_MAP)
                return node_get(node, key) != NULL;
        for (size_t i = 0; i < node->n; i++) {
                const char *text = node->items[i]->text;

                if (strncmp(text, key, n) == 0 && (text[n] == '=' || text[n] == '\0'))
                        return true;
        }
        return false;
}

/* What `environment` says, with the values it takes from variables. What env files add stays with them. */
static void write_environment(struct buffer *out, const struct compose_service *s, const struct node *node) {
        if (node_is_scalar(node) || node->n == 0)
                return;
        write_key(out, 2, "environment");
        buffer_putc(out, '\n');
        for (size_t i = 0; i < s->environment.n; i++) {
                const struct string_pair *pair = &s->environment.items[i];

                if (!environment_has(node, pair->key.text))
                        continue;
                if (pair->value.text) {
                        write_pair(out, 3, pair->key.text, pair->value.text);
                        continue;
                }
                write_key(out, 3, pair->key.text);
                buffer_puts(out, " null\n");
        }
}

static void write_labels(struct buffer *out, const struct compose_service *s, const struct lockfile_input *in) {
        const struct {
                const char *key, *value;
        } ours[] = {
                { "tallyman.app", in->app },         { "tallyman.environment", in->environment },
                { "tallyman.host", in->host },       { "tallyman.image", s->pinned },
                { "tallyman.release", in->release }, { "tallyman.service", s->name.text },
                { "tallyman.version", in->version },
        };

        write_key(out, 2, "labels");
        buffer_putc(out, '\n');
        for (size_t i = 0; i < s->labels.n; i++)
                write_pair(out, 3, s->labels.items[i].key.text, s->labels.items[i].value.text);
        for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
                if (ours[i].value)
                        write_pair(out, 3, ours[i].key, ours[i].value);
}

static void write_service(struct buffer *out, const struct compose_service *s, const struct lockfile_input *in) {
        write_key(out, 1, s->name.text);
        buffer_putc(out, '\n');
        write_key(out, 2, "image");
        buffer_putc(out, ' ');
        write_string(out, s->pinned);
        if (s->ref.tag)
                buffer_printf(out, " # tag %s", s->ref.tag);
        buffer_putc(out, '\n');
        for (size_t i = 0; i < s->node->n; i++) {
                const struct node_entry *e = &s->node->entries[i];

                if (str_eq(e->key, "image") || str_eq(e->key, "labels") || str_after(e->key, "x-"))
                        continue;
                if (str_eq(e->key, "env_file")) {
                        write_env_files(out, e->value);
                        continue;
                }
                if (str_eq(e->key, "environment")) {
                        write_environment(out, s, e->value);
                        continue;
                }
                write_key(out, 2, e->key);
                write_node(out, 3, e->value);
        }
        write_labels(out, s, in);
}

/*
 * The document
 */

static void write_files(struct buffer *out, const struct app_files *files) {
        if (files->n == 0)
                return;
        write_key(out, 1, "files");
        buffer_putc(out, '\n');
        for (size_t i = 0; i < files->n; i++) {
                write_key(out, 2, files->items[i].path);
                buffer_putc(out, ' ');
                write_string(out, digest_hex(&files->items[i].digest));
                buffer_putc(out, '\n');
        }
}

static void write_body(struct buffer *out, const struct compose *c, const struct lockfile_input *in) {
        const struct compose_service *services = c->services.items;

        write_pair(out, 0, "name", c->project);
        buffer_puts(out, "x-tallyman:\n");
        write_pair(out, 1, "app", in->app);
        write_pair(out, 1, "environment", in->environment);
        write_pair(out, 1, "release", in->release);
        write_pair(out, 1, "version", in->version);
        write_files(out, c->files);
        buffer_puts(out, "services:\n");
        for (size_t i = 0; i < c->services.n; i++) {
                assert(services[i].pinned);
                write_service(out, &services[i], in);
        }
        for (size_t i = 0; i < c->root->n; i++) {
                const struct node_entry *e = &c->root->entries[i];

                if (str_eq(e->key, "name") || str_eq(e->key, "version") || str_eq(e->key, "services") ||
                    str_after(e->key, "x-"))
                        continue;
                write_key(out, 0, e->key);
                write_node(out, 1, e->value);
        }
}

static const char checksum_line[] = "# checksum ";

/* A version is the user's text: on a line of comment it may not end the line. */
static void write_comment(struct buffer *out, const char *key, const char *value) {
        buffer_printf(out, "# %s ", key);
        write_quoted(out, value, false);
        buffer_putc(out, '\n');
}

int lockfile_write(const struct compose *c, const struct lockfile_input *in, struct buffer *out, struct fault *reterr) {
        own_buffer struct buffer body = BUFFER_INIT;
        struct digest digest;
        int r;

        write_body(&body, c, in);
        r = buffer_check(&body, "locked compose file", reterr);
        if (r < 0)
                return r;
        digest = digest_of(buffer_str(&body), body.size);
        buffer_puts(out, "# Locked by Tallyman: the compose file as it runs. Not to be edited.\n");
        write_comment(out, "app", in->app);
        write_comment(out, "environment", in->environment);
        write_comment(out, "version", in->version);
        write_comment(out, "release", in->release);
        buffer_printf(out, "%s%s\n", checksum_line, digest.text);
        buffer_append(out, buffer_str(&body), body.size);
        return buffer_check(out, "locked compose file", reterr);
}

bool lockfile_is_intact(const char *text, size_t size) {
        size_t n = strlen(checksum_line), digest_size = DIGEST_TEXT_MAX - 1;
        const char *end = text + size, *line = text, *body;
        struct digest digest;

        while (line < end && *line == '#') {
                const char *next = memchr(line, '\n', (size_t)(end - line));

                if (!next)
                        return false;
                body = next + 1;
                if ((size_t)(next - line) == n + digest_size && memcmp(line, checksum_line, n) == 0) {
                        digest = digest_of(body, (size_t)(end - body));
                        return memcmp(line + n, digest.text, digest_size) == 0;
                }
                line = body;
        }
        return false;
}
