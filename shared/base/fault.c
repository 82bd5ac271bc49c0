/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/base/fault.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"

/* Used when even the message cannot be allocated; never freed, never written to. */
static char out_of_memory[] = "out of memory";

static const char *const kind_names[FAULT_KIND_MAX_] = {
        [FAULT_NONE] = "none",           [FAULT_CONFIG] = "config",     [FAULT_DENIED] = "denied",
        [FAULT_TRANSIENT] = "transient", [FAULT_CONFLICT] = "conflict", [FAULT_INTERNAL] = "internal",
};

static void message_free(char *message) {
        if (message != out_of_memory)
                free(message);
}

/* A formatted copy that cannot harm a terminal, or NULL without memory. */
__attribute__((format(printf, 1, 0))) static char *format_harmless(const char *fmt, va_list ap, const char *keep) {
        char *text;

        if (vasprintf(&text, fmt, ap) < 0)
                return NULL;
        text_make_harmless(text, keep);
        return text;
}

__attribute__((format(printf, 4, 0))) static void fault_vset(struct fault *f, enum fault_kind kind, int errno_value,
                                                             const char *fmt, va_list ap) {
        assert(f && f->kind == FAULT_NONE);
        assert(kind > FAULT_NONE && kind < FAULT_KIND_MAX_);

        *f = (struct fault){ .kind = kind, .errno_value = errno_value > 0 ? errno_value : 0 };
        f->message = format_harmless(fmt, ap, "");
        if (!f->message)
                f->message = out_of_memory;
}

int fault_set(struct fault *reterr, enum fault_kind kind, int errno_value, const char *fmt, ...) {
        va_list ap;

        va_start(ap, fmt);
        fault_vset(reterr, kind, errno_value, fmt, ap);
        va_end(ap);
        return errno_value > 0 ? -errno_value : -EINVAL;
}

int fault_set_code(struct fault *reterr, enum fault_kind kind, const char *code, const char *fmt, ...) {
        va_list ap;

        va_start(ap, fmt);
        fault_vset(reterr, kind, 0, fmt, ap);
        va_end(ap);
        reterr->code = code;
        return -EINVAL;
}

int fault_set_oom(struct fault *reterr) {
        assert(reterr && reterr->kind == FAULT_NONE);

        *reterr = (struct fault){ .kind = FAULT_INTERNAL, .errno_value = ENOMEM, .message = out_of_memory };
        return -ENOMEM;
}

/*
 * Positions
 */

/* The bytes of line @line (from 1) without its end, or NULL when the text has no such line. */
static const char *source_line(const struct source *source, unsigned line, size_t *ret_size) {
        static const char bom[] = "\xef\xbb\xbf";
        const char *p = source->text, *end = p + source->size, *eol;

        if (source->size >= 3 && memcmp(p, bom, 3) == 0)
                p += 3; /* shown nowhere, and no parser counts it as a column */
        for (unsigned n = 1; n < line; n++) {
                p = memchr(p, '\n', (size_t)(end - p));
                if (!p)
                        return NULL;
                p++;
        }

        eol = memchr(p, '\n', (size_t)(end - p));
        if (!eol)
                eol = end;
        if (eol > p && eol[-1] == '\r')
                eol--;
        *ret_size = (size_t)(eol - p);
        return p;
}

/* The line as it may be printed: cut between two characters, control characters replaced. */
static char *source_excerpt(const struct source *source, unsigned line) {
        size_t size = 0;
        const char *p;
        char *copy;

        if (!source->text || line == 0)
                return NULL;
        p = source_line(source, line, &size);
        if (!p || size == 0)
                return NULL;

        if (size > LIMIT_EXCERPT_BYTES) {
                size = LIMIT_EXCERPT_BYTES;
                /* At most 3 bytes continue a character; more of them is not UTF-8, and cut anywhere. */
                for (size_t back = 0; back < 4; back++) {
                        if (((unsigned char)p[size - back] & 0xc0) != 0x80) {
                                size -= back;
                                break;
                        }
                }
        }

        /* Not strndup(): a NUL in the line must not hide what follows it. */
        copy = malloc(size + 1);
        if (!copy)
                return NULL;
        for (size_t i = 0; i < size; i++)
                copy[i] = p[i] ? p[i] : '?';
        copy[size] = '\0';
        text_make_harmless(copy, "\t");
        return copy;
}

static void put_position(struct fault *reterr, const struct source_pos *at) {
        if (!at || !at->source)
                return;
        if (at->source->name) {
                reterr->path = strdup(at->source->name);
                if (reterr->path)
                        text_make_harmless(reterr->path, "");
        }
        reterr->line = at->line;
        reterr->column = at->column;
        reterr->excerpt = source_excerpt(at->source, at->line);
}

int fault_set_at(struct fault *reterr, const struct source_pos *at, const char *fmt, ...) {
        va_list ap;

        va_start(ap, fmt);
        fault_vset(reterr, FAULT_CONFIG, 0, fmt, ap);
        va_end(ap);
        put_position(reterr, at);
        return -EINVAL;
}

int fault_set_code_at(struct fault *reterr, const struct source_pos *at, const char *code, const char *fmt, ...) {
        va_list ap;

        va_start(ap, fmt);
        fault_vset(reterr, FAULT_CONFIG, 0, fmt, ap);
        va_end(ap);
        put_position(reterr, at);
        reterr->code = code;
        return -EINVAL;
}

/*
 * Passing on
 */

