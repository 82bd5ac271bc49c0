/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/git/known_hosts.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "shared/base/arena.h"
#include "shared/base/file.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"
#include "shared/git/sha1.h"

#define SSH_PORT    22
#define BLANKS      " \t"
#define PATTERN_MAX 512 /* of one pattern in a list; host names end at 253 */

struct known_host {
        bool revoked;
        bool hashed;
        uint8_t salt[SHA1_BYTES], mac[SHA1_BYTES]; /* when hashed */
        const char *patterns;                      /* when not: comma-separated, lower case */
        const char *type;
        const char *encoded; /* the key in base64 */
        const uint8_t *blob;
        size_t blob_size;
};

struct known_hosts {
        struct arena *arena;
        struct known_host *items;
        size_t n;
};

static const char *const verdict_names[HOST_KEY_VERDICT_MAX_] = {
        [HOST_KEY_PINNED] = "pinned",   [HOST_KEY_UNKNOWN] = "unknown", [HOST_KEY_OTHER_TYPE] = "other-type",
        [HOST_KEY_CHANGED] = "changed", [HOST_KEY_REVOKED] = "revoked",
};

const char *host_key_verdict_to_string(enum host_key_verdict v) {
        assert(v < HOST_KEY_VERDICT_MAX_);
        return verdict_names[v];
}

void known_hosts_free(struct known_hosts *k) {
        if (!k)
                return;
        arena_free(k->arena);
        free(k);
}

/*
 * Reading one line. @line is a copy that is cut into words.
 */

struct line {
        char *rest;
        const char *start; /* of the copy: columns are counted from here */
        struct source_pos at;
        struct arena *arena;
        struct fault *reterr;
};

static char *next_word(struct line *l) {
        char *word = l->rest + strspn(l->rest, BLANKS);
        size_t n = strcspn(word, BLANKS);

        l->at.column = (unsigned)(word - l->start) + 1;
        if (n == 0)
                return NULL;
        l->rest = word[n] ? word + n + 1 : word + n;
        word[n] = '\0';
        return word;
}

static int decode_exactly(const char *s, size_t n, uint8_t *out, size_t size) {
        size_t got = 0;

        if (sodium_base642bin(out, size, s, n, NULL, &got, NULL, sodium_base64_VARIANT_ORIGINAL) < 0 || got != size)
                return -EINVAL;
        return 0;
}

/* |1|base64 salt|base64 HMAC-SHA1(salt, name) */
static int read_hashed(struct line *l, const char *word, struct known_host *ret) {
        const char *salt = str_after(word, "|1|");
        const char *mac = salt ? strchr(salt, '|') : NULL;

        if (!mac || decode_exactly(salt, (size_t)(mac - salt), ret->salt, SHA1_BYTES) < 0 ||
            decode_exactly(mac + 1, strlen(mac + 1), ret->mac, SHA1_BYTES) < 0)
                return fault_set_at(l->reterr, &l->at, "a hashed host name is |1|salt|hash, alone on its line");
        ret->hashed = true;
        return 0;
}

static int read_patterns(struct line *l, char *word, struct known_host *ret) {
        size_t n = strlen(word);

        if (word[0] == ',' || word[n - 1] == ',' || strstr(word, ",,"))
                return fault_set_at(l->reterr, &l->at, "there is an empty name in the list of hosts");
        for (char *p = word; *p; p++) {
                if (!isalnum((unsigned char)*p) && !strchr("-._:*?![],%", *p))
                        return fault_set_at(l->reterr, &l->at, "'%c' has no place in a host name",
                                            isprint((unsigned char)*p) ? *p : '?');
                *p = (char)tolower((unsigned char)*p);
        }
        ret->patterns = arena_strdup(l->arena, word);
        return 0;
}

static int read_marker(struct line *l, const char *word, struct known_host *ret) {
        if (str_eq(word, "@revoked")) {
                ret->revoked = true;
                return 0;
        }
        if (str_eq(word, "@cert-authority")) {
                (void)fault_set_at(l->reterr, &l->at, "host certificates are not supported");
                fault_hint(l->reterr, "pin the host's own key instead");
                return -EINVAL;
        }
        return fault_set_at(l->reterr, &l->at, "'%s' is not a marker", word);
}

