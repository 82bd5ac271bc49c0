/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/sign/signers.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/data/base64.h"
#include "shared/sign/wire.h"

/* One line while it is read. */
struct reader {
        const struct source *source;
        struct arena *arena;
        const char *line;    /* where it starts */
        const char *p, *end; /* what is left of it */
        unsigned number;
        unsigned seen; /* options, as bits of their index */
};

static int refuse(const struct reader *in, const char *at, const char *why, struct fault *reterr) {
        struct source_pos pos = {
                .source = in->source,
                .line = in->number,
                .column = (unsigned)utf8_length(in->line, (size_t)(at - in->line)) + 1,
        };
        int r = fault_set_at(reterr, &pos, "%s", why);

        reterr->code = REASON_TRUST_SIGNERS_INVALID;
        fault_hint(reterr, "a line is: principals [options] keytype base64 [comment]; see ssh-keygen(1), "
                           "ALLOWED SIGNERS");
        return r;
}

static bool is_blank(char c) {
        return c == ' ' || c == '\t';
}

static void skip_blanks(struct reader *in) {
        while (in->p < in->end && is_blank(*in->p))
                in->p++;
}

/* The bytes up to the next blank. */
static size_t word_size(const struct reader *in) {
        size_t n = 0;

        while (in->p + n < in->end && !is_blank(in->p[n]))
                n++;
        return n;
}

/*
 * Pattern lists: match_pattern_list() of OpenSSH match.c, without folding case
 */

/* The next element of a list, copied to @buf; false at the end. Elements were checked to fit. */
static bool list_next(const char **list, char *buf) {
        size_t n;

        if (!*list)
                return false;
        n = strcspn(*list, ",");
        memcpy(buf, *list, n);
        buf[n] = '\0';
        *list = (*list)[n] ? *list + n + 1 : NULL;
        return true;
}

static bool list_matches(const char *list, const char *s) {
        char element[LIMIT_PRINCIPAL_BYTES + 2];
        bool found = false;

        while (list_next(&list, element)) {
                bool negated = element[0] == '!';

                if (!pattern_matches(element + negated, s))
                        continue;
                if (negated)
                        return false;
                found = true;
        }
        return found;
}

/* Every element is there and fits list_next()'s buffer. NULL, or the first byte of the one that does not. */
static const char *list_check(const char *list, size_t size) {
        for (size_t at = 0; at <= size;) {
                const char *comma = memchr(list + at, ',', size - at);
                size_t n = comma ? (size_t)(comma - (list + at)) : size - at;
                bool negated = n > 0 && list[at] == '!';

                if (n == (size_t)negated || n > LIMIT_PRINCIPAL_BYTES)
                        return list + at;
                at += n + 1;
        }
        return NULL;
}

/* Who a line speaks about: what git would show, but a person before a pattern. */
static const char *choose_principal(const char *principals, struct arena *a) {
        char element[LIMIT_PRINCIPAL_BYTES + 2];
        const char *pattern = NULL;

        for (const char *list = principals; list_next(&list, element);) {
                if (element[0] == '!' || !list_matches(principals, element))
                        continue;
                if (!strpbrk(element, "*?"))
                        return arena_strdup(a, element);
                if (!pattern)
                        pattern = arena_strdup(a, element);
        }
        return pattern;
}

/*
 * Options
 */

/* A value in double quotes, in which \" stands for a quote. *@ret_at is where its first byte stands in the line. */
static int read_quoted(struct reader *in, const char **ret, const char **ret_at, struct fault *reterr) {
        const char *start = in->p;
        char *value;
        size_t n = 0;

        if (in->p == in->end || *in->p != '"')
                return refuse(in, in->p, "the option's value must stand in double quotes", reterr);
        value = arena_alloc(in->arena, (size_t)(in->end - in->p) + 1);
        for (in->p++; in->p < in->end && *in->p != '"'; in->p++) {
                if (*in->p == '\\' && in->p + 1 < in->end && in->p[1] == '"')
                        in->p++;
                value[n++] = *in->p;
        }
        if (in->p == in->end)
                return refuse(in, start, "the quote is never closed", reterr);
        in->p++;
        *ret = value;
        *ret_at = start + 1;
        return 0;
}

/* Exactly @n digits at *@s. */
static bool take_number(const char **s, int n, int *ret) {
        int v = 0;

        for (; n > 0; n--, (*s)++) {
                if (**s < '0' || **s > '9')
                        return false;
                v = v * 10 + (**s - '0');
        }
        *ret = v;
        return true;
}

