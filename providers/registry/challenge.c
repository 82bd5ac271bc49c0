/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/registry/challenge.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"

const char *const challenge_scheme_names[] = {
        [CHALLENGE_BASIC] = "Basic",
        [CHALLENGE_BEARER] = "Bearer",
        [CHALLENGE_OTHER] = "other",
        [CHALLENGE_SCHEME_MAX_] = NULL,
};

struct reader {
        const char *p;
        struct arena *arena;
        const char *names[LIMIT_CHALLENGE_PARAMETERS]; /* of the challenge that is being read */
        size_t n_names;
};

/* Each returns what is wrong, in words, or NULL. */
static const char *read_quoted(struct reader *r, const char **ret) {
        char *out = arena_alloc(r->arena, strlen(r->p)), *to = out;

        for (r->p++; *r->p != '"'; r->p++) {
                if (*r->p == '\\')
                        r->p++;
                if (*r->p == '\0')
                        return "a quotation mark is not closed";
                if (iscntrl((unsigned char)*r->p))
                        return "it holds a control character";
                *to++ = *r->p;
        }
        r->p++;
        *to = '\0';
        *ret = out;
        return NULL;
}

/* tchar: RFC 9110, 5.6.2 */
static size_t token_length(const char *s) {
        size_t n = 0;

        while (s[n] && (isalnum((unsigned char)s[n]) || strchr("!#$%&'*+-.^_`|~", s[n])))
                n++;
        return n;
}

/* token68: RFC 9110, 11.2; 0 when what stands here is something else. */
static size_t token68_length(const char *s) {
        size_t n = 0;

        while (s[n] && (isalnum((unsigned char)s[n]) || strchr("-._~+/", s[n])))
                n++;
        if (n > 0)
                n += strspn(s + n, "=");
        return s[n + strspn(s + n, " \t")] == ',' || s[n + strspn(s + n, " \t")] == '\0' ? n : 0;
}

static void skip_blanks(struct reader *r) {
        r->p += strspn(r->p, " \t");
}

/* Is a parameter next, "name =", and not the scheme of another challenge? */
static bool at_parameter(const struct reader *r) {
        size_t n = token_length(r->p);

        return n > 0 && r->p[n + strspn(r->p + n, " \t")] == '=';
}

static const char *keep(struct reader *r, struct challenge *c, const char *name, const char *value) {
        const struct {
                const char *name;
                const char **slot;
        } known[] = {
                { "realm", &c->realm },
                { "service", &c->service },
                { "scope", &c->scope },
                { "error", &c->error },
        };

        for (size_t i = 0; i < r->n_names; i++)
                if (strcasecmp(r->names[i], name) == 0)
                        return "a parameter stands there twice";
        if (r->n_names == LIMIT_CHALLENGE_PARAMETERS)
                return "it has too many parameters";
        r->names[r->n_names++] = name;
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
                if (strcasecmp(known[i].name, name) == 0)
                        *known[i].slot = value;
        return NULL;
}

static const char *read_parameter(struct reader *r, struct challenge *c) {
        size_t n = token_length(r->p);
        const char *name = arena_strndup(r->arena, r->p, n), *value, *wrong;

        r->p += n;
        skip_blanks(r);
        r->p++; /* at_parameter() saw the '=' */
        skip_blanks(r);
        if (*r->p == '"') {
                wrong = read_quoted(r, &value);
                if (wrong)
                        return wrong;
        } else {
                n = token_length(r->p);
                if (n == 0)
                        return "a parameter has no value";
                value = arena_strndup(r->arena, r->p, n);
                r->p += n;
        }
        return keep(r, c, name, value);
}

/* The end of the header, or the comma before what comes next. */
static const char *read_separator(struct reader *r) {
        skip_blanks(r);
        if (*r->p != '\0' && *r->p != ',')
                return "a comma is missing";
        r->p += strspn(r->p, ", \t");
        return NULL;
}

static const char *read_challenge(struct reader *r, struct challenge *c) {
        size_t n = token_length(r->p), token68 = 0;
        const char *wrong;

        *c = (struct challenge){ .scheme = CHALLENGE_OTHER };
        r->n_names = 0;
        if (n == 0)
                return "a scheme is missing";
        for (int i = 0; i < CHALLENGE_OTHER; i++)
                if (strlen(challenge_scheme_names[i]) == n && strncasecmp(r->p, challenge_scheme_names[i], n) == 0)
                        c->scheme = (enum challenge_scheme)i;
        r->p += n;
        if (*r->p == ' ') {
                r->p += strspn(r->p, " ");
                token68 = token68_length(r->p);
                r->p += token68;
                if (token68 == 0 && at_parameter(r)) {
                        wrong = read_parameter(r, c);
                        if (wrong)
                                return wrong;
                }
        }
        wrong = read_separator(r);
        while (!wrong && token68 == 0 && at_parameter(r)) {
                wrong = read_parameter(r, c);
                if (!wrong)
                        wrong = read_separator(r);
        }
        return wrong;
}

static int refuse(const char *wrong, struct fault *reterr) {
        return fault_set_code(reterr, FAULT_DENIED, REASON_IMAGE_AUTH,
                              "the registry's WWW-Authenticate header is malformed: %s", wrong);
}

int challenge_parse(const char *value, struct arena *a, struct challenge **items, size_t *n, struct fault *reterr) {
        struct reader r = { .p = value, .arena = a };

        if (strlen(value) > LIMIT_CHALLENGE_BYTES)
                return refuse("it is too long", reterr);
        r.p += strspn(r.p, ", \t");
        while (*r.p) {
                struct challenge c;
                const char *wrong = *n == LIMIT_CHALLENGES ? "it holds too many challenges" : read_challenge(&r, &c);

                if (wrong)
                        return refuse(wrong, reterr);
                *(struct challenge *)arena_push(a, items, n, sizeof(c)) = c;
        }
        return 0;
}
