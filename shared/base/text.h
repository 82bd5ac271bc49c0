/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Text: strict parsing and checking of small strings. Nothing here allocates unless it says so. */

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>
#include <string.h>

static inline bool str_eq(const char *a, const char *b) {
        return a == b || (a && b && strcmp(a, b) == 0);
}
/* The rest of @s after @prefix, or NULL when @s does not start with it. */
const char *str_after(const char *s, const char *prefix);
bool str_ends_with(const char *s, const char *suffix);

/* Decimal digits only: no sign, no space, no leading zero but "0" itself. 0 or -EINVAL/-ERANGE. */
int parse_u64(const char *s, uint64_t *ret);
/* An optional '-' before what parse_u64() takes. */
int parse_i64(const char *s, int64_t *ret);

/*
 * Durations of our own documents: a positive decimal integer and one unit, ms s m h d: "500ms", "30s".
 * Milliseconds out. "0s" is valid. 0 or -EINVAL/-ERANGE.
 */
int parse_duration(const char *s, int64_t *ret_ms);
/* Go's duration strings as the Compose Specification takes them: "1m30s", "1.5s", "10us"; nanoseconds out. */
int parse_go_duration(const char *s, int64_t *ret_ns);
/* Bytes as the Compose Specification takes them: "64m", "1gb", "512k", "100b", plain digits; binary units. */
int parse_bytes(const char *s, int64_t *ret_bytes);
/* The shortest form that parse_duration() reads back. @buf of at least DURATION_TEXT_MAX bytes; returns @buf. */
#define DURATION_TEXT_MAX 32
const char *format_duration(int64_t ms, char *buf);

/* Lower-case hex. @out has 2n+1 bytes. */
void hex_encode(const void *data, size_t n, char *out);
/* Exactly 2n lower-case digits into n bytes. 0 or -EINVAL. */
int hex_decode(const char *hex, void *out, size_t n);
bool hex_is_valid(const char *s, size_t digits); /* exactly that many lower-case digits, then NUL */

/*
 * Names of hosts, environments, apps and services as they become paths, refs and labels:
 * [a-z0-9][a-z0-9._-]*, at most LIMIT_NAME_BYTES, no "..", not ending in '.' or ".lock".
 */
bool name_is_valid(const char *s);
/*
 * A relative path inside a tree: no empty, "." or ".." component, no leading '/', no control characters, no backslash.
 */
bool path_is_inside(const char *s);

/* Valid UTF-8 by RFC 3629: no overlong forms, no surrogates, nothing beyond U+10FFFF. */
bool utf8_is_valid(const char *s, size_t n);
/* Number of characters in n bytes of valid UTF-8. */
size_t utf8_length(const char *s, size_t n);
/* The character at the start of @n bytes: its size in bytes, or 0 when there is none or it is not valid. */
size_t utf8_decode(const char *s, size_t n, uint32_t *ret);
/*
 * Make text from outside harmless for terminals and logs, in place: every character that controls (C0, C1,
 * directional overrides) and every byte that is not UTF-8 becomes '?', a line end or tab a space; the
 * characters in @keep stay.
 */
void text_make_harmless(char *s, const char *keep);
/*
 * The last @n (1…) lines of what a program printed: where they begin; @ret_size bytes of them, without the blanks and
 * line ends that close the text. 0 bytes when it holds nothing else.
 */
const char *text_last_lines(const char *s, size_t n, size_t *ret_size);

/* '*' and '?' over whole strings: match_pattern() of OpenSSH match.c. Linear in practice, bounded recursion. */
bool pattern_matches(const char *pattern, const char *s);

/* Levenshtein-based "did you mean": the closest of @known (NULL-terminated), or NULL when none is near. */
const char *closest_name(const char *s, const char *const *known);