/* YYYYMMDD[HHMM[SS]][Z]: parse_absolute_time() of OpenSSH misc.c. */
static int parse_time(const char *s, int64_t *ret_s) {
        struct tm tm = { 0 }, whole;
        size_t digits = strspn(s, "0123456789");
        bool utc = strcasecmp(s + digits, "Z") == 0 || strcasecmp(s + digits, "UTC") == 0;
        time_t t;

        if ((digits != 8 && digits != 12 && digits != 14) || (!utc && s[digits] != '\0'))
                return -EINVAL;
        if (!take_number(&s, 4, &tm.tm_year) || !take_number(&s, 2, &tm.tm_mon) || !take_number(&s, 2, &tm.tm_mday))
                return -EINVAL;
        if (digits >= 12 && (!take_number(&s, 2, &tm.tm_hour) || !take_number(&s, 2, &tm.tm_min)))
                return -EINVAL;
        if (digits == 14 && !take_number(&s, 2, &tm.tm_sec))
                return -EINVAL;
        if (tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
                return -EINVAL;

        tm.tm_year -= 1900;
        tm.tm_mon -= 1;
        whole = (struct tm){ .tm_year = tm.tm_year, .tm_mon = tm.tm_mon, .tm_mday = tm.tm_mday };
        (void)timegm(&whole); /* normalises: a date that is not in the calendar becomes another one */
        if (whole.tm_mon != tm.tm_mon || whole.tm_mday != tm.tm_mday)
                return -EINVAL;

        /* tm_isdst stays 0, as there: a local time is the zone's standard time, in summer too. */
        t = utc ? timegm(&tm) : mktime(&tm);
        if (t < 0)
                return -EINVAL;
        *ret_s = t;
        return 0;
}

static int read_time(struct reader *in, int64_t *ret_s, struct fault *reterr) {
        const char *value, *at;
        int r;

        r = read_quoted(in, &value, &at, reterr);
        if (r < 0)
                return r;
        if (parse_time(value, ret_s) < 0)
                return refuse(in, at, "the time must be YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS, with Z for UTC",
                              reterr);
        return 0;
}

static int read_cert_authority(struct reader *in, struct signer *s, struct fault *reterr) {
        s->cert_authority = true;
        return 0;
}

static int read_namespaces(struct reader *in, struct signer *s, struct fault *reterr) {
        const char *at;
        int r;

        r = read_quoted(in, &s->namespaces, &at, reterr);
        if (r < 0)
                return r;
        if (list_check(s->namespaces, strlen(s->namespaces)))
                return refuse(in, at, "a namespace is empty or too long", reterr);
        return 0;
}

static int read_valid_after(struct reader *in, struct signer *s, struct fault *reterr) {
        int64_t t = 0;
        int r;

        r = read_time(in, &t, reterr);
        s->valid_after_ms = t * 1000;
        return r;
}

static int read_valid_before(struct reader *in, struct signer *s, struct fault *reterr) {
        int64_t t = 0;
        int r;

        r = read_time(in, &t, reterr);
        s->valid_before_ms = t * 1000 + 999;
        return r;
}

static const struct option {
        const char *name; /* with '=' when a value follows */
        int (*read)(struct reader *in, struct signer *s, struct fault *reterr);
} options[] = {
        { "cert-authority", read_cert_authority },
        { "namespaces=", read_namespaces },
        { "valid-after=", read_valid_after },
        { "valid-before=", read_valid_before },
};

static int read_option(struct reader *in, struct signer *s, struct fault *reterr) {
        for (unsigned i = 0; i < sizeof(options) / sizeof(*options); i++) {
                size_t n = strlen(options[i].name);

                if ((size_t)(in->end - in->p) < n || strncasecmp(in->p, options[i].name, n) != 0)
                        continue;
                if (in->seen & 1u << i)
                        return refuse(in, in->p, "the option is given twice", reterr);
                in->seen |= 1u << i;
                in->p += n;
                return options[i].read(in, s, reterr);
        }
        return refuse(in, in->p,
                      "this is neither a key type nor one of the options cert-authority, "
                      "namespaces=\"…\", valid-after=\"…\" and valid-before=\"…\"",
                      reterr);
}

static int read_options(struct reader *in, struct signer *s, struct fault *reterr) {
        const char *start = in->p;
        int r;

        for (;;) {
                r = read_option(in, s, reterr);
                if (r < 0)
                        return r;
                if (in->p == in->end || is_blank(*in->p))
                        break;
                if (*in->p != ',')
                        return refuse(in, in->p, "a comma or a blank must follow the option", reterr);
                in->p++;
        }
        if (s->valid_before_ms != INT64_MAX && s->valid_before_ms - 999 <= s->valid_after_ms)
                return refuse(in, start, "valid-before is not later than valid-after", reterr);
        skip_blanks(in);
        return 0;
}

/*
 * Lines
 */

static int read_principals(struct reader *in, struct signer *s, struct fault *reterr) {
        const char *start = in->p, *wrong;
        size_t n;

        if (*in->p == '"') {
                const char *quote = memchr(in->p + 1, '"', (size_t)(in->end - in->p) - 1);

                if (!quote)
                        return refuse(in, start, "the quote is never closed", reterr);
                start++;
                n = (size_t)(quote - start);
                in->p = quote + 1;
        } else {
                n = word_size(in);
                in->p += n;
        }
        wrong = list_check(start, n);
        if (wrong)
                return refuse(in, wrong, "a principal is empty or too long", reterr);
        if (!utf8_is_valid(start, n))
                return refuse(in, start, "a principal is not UTF-8", reterr);
        if (in->p < in->end && !is_blank(*in->p))
                return refuse(in, in->p, "a blank must follow the principals", reterr);
        s->principals = arena_strndup(in->arena, start, n);
        s->principal = choose_principal(s->principals, in->arena);
        skip_blanks(in);
        return 0;
}

/* The wire form must say the same type; of our own types it must be all right to the last byte. */
static int check_blob(const struct reader *in, const struct buffer *blob, struct signer *s, struct fault *reterr) {
        own_fault struct fault fault = FAULT_INIT;
        struct wire w = { (const unsigned char *)blob->data, blob->size }, name;
        struct sshkey key;

        if (!wire_take_string(&w, &name) || !wire_equals(&name, s->type_name))
                return refuse(in, in->p, "the key inside the base64 is of another type", reterr);
        if (w.size == 0)
                return refuse(in, in->p, "the key is cut off", reterr);
        if (s->type != SSHKEY_OTHER && sshkey_parse_blob(blob->data, blob->size, &key, &fault) < 0)
                return refuse(in, in->p, fault.message, reterr);
        crypto_hash_sha256(s->id, (const unsigned char *)blob->data, blob->size);
        return 0;
}

static int read_key(struct reader *in, struct signer *s, struct fault *reterr) {
        own_buffer struct buffer blob = BUFFER_INIT;
        size_t n = word_size(in);
        int r;

        s->type = sshkey_type_from_name(in->p, n);
        if (s->type == SSHKEY_TYPE_MAX_)
                return refuse(in, in->p, n == 0 ? "the key is missing" : "this is not a key type", reterr);
        s->type_name = arena_strndup(in->arena, in->p, n);
        in->p += n;
        skip_blanks(in);

        n = word_size(in);
        if (n == 0)
                return refuse(in, in->p, "the key is missing", reterr);
        if (base64_decode(in->p, n, false, &blob) < 0)
                return refuse(in, in->p, "the key is not canonical base64", reterr);
        r = buffer_check(&blob, "public key", reterr);
        if (r < 0)
                return r;
        return check_blob(in, &blob, s, reterr);
}

static int read_line(struct reader *in, struct signer *s, struct fault *reterr) {
        int r;

        *s = (struct signer){ .line = in->number, .valid_after_ms = INT64_MIN, .valid_before_ms = INT64_MAX };
        r = read_principals(in, s, reterr);
        if (r == 0 && in->p < in->end && sshkey_type_from_name(in->p, word_size(in)) == SSHKEY_TYPE_MAX_)
                r = read_options(in, s, reterr);
        if (r == 0)
                r = read_key(in, s, reterr);
        return r;
}

static int by_key(const void *a, const void *b) {
        const struct signer *x = *(const struct signer *const *)a, *y = *(const struct signer *const *)b;
        int order = memcmp(x->id, y->id, sizeof(x->id));

        return order ? order : (x->line > y->line) - (x->line < y->line);
}

static int check_text(const struct source *source, struct fault *reterr) {
        struct reader in = { .source = source, .line = source->text, .number = 1 };

        if (source->size > LIMIT_SIGNERS_BYTES)
                return refuse(&in, in.line, "the file is larger than 4 MiB", reterr);
        if (memchr(source->text, '\0', source->size))
                return refuse(&in, in.line, "the file holds a NUL byte", reterr);
        return 0;
}

int signers_parse(const char *name, const void *bytes, size_t size, struct arena *a, struct signers *ret,
                  struct fault *reterr) {
        struct signers s = {
                .source = { .name = arena_strdup(a, name), .text = arena_strndup(a, bytes, size), .size = size },
        };
        struct reader in = { .source = &s.source, .arena = a };
        const char *p = s.source.text, *end = p + size;
        int r;

        r = check_text(&s.source, reterr);
        while (r == 0 && p < end) {
                const char *eol = memchr(p, '\n', (size_t)(end - p)), *next = eol ? eol + 1 : end;

                in = (struct reader){ &s.source, a, p, p, eol ? eol : end, in.number + 1, 0 };
                if (in.end > in.p && in.end[-1] == '\r')
                        in.end--;
                p = next;
                skip_blanks(&in);
                if (in.p == in.end || *in.p == '#')
                        continue;
                if (s.n == LIMIT_SIGNERS_LINES)
                        r = refuse(&in, in.p, "the file holds more than 10000 lines", reterr);
                else
                        r = read_line(&in, arena_push(a, &s.lines, &s.n, sizeof(*s.lines)), reterr);
        }
        if (r < 0)
                return r;

        s.by_key = arena_array(a, s.n, sizeof(const struct signer *));
        for (size_t i = 0; i < s.n; i++)
                s.by_key[i] = &s.lines[i];
        if (s.n > 0)
                qsort(s.by_key, s.n, sizeof(const struct signer *), by_key);
        *ret = s;
        return 0;
}

/*
 * Looking up
 */

/* The first of the lines with this key, and how many of them there are. */
static const struct signer *const *lines_of(const struct signers *s, const struct sshkey *key, size_t *ret_n) {
        size_t low = 0, high = s->n, n = 0;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (memcmp(s->by_key[middle]->id, key->id, sizeof(key->id)) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        while (low + n < s->n && memcmp(s->by_key[low + n]->id, key->id, sizeof(key->id)) == 0)
                n++;
        *ret_n = n;
        return s->by_key + low;
}

/* A line that can speak for somebody who signs with a plain key of ours. */
static bool line_is_usable(const struct signer *line) {
        return line->type != SSHKEY_OTHER && !line->cert_authority && line->principal;
}

static bool line_is_valid_at(const struct signer *line, const int64_t *times_ms, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (times_ms[i] < line->valid_after_ms || times_ms[i] > line->valid_before_ms)
                        return false;
        return true;
}

static int refuse_line(const struct signers *s, const struct signer *line, const char *code, const char *fingerprint,
                       const char *why, struct fault *reterr) {
        return fault_set_code(reterr, FAULT_DENIED, code, "%s:%u: the key %s of %s %s", s->source.name, line->line,
                              fingerprint, line->principal, why);
}

int signers_find_as(const struct signers *s, const struct sshkey *key, const char *principal, const char *namespace,
                    const int64_t *times_ms, size_t n, const struct signer **ret_line, struct fault *reterr) {
        const struct signer *other_namespace = NULL, *other_time = NULL, *other_person = NULL;
        char fingerprint[FINGERPRINT_TEXT_MAX];
        size_t n_lines;
        const struct signer *const *lines = lines_of(s, key, &n_lines);

        for (size_t i = 0; i < n_lines; i++) {
                const struct signer *line = lines[i];

                if (!line_is_usable(line))
                        continue;
                if (principal && !list_matches(line->principals, principal)) {
                        other_person = other_person ? other_person : line;
                        continue;
                }
                if (line->namespaces && !list_matches(line->namespaces, namespace)) {
                        other_namespace = other_namespace ? other_namespace : line;
                        continue;
                }
                if (!line_is_valid_at(line, times_ms, n)) {
                        other_time = other_time ? other_time : line;
                        continue;
                }
                *ret_line = line;
                return 0;
        }

        sshkey_fingerprint(key, fingerprint);
        if (other_time)
                return refuse_line(s, other_time, REASON_TRUST_EXPIRED, fingerprint, "is not valid at this time",
                                   reterr);
        if (other_namespace)
                return refuse_line(s, other_namespace, REASON_TRUST_NAMESPACE, fingerprint,
                                   "is not good for this namespace", reterr);
        if (other_person)
                return fault_set_code(reterr, FAULT_DENIED, REASON_TRUST_UNKNOWN_SIGNER,
                                      "%s:%u: the key %s is of %s, not of %s", s->source.name, other_person->line,
                                      fingerprint, other_person->principal, principal);
        return fault_set_code(reterr, FAULT_DENIED, REASON_TRUST_UNKNOWN_SIGNER, "no line of %s allows the key %s",
                              s->source.name, fingerprint);
}

int signers_find_at(const struct signers *s, const struct sshkey *key, const char *namespace, const int64_t *times_ms,
                    size_t n, const struct signer **ret_line, struct fault *reterr) {
        return signers_find_as(s, key, NULL, namespace, times_ms, n, ret_line, reterr);
}

bool signers_know(const struct signers *s, const struct sshkey *key) {
        size_t n;

        (void)lines_of(s, key, &n);
        return n > 0;
}

size_t signers_count(const struct signers *s, const char *namespace) {
        size_t count = 0;

        for (size_t i = 0; i < s->n; i++)
                if (line_is_usable(&s->lines[i]) &&
                    (!s->lines[i].namespaces || list_matches(s->lines[i].namespaces, namespace)))
                        count++;
        return count;
}