/* The wire key must say the same type as the line: RFC 4253, 6.6: string type, then the key's own data. */
static bool blob_has_type(const uint8_t *blob, size_t size, const char *type) {
        size_t n = strlen(type);

        return size > 4 + n && blob[0] == 0 && blob[1] == 0 && ((size_t)blob[2] << 8 | blob[3]) == n &&
               memcmp(blob + 4, type, n) == 0;
}

static int read_key(struct line *l, struct known_host *ret) {
        const char *type = next_word(l), *encoded;
        uint8_t *blob;
        size_t n, got = 0;

        if (!type)
                return fault_set_at(l->reterr, &l->at, "the key's type is missing");
        encoded = next_word(l);
        if (!encoded)
                return fault_set_at(l->reterr, &l->at, "the key is missing");
        n = strlen(encoded);
        blob = arena_alloc(l->arena, n);
        if (sodium_base642bin(blob, n, encoded, n, NULL, &got, NULL, sodium_base64_VARIANT_ORIGINAL) < 0)
                return fault_set_at(l->reterr, &l->at, "the key is not in base64");
        if (!blob_has_type(blob, got, type))
                return fault_set_at(l->reterr, &l->at, "the key is not of the type that stands before it");
        ret->type = arena_strdup(l->arena, type);
        ret->encoded = arena_strdup(l->arena, encoded);
        ret->blob = blob;
        ret->blob_size = got;
        return 0;
}

static int read_line(struct line *l, struct known_host *ret) {
        char *word = next_word(l);
        int r;

        if (word && word[0] == '@') {
                r = read_marker(l, word, ret);
                if (r < 0)
                        return r;
                word = next_word(l);
        }
        if (!word)
                return fault_set_at(l->reterr, &l->at, "the host is missing");
        r = word[0] == '|' ? read_hashed(l, word, ret) : read_patterns(l, word, ret);
        return r < 0 ? r : read_key(l, ret); /* what follows is a comment */
}

static int read_lines(struct known_hosts *k, const struct source *source, struct fault *reterr) {
        const char *p = source->text, *end = p + source->size;

        for (unsigned number = 1; p < end; number++) {
                const char *eol = memchr(p, '\n', (size_t)(end - p));
                size_t n = (size_t)((eol ? eol : end) - p);
                char *text = arena_strndup(k->arena, p, n);
                struct line l = {
                        .rest = text, .start = text, .at = { source, number, 1 }, .arena = k->arena, .reterr = reterr
                };
                struct known_host host = { 0 };
                int r;

                p += n + 1;
                if (number > LIMIT_KNOWN_HOSTS_LINES)
                        return fault_set_at(reterr, &l.at, "there are more than %d lines", LIMIT_KNOWN_HOSTS_LINES);
                if (strlen(text) != n || strchr(text, '\r'))
                        return fault_set_at(reterr, &l.at, "the line has a NUL or a carriage return");
                if (text[strspn(text, BLANKS)] == '\0' || text[strspn(text, BLANKS)] == '#')
                        continue;
                r = read_line(&l, &host);
                if (r < 0)
                        return r;
                *(struct known_host *)arena_push(k->arena, &k->items, &k->n, sizeof(host)) = host;
        }
        return 0;
}

int known_hosts_parse(const char *name, const char *text, size_t size, struct known_hosts **ret, struct fault *reterr) {
        struct source source = { .name = name, .text = text, .size = size };
        own_known_hosts struct known_hosts *k = calloc(1, sizeof(*k));
        int r;

        if (!k)
                return fault_set_oom(reterr);
        k->arena = arena_new();
        r = read_lines(k, &source, reterr);
        if (r < 0)
                return r;
        *ret = take(k);
        return 0;
}

int known_hosts_read(const char *path, struct known_hosts **ret, struct fault *reterr) {
        own_buffer struct buffer text = BUFFER_INIT;
        int r = file_read(AT_FDCWD, path, LIMIT_KNOWN_HOSTS_BYTES, &text, reterr);

        if (r < 0)
                return fault_context(reterr, r, "pinned host keys");
        return known_hosts_parse(path, buffer_str(&text), text.size, ret, reterr);
}

/*
 * Looking up
 */

void known_hosts_put_name(const char *host, unsigned port, struct buffer *out) {
        if (port == 0 || port == SSH_PORT)
                buffer_puts(out, host);
        else
                buffer_printf(out, "[%s]:%u", host, port);
}

