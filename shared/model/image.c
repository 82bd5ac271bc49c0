/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/model/image.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/data/digest.h"

#define DEFAULT_REGISTRY "docker.io"

static bool is_lower_alnum(char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c) {
        return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

static int refuse(const struct text_at *text, const char *what, const char *hint, struct fault *reterr) {
        int r = fault_set_at(reterr, &text->at, "'%s' is not an image reference: %s", text->text, what);

        reterr->code = REASON_LOAD_INVALID;
        if (hint)
                fault_hint(reterr, "%s", hint);
        return r;
}

/* path-component := [a-z0-9]+ ((\.|_|__|-+) [a-z0-9]+)* */
static bool component_is_valid(const char *s, size_t n) {
        for (size_t i = 0; i < n;) {
                size_t run = i;

                while (i < n && is_lower_alnum(s[i]))
                        i++;
                if (i == run || i == n)
                        return i > run;
                run = i;
                if (s[i] == '-')
                        while (i < n && s[i] == '-')
                                i++;
                else if (s[i] == '.')
                        i++;
                else
                        while (i < n && s[i] == '_' && i - run < 2)
                                i++;
                if (i == run)
                        return false;
        }
        return false;
}

static bool path_is_valid(const char *s, size_t n) {
        for (size_t i = 0; i <= n;) {
                const char *slash = memchr(s + i, '/', n - i);
                size_t length = slash ? (size_t)(slash - (s + i)) : n - i;

                if (!component_is_valid(s + i, length))
                        return false;
                i += length + 1;
        }
        return n > 0;
}

/* domain-component := [A-Za-z0-9] | [A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9], joined by dots */
static bool domain_is_valid(const char *s, size_t n) {
        if (n == 0)
                return false;
        for (size_t i = 0; i < n; i++) {
                bool first = i == 0 || s[i - 1] == '.', last = i + 1 == n || s[i + 1] == '.';

                if (is_alnum(s[i]))
                        continue;
                if (s[i] == '-' && !first && !last)
                        continue;
                if (s[i] == '.' && !first && i + 1 < n)
                        continue;
                return false;
        }
        return true;
}

static bool port_is_valid(const char *s, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (!isdigit((unsigned char)s[i]))
                        return false;
        return n >= 1 && n <= 5;
}

/* host[:port], the host a name, an IPv4 address or an IPv6 address in brackets */
static bool registry_is_valid(const char *s, size_t n) {
        size_t host;

        if (n > 0 && s[0] == '[') {
                const char *end = memchr(s, ']', n);

                if (!end || end == s + 1)
                        return false;
                for (const char *p = s + 1; p < end; p++)
                        if (!isxdigit((unsigned char)*p) && *p != ':')
                                return false;
                host = (size_t)(end - s) + 1;
        } else {
                const char *colon = memchr(s, ':', n);

                host = colon ? (size_t)(colon - s) : n;
                if (!domain_is_valid(s, host))
                        return false;
        }
        return host == n || (s[host] == ':' && port_is_valid(s + host + 1, n - host - 1));
}

static bool tag_is_valid(const char *s, size_t n) {
        if (n == 0 || n > 128 || !(is_alnum(s[0]) || s[0] == '_'))
                return false;
        for (size_t i = 1; i < n; i++)
                if (!is_alnum(s[i]) && !strchr("_.-", s[i]))
                        return false;
        return true;
}

/* Is the first component a registry? The rule of every Docker client. */
static bool looks_like_registry(const char *s, size_t n) {
        return memchr(s, '.', n) || memchr(s, ':', n) || (n == 9 && memcmp(s, "localhost", 9) == 0);
}

static int check_digest(const struct text_at *text, const char *digest, struct fault *reterr) {
        if (digest_is_valid(digest))
                return 0;
        if (!str_after(digest, "sha256:"))
                return refuse(text, "only sha256 digests are accepted", "write @sha256: and 64 hexadecimal digits",
                              reterr);
        return refuse(text, "a digest is sha256: and 64 lower-case hexadecimal digits", NULL, reterr);
}

static int check_name(const struct text_at *text, const struct image_ref *ref, struct fault *reterr) {
        size_t n = strlen(ref->repository);

        if (!registry_is_valid(ref->registry, strlen(ref->registry)))
                return refuse(text, "the registry is not host[:port]", NULL, reterr);
        for (size_t i = 0; i < n; i++)
                if (ref->repository[i] >= 'A' && ref->repository[i] <= 'Z')
                        return refuse(text, "a repository is written in lower case", NULL, reterr);
        if (!path_is_valid(ref->repository, n))
                return refuse(text, "the repository is not a path of lower-case letters, digits and . _ -", NULL,
                              reterr);
        if (n + strlen(ref->registry) + 1 > LIMIT_IMAGE_NAME_BYTES)
                return refuse(text, "the name is too long", NULL, reterr);
        return 0;
}

/* Split the name at its first '/', and write out what Docker Hub's short names leave away. */
static void split_name(const char *s, size_t n, struct arena *a, struct image_ref *ref) {
        const char *slash = memchr(s, '/', n);
        size_t first = slash ? (size_t)(slash - s) : 0;

        if (slash && looks_like_registry(s, first)) {
                ref->registry = arena_strndup(a, s, first);
                ref->repository = arena_strndup(a, slash + 1, n - first - 1);
        } else {
                ref->registry = DEFAULT_REGISTRY;
                ref->repository = arena_strndup(a, s, n);
        }
        if (str_eq(ref->registry, "index.docker.io"))
                ref->registry = DEFAULT_REGISTRY;
        if (str_eq(ref->registry, DEFAULT_REGISTRY) && !strchr(ref->repository, '/'))
                ref->repository = arena_printf(a, "library/%s", ref->repository);
}

int image_parse(const struct text_at *text, struct arena *a, struct image_ref *ret, struct fault *reterr) {
        struct image_ref ref = { .at = text->at };
        const char *s = text->text, *at, *name_end, *tag;
        int r;

        if (*s == '\0')
                return refuse(text, "it is empty", NULL, reterr);
        if (strlen(s) > LIMIT_IMAGE_BYTES)
                return refuse(text, "it is too long", NULL, reterr);

        at = strchr(s, '@');
        name_end = at ? at : s + strlen(s);
        if (at) {
                r = check_digest(text, at + 1, reterr);
                if (r < 0)
                        return r;
                ref.digest = arena_strdup(a, at + 1);
        }

        /* A ':' behind the last '/' begins the tag; before it, a port. */
        tag = memrchr(s, ':', (size_t)(name_end - s));
        if (tag && memchr(tag, '/', (size_t)(name_end - tag)))
                tag = NULL;
        if (tag) {
                if (!tag_is_valid(tag + 1, (size_t)(name_end - tag) - 1))
                        return refuse(text, "a tag is up to 128 letters, digits and _ . -", NULL, reterr);
                ref.tag = arena_strndup(a, tag + 1, (size_t)(name_end - tag) - 1);
                name_end = tag;
        }

        split_name(s, (size_t)(name_end - s), a, &ref);
        r = check_name(text, &ref, reterr);
        if (r < 0)
                return r;
        *ret = ref;
        return 0;
}

int image_require_digest(const struct image_ref *ref, const char *service, struct fault *reterr) {
        int r;

        if (ref->digest)
                return 0;
        r = fault_set_at(reterr, &ref->at, "the image of service '%s' has no digest", service);
        reterr->code = REASON_LOAD_TAG_ONLY;
        fault_hint(reterr, "a tag can be moved; `tally lock` asks the registry and writes the digest to the release");
        return r;
}

const char *image_name(const struct image_ref *ref, struct arena *a) {
        return arena_printf(a, "%s/%s", ref->registry, ref->repository);
}

const char *image_pinned(const struct image_ref *ref, struct arena *a) {
        assert(ref->digest);
        return arena_printf(a, "%s/%s@%s", ref->registry, ref->repository, ref->digest);
}