int fault_context(struct fault *reterr, int r, const char *fmt, ...) {
        own_free char *context = NULL;
        char *joined;
        va_list ap;

        assert(fault_is_set(reterr) && r < 0);

        va_start(ap, fmt);
        context = format_harmless(fmt, ap, "");
        va_end(ap);
        if (!context)
                return r; /* the cause matters more than the context */
        if (asprintf(&joined, "%s: %s", context, reterr->message) < 0)
                return r;

        message_free(reterr->message);
        reterr->message = joined;
        return r;
}

void fault_hint(struct fault *reterr, const char *fmt, ...) {
        va_list ap;

        if (reterr->hint)
                return;
        va_start(ap, fmt);
        reterr->hint = format_harmless(fmt, ap, "\n\t");
        va_end(ap);
}

bool fault_is_set(const struct fault *f) {
        return f->kind != FAULT_NONE;
}

void fault_move(struct fault *to, struct fault *from) {
        assert(to->kind == FAULT_NONE);

        if (to == from)
                return;
        *to = *from;
        *from = FAULT_INIT;
}

const char *fault_kind_to_string(enum fault_kind kind) {
        assert(kind >= FAULT_NONE && kind < FAULT_KIND_MAX_);
        return kind_names[kind];
}

int fault_exit_code(const struct fault *f) {
        static const int exit_codes[FAULT_KIND_MAX_] = {
                [FAULT_NONE] = 0,      [FAULT_CONFIG] = 2,   [FAULT_DENIED] = 4,
                [FAULT_TRANSIENT] = 1, [FAULT_CONFLICT] = 1, [FAULT_INTERNAL] = 1,
        };

        assert(f->kind >= FAULT_NONE && f->kind < FAULT_KIND_MAX_);
        return exit_codes[f->kind];
}

/*
 * Printing
 */

static void print_head(FILE *out, const struct fault *f) {
        if (f->path) {
                fputs(f->path, out);
                if (f->line)
                        fprintf(out, ":%u", f->line);
                if (f->line && f->column)
                        fprintf(out, ":%u", f->column);
                fputs(": ", out);
        }
        fputs(f->message ? f->message : "no fault", out);
        /* Without memory there is no message of its own; the number would only repeat it. */
        if (f->errno_value && f->message != out_of_memory)
                fprintf(out, ": %s", strerror(f->errno_value));
}

/* How many columns of a terminal a character takes: not wcwidth(), which depends on the locale. */
static int character_width(uint32_t c) {
        static const struct {
                uint32_t first, last;
                int width;
        } ranges[] = {
                { 0x0300, 0x036f, 0 },   { 0x1100, 0x115f, 2 },   { 0x200b, 0x200d, 0 },   { 0x20d0, 0x20f0, 0 },
                { 0x2e80, 0xa4cf, 2 },   { 0xac00, 0xd7a3, 2 },   { 0xf900, 0xfaff, 2 },   { 0xfe00, 0xfe0f, 0 },
                { 0xfe20, 0xfe2f, 0 },   { 0xfe30, 0xfe6f, 2 },   { 0xff00, 0xff60, 2 },   { 0xffe0, 0xffe6, 2 },
                { 0x1f300, 0x1f64f, 2 }, { 0x1f680, 0x1f6ff, 2 }, { 0x1f900, 0x1f9ff, 2 }, { 0x20000, 0x3fffd, 2 },
        };

        for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
                if (c >= ranges[i].first && c <= ranges[i].last)
                        return ranges[i].width;
        return 1;
}

/* The caret line repeats the excerpt's tabs, so that both lines meet the same tab stops. */
static void print_caret(FILE *out, const char *excerpt, unsigned column) {
        own_free char *pad = NULL;
        size_t size = strlen(excerpt), used = 0, at = 0;

        pad = malloc(2 * size + 1);
        if (!pad)
                return;
        for (unsigned n = 1; n < column; n++) {
                uint32_t c = 0;
                size_t step = utf8_decode(excerpt + at, size - at, &c);

                if (step == 0)
                        return; /* the column lies beyond what is shown */
                for (int w = c == '\t' ? 1 : character_width(c); w > 0; w--)
                        pad[used++] = c == '\t' ? '\t' : ' ';
                at += step;
        }
        pad[used] = '\0';
        fprintf(out, "    %s^\n", pad);
}

static void print_hint(FILE *out, const char *hint) {
        fputs("  hint: ", out);
        for (; *hint; hint++) {
                fputc(*hint, out);
                if (*hint == '\n')
                        fputs("        ", out);
        }
        fputc('\n', out);
}

void fault_print(FILE *out, const struct fault *f) {
        print_head(out, f);
        fputc('\n', out);
        if (f->excerpt) {
                fprintf(out, "    %s\n", f->excerpt);
                if (f->column)
                        print_caret(out, f->excerpt, f->column);
        }
        if (f->hint)
                print_hint(out, f->hint);
}

char *fault_to_string(const struct fault *f) {
        own_free char *text = NULL;
        size_t size = 0;
        FILE *out;
        int failed;

        out = open_memstream(&text, &size);
        if (!out)
                return NULL;
        print_head(out, f);
        failed = ferror(out);
        if (fclose(out) != 0 || failed)
                return NULL;
        return take(text);
}

void fault_done(struct fault *f) {
        int saved = errno;

        message_free(f->message);
        free(f->path);
        free(f->excerpt);
        free(f->hint);
        *f = FAULT_INIT;
        errno = saved;
}
