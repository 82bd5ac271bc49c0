/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/base/text.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include "shared/base/limits.h"

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

static char to_lower(char c) {
        return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

const char *str_after(const char *s, const char *prefix) {
        size_t n = strlen(prefix);

        return strncmp(s, prefix, n) == 0 ? s + n : NULL;
}

bool str_ends_with(const char *s, const char *suffix) {
        size_t n = strlen(s), m = strlen(suffix);

        return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

/*
 * Numbers
 */

/* Decimal digits at *@s, which is advanced beyond them. */
static int take_digits(const char **s, uint64_t *ret) {
        uint64_t v = 0;
        int r = 0;

        if (!is_digit(**s))
                return -EINVAL;
        for (; is_digit(**s); (*s)++)
                if (__builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, (uint64_t)(**s - '0'), &v))
                        r = -ERANGE;
        if (r == 0)
                *ret = v;
        return r;
}

/* The same, but "0" is the only number that starts with a zero. */
static int take_number(const char **s, uint64_t *ret) {
        if ((*s)[0] == '0' && is_digit((*s)[1]))
                return -EINVAL;
        return take_digits(s, ret);
}

int parse_u64(const char *s, uint64_t *ret) {
        uint64_t v = 0;
        int r = take_number(&s, &v);

        if (r == -EINVAL || *s != '\0')
                return -EINVAL;
        if (r == 0)
                *ret = v;
        return r;
}

int parse_i64(const char *s, int64_t *ret) {
        bool negative = *s == '-';
        uint64_t v = 0;
        int r;

        r = parse_u64(s + negative, &v);
        if (r < 0)
                return r;
        if (v > (uint64_t)INT64_MAX + negative)
                return -ERANGE;
        *ret = negative ? (int64_t)(0 - v) : (int64_t)v;
        return 0;
}

struct unit {
        const char *name;
        uint64_t factor;
};

/* From the largest, so that format_duration() finds the shortest form first. */
static const struct unit duration_units[] = {
        { "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 }, { NULL, 0 },
};

/* time.ParseDuration(); the micro sign and the Greek mu are both accepted there. */
static const struct unit go_units[] = {
        { "ns", 1 },         { "us", 1000 },       { "\xc2\xb5s", 1000 },  { "\xce\xbcs", 1000 }, { "ms", 1000000 },
        { "s", 1000000000 }, { "m", 60000000000 }, { "h", 3600000000000 }, { NULL, 0 },
};

static const struct unit byte_units[] = {
        { "", 1 },
        { "b", 1 },
        { "k", 1ull << 10 },
        { "kb", 1ull << 10 },
        { "kib", 1ull << 10 },
        { "m", 1ull << 20 },
        { "mb", 1ull << 20 },
        { "mib", 1ull << 20 },
        { "g", 1ull << 30 },
        { "gb", 1ull << 30 },
        { "gib", 1ull << 30 },
        { "t", 1ull << 40 },
        { "tb", 1ull << 40 },
        { "tib", 1ull << 40 },
        { "p", 1ull << 50 },
        { "pb", 1ull << 50 },
        { "pib", 1ull << 50 },
        { NULL, 0 },
};

/* The unit spelled by exactly @n bytes, compared without case when @fold; 0 when there is none. */
static uint64_t unit_factor(const struct unit *units, const char *s, size_t n, bool fold) {
        for (; units->name; units++) {
                size_t i = 0;

                while (i < n && units->name[i] && (fold ? to_lower(s[i]) : s[i]) == units->name[i])
                        i++;
                if (i == n && units->name[i] == '\0')
                        return units->factor;
        }
        return 0;
}

int parse_duration(const char *s, int64_t *ret_ms) {
        uint64_t v = 0, factor;
        int r;

        r = take_number(&s, &v);
        if (r == -EINVAL)
                return r;
        factor = unit_factor(duration_units, s, strlen(s), false);
        if (factor == 0)
                return -EINVAL;
        if (r < 0 || __builtin_mul_overflow(v, factor, &v) || v > INT64_MAX)
                return -ERANGE;
        *ret_ms = (int64_t)v;
        return 0;
}

/* "12", "12.5" or ".5" at *@s: the whole part, and the fraction between 0 and 1. */
static int take_decimal(const char **s, uint64_t *ret_whole, double *ret_fraction) {
        bool whole = is_digit(**s);
        double fraction = 0, weight = 1;
        uint64_t v = 0;
        int r = 0;

        if (whole)
                r = take_digits(s, &v);
        if (**s == '.') {
                (*s)++;
                if (!whole && !is_digit(**s))
                        return -EINVAL;
                /* Eighteen digits are more than a double holds; the rest cannot matter. */
                for (int n = 0; is_digit(**s); (*s)++, n++) {
                        if (n < 18) {
                                fraction = fraction * 10 + (**s - '0');
                                weight *= 10;
                        }
                }
        } else if (!whole)
                return -EINVAL;

        *ret_whole = v;
        *ret_fraction = fraction / weight;
        return r;
}

/* @whole.@fraction times @factor, added to *@sum. */
static int add_scaled(uint64_t *sum, uint64_t whole, double fraction, uint64_t factor) {
        uint64_t v;

        if (__builtin_mul_overflow(whole, factor, &v) || __builtin_add_overflow(v, *sum, &v) ||
            __builtin_add_overflow(v, (uint64_t)(fraction * (double)factor + 1e-6), &v) || v > INT64_MAX)
                return -ERANGE;
        *sum = v;
        return 0;
}

int parse_go_duration(const char *s, int64_t *ret_ns) {
        uint64_t sum = 0;
        int range = 0;

        if (str_eq(s, "0")) { /* the one number that needs no unit */
                *ret_ns = 0;
                return 0;
        }
        if (*s == '\0')
                return -EINVAL;
        while (*s) {
                uint64_t whole = 0, factor;
                double fraction = 0;
                size_t n;
                int r;

                r = take_decimal(&s, &whole, &fraction);
                if (r == -EINVAL)
                        return r;
                n = strcspn(s, ".0123456789");
                factor = unit_factor(go_units, s, n, false);
                if (factor == 0)
                        return -EINVAL;
                s += n;
                if (r < 0 || add_scaled(&sum, whole, fraction, factor) < 0)
                        range = -ERANGE; /* but go on: a syntax error says more */
        }
        if (range < 0)
                return range;
        *ret_ns = (int64_t)sum;
        return 0;
}

int parse_bytes(const char *s, int64_t *ret_bytes) {
        uint64_t whole = 0, factor, sum = 0;
        double fraction = 0;
        int r;

        if (!is_digit(*s))
                return -EINVAL;
        r = take_decimal(&s, &whole, &fraction);
        if (r == -EINVAL)
                return r;
        factor = unit_factor(byte_units, s, strlen(s), true);
        if (factor == 0)
                return -EINVAL;
        if (r < 0 || add_scaled(&sum, whole, fraction, factor) < 0)
                return -ERANGE;
        *ret_bytes = (int64_t)sum;
        return 0;
}

const char *format_duration(int64_t ms, char *buf) {
        uint64_t v = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
        const struct unit *u = duration_units;

        if (v == 0) {
                (void)snprintf(buf, DURATION_TEXT_MAX, "0s");
                return buf;
        }
        while (v % u->factor != 0)
                u++;
        (void)snprintf(buf, DURATION_TEXT_MAX, "%s%llu%s", ms < 0 ? "-" : "", (unsigned long long)(v / u->factor),
                       u->name);
        return buf;
}

/*
 * Hexadecimal
 */

static int hex_value(char c) {
        if (is_digit(c))
                return c - '0';
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void hex_encode(const void *data, size_t n, char *out) {
        static const char digits[] = "0123456789abcdef";
        const unsigned char *p = data;

        for (size_t i = 0; i < n; i++) {
                *out++ = digits[p[i] >> 4];
                *out++ = digits[p[i] & 15];
        }
        *out = '\0';
}

bool hex_is_valid(const char *s, size_t digits) {
        for (; digits > 0; digits--, s++)
                if (hex_value(*s) < 0)
                        return false;
        return *s == '\0';
}

int hex_decode(const char *hex, void *out, size_t n) {
        unsigned char *p = out;

        if (n > SIZE_MAX / 2 || !hex_is_valid(hex, 2 * n))
                return -EINVAL;
        for (size_t i = 0; i < n; i++)
                p[i] = (unsigned char)(hex_value(hex[2 * i]) << 4 | hex_value(hex[2 * i + 1]));
        return 0;
}

/*
 * Names and paths
 */

bool name_is_valid(const char *s) {
        size_t n = 0;

        for (; s[n]; n++) {
                bool letter = (s[n] >= 'a' && s[n] <= 'z') || is_digit(s[n]);

                if (n >= LIMIT_NAME_BYTES)
                        return false;
                if (!letter && (n == 0 || !strchr("._-", s[n])))
                        return false;
                if (s[n] == '.' && s[n + 1] == '.')
                        return false;
        }
        return n > 0 && s[n - 1] != '.' && !str_ends_with(s, ".lock");
}

bool path_is_inside(const char *s) {
        for (;;) {
                size_t n = strcspn(s, "/");

                if (n == 0 || (n == 1 && s[0] == '.') || (n == 2 && s[0] == '.' && s[1] == '.'))
                        return false;
                for (size_t i = 0; i < n; i++)
                        if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f || s[i] == '\\')
                                return false;
                if (s[n] == '\0')
                        return true;
                s += n + 1;
        }
}

/*
 * UTF-8
 */

size_t utf8_decode(const char *s, size_t n, uint32_t *ret) {
        /* The smallest character that a lead byte of each length may carry: anything below is overlong. */
        static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
        unsigned char lead;
        uint32_t c;
        size_t size;

        if (n == 0)
                return 0;
        lead = (unsigned char)s[0];
        if (lead < 0x80) {
                *ret = lead;
                return 1;
        }
        size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
        if (lead < 0xc2 || lead > 0xf4 || n < size)
                return 0;

        c = lead & (0x7fu >> size);
        for (size_t i = 1; i < size; i++) {
                if (((unsigned char)s[i] & 0xc0) != 0x80)
                        return 0;
                c = c << 6 | ((unsigned char)s[i] & 0x3f);
        }
        if (c < smallest[size] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
                return 0;
        *ret = c;
        return size;
}

bool utf8_is_valid(const char *s, size_t n) {
        while (n > 0) {
                uint32_t c;
                size_t step = utf8_decode(s, n, &c);

                if (step == 0)
                        return false;
                s += step;
                n -= step;
        }
        return true;
}

size_t utf8_length(const char *s, size_t n) {
        size_t length = 0;

        for (size_t i = 0; i < n; i++)
                length += ((unsigned char)s[i] & 0xc0) != 0x80;
        return length;
}

/* Control characters, and those that reorder, hide or break the text around them. */
static bool character_controls(uint32_t c) {
        return c < 0x20 || (c >= 0x7f && c <= 0x9f) || (c >= 0x200e && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
               (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

void text_make_harmless(char *s, const char *keep) {
        size_t n = strlen(s), at = 0, used = 0;

        while (at < n) {
                uint32_t c = 0;
                size_t step = utf8_decode(s + at, n - at, &c);

                if (step == 1 && strchr(keep, (int)c)) {
                        s[used++] = s[at];
                } else if (step == 0 || character_controls(c)) {
                        s[used++] = step && strchr("\t\r\n", (int)c) ? ' ' : '?';
                } else {
                        memmove(s + used, s + at, step);
                        used += step;
                }
                at += step ? step : 1;
        }
        if (used < n)
                s[used] = '\0';
}

const char *text_last_lines(const char *s, size_t n, size_t *ret_size) {
        const char *end = s + strlen(s), *start;

        while (end > s && strchr(" \t\r\n", end[-1]))
                end--;
        for (start = end; start > s; start--)
                if (start[-1] == '\n' && --n == 0)
                        break;
        *ret_size = (size_t)(end - start);
        return start;
}

/*
 * Matching
 */

bool pattern_matches(const char *pattern, const char *s) {
        const char *star = NULL, *retry = NULL;

        /* Only the last '*' needs to be tried again: what an earlier one would take, it can take as well. */
        while (*s) {
                if (*pattern == '*') {
                        star = pattern++;
                        retry = s;
                } else if (*pattern == '?' || *pattern == *s) {
                        pattern++;
                        s++;
                } else if (star) {
                        pattern = star + 1;
                        s = ++retry;
                } else
                        return false;
        }
        while (*pattern == '*')
                pattern++;
        return *pattern == '\0';
}

static size_t min3(size_t a, size_t b, size_t c) {
        if (b < a)
                a = b;
        return c < a ? c : a;
}

/* Edits between two words without case, two swapped neighbours counted as one. Both at most LIMIT_NAME_BYTES. */
static size_t edit_distance(const char *a, size_t n, const char *b, size_t m) {
        size_t rows[3][LIMIT_NAME_BYTES + 1];
        size_t *before = rows[0], *above = rows[1], *row = rows[2];

        for (size_t j = 0; j <= m; j++)
                above[j] = j;
        memcpy(before, above, (m + 1) * sizeof(*before));
        for (size_t i = 1; i <= n; i++) {
                size_t *oldest = before;

                row[0] = i;
                for (size_t j = 1; j <= m; j++) {
                        char x = to_lower(a[i - 1]), y = to_lower(b[j - 1]);

                        row[j] = min3(above[j] + 1, row[j - 1] + 1, above[j - 1] + (x != y));
                        if (i > 1 && j > 1 && x == to_lower(b[j - 2]) && y == to_lower(a[i - 2]))
                                row[j] = min3(row[j], row[j], before[j - 2] + 1);
                }
                before = above;
                above = row;
                row = oldest;
        }
        return above[m];
}

const char *closest_name(const char *s, const char *const *known) {
        size_t n = strlen(s), best = SIZE_MAX;
        const char *closest = NULL;

        if (n == 0 || n > LIMIT_NAME_BYTES)
                return NULL;
        for (; *known; known++) {
                size_t m = strlen(*known), d;

                if (m > LIMIT_NAME_BYTES)
                        continue;
                d = edit_distance(s, n, *known, m);
                /* Near: a third of the longer word may differ, and something must be left in common. */
                if (d < best && d <= ((n > m ? n : m) + 1) / 3 && d < n) {
                        best = d;
                        closest = *known;
                }
        }
        return closest;
}