/* match_hostname() of OpenSSH: one negated pattern that matches rejects the line. */
static bool patterns_match(const char *patterns, const char *name) {
        char pattern[PATTERN_MAX];
        bool matched = false;

        for (const char *p = patterns; *p;) {
                size_t n = strcspn(p, ",");
                bool negated = *p == '!';

                /* Longer than any host name: it can only match through '*', which nobody writes like that. */
                if (n < sizeof(pattern)) {
                        memcpy(pattern, p, n);
                        pattern[n] = '\0';
                        if (pattern_matches(pattern + negated, name)) {
                                if (negated)
                                        return false;
                                matched = true;
                        }
                } else if (negated) {
                        return false;
                }
                p += n + (p[n] == ',');
        }
        return matched;
}

static bool is_for(const struct known_host *h, const char *name) {
        uint8_t mac[SHA1_BYTES];

        if (!h->hashed)
                return patterns_match(h->patterns, name);
        sha1_hmac(h->salt, sizeof(h->salt), name, strlen(name), mac);
        return memcmp(mac, h->mac, sizeof(mac)) == 0;
}

static bool is_key(const struct known_host *h, const struct host_key *key) {
        uint8_t digest[crypto_hash_sha256_BYTES];

        if (key->blob)
                return h->blob_size == key->size && memcmp(h->blob, key->blob, key->size) == 0;
        crypto_hash_sha256(digest, h->blob, h->blob_size);
        return memcmp(digest, key->sha256, sizeof(digest)) == 0;
}

/* What one line says about the key; UNKNOWN when it says nothing. */
static enum host_key_verdict judge_line(const struct known_host *h, const char *name, const struct host_key *key) {
        if (!is_for(h, name))
                return HOST_KEY_UNKNOWN;
        if (h->revoked)
                return is_key(h, key) ? HOST_KEY_REVOKED : HOST_KEY_UNKNOWN;
        if (is_key(h, key))
                return HOST_KEY_PINNED;
        if (key->blob && !blob_has_type(key->blob, key->size, h->type))
                return HOST_KEY_OTHER_TYPE;
        return HOST_KEY_CHANGED;
}

enum host_key_verdict known_hosts_check(const struct known_hosts *k, const char *host, unsigned port,
                                        const struct host_key *key) {
        /* The later wins over the earlier. */
        static const unsigned rank[HOST_KEY_VERDICT_MAX_] = {
                [HOST_KEY_UNKNOWN] = 0, [HOST_KEY_OTHER_TYPE] = 1, [HOST_KEY_CHANGED] = 2,
                [HOST_KEY_PINNED] = 3,  [HOST_KEY_REVOKED] = 4,
        };
        own_buffer struct buffer name = BUFFER_INIT;
        enum host_key_verdict verdict = HOST_KEY_UNKNOWN;

        known_hosts_put_name(host, port, &name);
        if (name.failed)
                return HOST_KEY_UNKNOWN;
        for (size_t i = 0; i < k->n; i++) {
                enum host_key_verdict v = judge_line(&k->items[i], buffer_str(&name), key);

                if (rank[v] > rank[verdict])
                        verdict = v;
        }
        return verdict;
}

void known_hosts_types(const struct known_hosts *k, const char *host, unsigned port, struct buffer *out) {
        own_buffer struct buffer name = BUFFER_INIT;

        known_hosts_put_name(host, port, &name);
        for (size_t i = 0; i < k->n && !name.failed; i++)
                if (!k->items[i].revoked && is_for(&k->items[i], buffer_str(&name)))
                        buffer_printf(out, "%s%s", out->size > 0 ? "," : "", k->items[i].type);
}

void known_hosts_put_preferred(const struct known_hosts *k, const char *host, unsigned port, struct buffer *out) {
        static const char *const best_first[] = { "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384",
                                                  "ecdsa-sha2-nistp521" };
        own_buffer struct buffer name = BUFFER_INIT;

        known_hosts_put_name(host, port, &name);
        if (name.failed)
                return;
        for (size_t t = 0; t < sizeof(best_first) / sizeof(best_first[0]); t++)
                for (size_t i = 0; i < k->n; i++) {
                        const struct known_host *h = &k->items[i];

                        if (h->revoked || !str_eq(h->type, best_first[t]) || !is_for(h, buffer_str(&name)))
                                continue;
                        buffer_printf(out, "%s %s %s\n", buffer_str(&name), h->type, h->encoded);
                        return;
                }
}
