/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/data/yaml_text.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"

static struct source_pos position_of(const struct source *source, size_t offset) {
        struct source_pos at = { .source = source, .line = 1 };
        size_t line = 0, length = 0, step;
        uint32_t c;

        for (size_t i = 0; i < offset; i++)
                if (source->text[i] == '\n') {
                        at.line++;
                        line = i + 1;
                }
        for (; line < offset; line += step, length++) {
                step = utf8_decode(source->text + line, offset - line, &c);
                if (step == 0)
                        step = 1;
        }
        at.column = (unsigned)length + 1;
        return at;
}

static int refuse(struct fault *reterr, const char *code, const char *hint) {
        reterr->code = code;
        if (hint)
                fault_hint(reterr, "%s", hint);
        return -EINVAL;
}

/*
 * Before parsing
 */

static int refuse_break(struct fault *reterr, const struct source_pos *at, uint32_t c) {
        if (c == '\r') {
                fault_set_at(reterr, at, "a carriage return without a line feed");
                return refuse(reterr, REASON_LOAD_INVALID, "end lines with LF or CRLF");
        }
        fault_set_at(reterr, at, "the character U+%04X ends a line for some readers and not for others", c);
        return refuse(reterr, REASON_LOAD_INVALID, "write it as an escape in a text in double quotes");
}

static int check_characters(const struct source *source, struct fault *reterr) {
        struct source_pos at;
        size_t step;
        uint32_t c;

        for (size_t i = 0; i < source->size; i += step) {
                c = 0;
                step = utf8_decode(source->text + i, source->size - i, &c);
                if (step > 0 && c != 0 && c != 0x85 && c != 0x2028 && c != 0x2029 &&
                    (c != '\r' || source->text[i + 1] == '\n'))
                        continue;
                at = position_of(source, i);
                if (step > 0 && c != 0)
                        return refuse_break(reterr, &at, c);
                if (step > 0) {
                        fault_set_at(reterr, &at, "a NUL byte in a text");
                        return refuse(reterr, REASON_LOAD_INVALID, "save the file as UTF-8 text");
                }
                fault_set_at(reterr, &at, "the byte 0x%02x is not UTF-8", (unsigned char)source->text[i]);
                return refuse(reterr, REASON_LOAD_INVALID, "save the file as UTF-8");
        }
        return 0;
}

/*
 * libyaml compares each %TAG with all before it, in any document of the stream. Nobody needs one here, where no tags
 * but the core schema's are known; nothing else of one document begins a line so.
 */
static int check_directives(const struct source *source, struct fault *reterr) {
        struct source_pos at = { .source = source, .line = 1, .column = 1 };

        for (const char *p = source->text; p; at.line++) {
                if (str_after(p, "%TAG")) {
                        fault_set_at(reterr, &at, "the directive %%TAG is not supported");
                        return refuse(reterr, REASON_LOAD_INVALID, "remove it");
                }
                p = strchr(p, '\n');
                p = p ? p + 1 : NULL;
        }
        return 0;
}

int yaml_text_take(const char *name, const void *bytes, size_t size, struct arena *a, const struct source **ret,
                   struct fault *reterr) {
        static const char bom[] = "\xef\xbb\xbf";
        struct source *source = arena_new_of(a, struct source);
        struct source_pos at = { .source = source };
        int r;

        source->name = arena_strdup(a, name);
        if (size > LIMIT_DOCUMENT_BYTES) {
                fault_set_at(reterr, &at, "the document has more than %d bytes", LIMIT_DOCUMENT_BYTES);
                return refuse(reterr, REASON_LOAD_LIMIT, NULL);
        }
        if (size >= 3 && memcmp(bytes, bom, 3) == 0) {
                bytes = (const char *)bytes + 3;
                size -= 3;
        }
        source->text = arena_strndup(a, bytes, size);
        source->size = size;
        r = check_characters(source, reterr);
        if (r < 0)
                return r;
        r = check_directives(source, reterr);
        if (r < 0)
                return r;
        *ret = source;
        return 0;
}

/*
 * After libyaml gave up
 */

/* What libyaml says, and what a person needs to hear. @context NULL: any. */
static const struct complaint {
        const char *context, *problem;
        bool at_context;            /* the beginning of the construct says more than its end */
        const char *message, *hint; /* NULL message: libyaml's own */
} complaints[] = {
        { NULL, "found a tab character", false, "tabs cannot indent YAML", "use spaces" },
        { "while scanning a quoted scalar", "found unexpected end of stream", true, "this quote is never closed",
          "close it, or quote the whole text with the other kind of quotes" },
        { "while scanning a quoted scalar", "found unexpected document indicator", true, "this quote is never closed",
          "close it, or quote the whole text with the other kind of quotes" },
        { NULL, "found unknown escape character", false, "an unknown escape in a text in double quotes",
          "write '\\\\' for a backslash, or use single quotes" },
        { NULL, "did not find expected hexdecimal number", false, "an escape with digits that are not hexadecimal",
          "write '\\\\' for a backslash, or use single quotes" },
        { NULL, "found invalid Unicode character escape code", false, "an escape that names no character", NULL },
        { NULL, "mapping values are not allowed", false, "a ':' cannot start a value here",
          "quote a text that holds ': ', or check the indentation of this line and the one above" },
        { "while scanning a simple key", "could not find expected ':'", true, "this key has no ':' after it",
          "write 'key: value' with a space after the colon, or check the indentation" },
        { NULL, "block sequence entries are not allowed", false, "a '-' cannot start a list item here",
          "put the list on lines of its own, or quote a text that begins with '- '" },
        { NULL, "mapping keys are not allowed", false, "a '?' cannot start a key here",
          "quote a text that begins with '? '" },
        { NULL, "found character that cannot start any token", false, "this character cannot start a value",
          "quote a text that begins with '@', '`' or '%'" },
        { NULL, "did not find expected key", false, "a key was expected here",
          "check the indentation, and the quotes of the line above" },
        { NULL, "did not find expected '-' indicator", false, "a list item was expected here",
          "check the indentation: all items of a list begin in the same column with '- '" },
        { NULL, "did not find expected ',' or ']'", true, "this list in brackets is not closed or lacks a ','", NULL },
        { NULL, "did not find expected ',' or '}'", true, "this map in braces is not closed or lacks a ','",
          "quote a text that begins with '{'" },
        { NULL, "did not find expected node content", false, "a value was expected here", NULL },
        { NULL, "did not find expected alphabetic or numeric character", false,
          "an anchor or alias needs a name of letters, digits, '-' and '_'",
          "quote a text that begins with '*' or '&'" },
        { NULL, "did not find expected comment or line break", false,
          "only a comment may follow '|' or '>' on its line", NULL },
        { NULL, "found an indentation indicator equal to 0", false, "an indentation of 0 cannot be asked for", NULL },
        { NULL, "found undefined tag handle", false, "the tag is not supported here",
          "remove the tag; a text that begins with '!' must be quoted" },
        { NULL, "found incompatible YAML document", false, "the document says that it is not YAML 1.2", NULL },
        { NULL, "did not find expected <document start>", false, "something follows the document that is no part of it",
          "check the indentation; a document is one map" },
        { NULL, "found unexpected ':'", false, "a ':' cannot stand here", "quote a text that holds ':'" },
};

static const struct complaint *find_complaint(const char *context, const char *problem) {
        for (size_t i = 0; i < sizeof(complaints) / sizeof(complaints[0]); i++)
                if (str_after(problem, complaints[i].problem) &&
                    (!complaints[i].context || str_eq(context, complaints[i].context)))
                        return &complaints[i];
        return NULL;
}

static struct source_pos position_at(const struct source *source, const yaml_mark_t *mark) {
        return (struct source_pos){ source, (unsigned)mark->line + 1, (unsigned)mark->column + 1 };
}

/* The tab at, or in the indentation before, a position: libyaml points at the first character it cannot use. */
static bool tab_indents(const struct source *source, const yaml_mark_t *mark) {
        const char *p = source->text;

        for (size_t line = 0; p && line < mark->line; line++) {
                p = strchr(p, '\n');
                p = p ? p + 1 : NULL;
        }
        if (!p)
                return false;
        p += strspn(p, " ");
        return *p == '\t';
}

static int refuse_complaint(const yaml_parser_t *parser, const struct source *source, struct fault *reterr) {
        const struct complaint *c = find_complaint(parser->context, parser->problem);
        struct source_pos at = position_at(source, &parser->problem_mark);

        if (tab_indents(source, &parser->problem_mark))
                c = &complaints[0];
        else if (c && c->at_context && parser->context)
                at = position_at(source, &parser->context_mark);
        if (c) {
                fault_set_at(reterr, &at, "%s", c->message);
                return refuse(reterr, REASON_LOAD_INVALID, c->hint);
        }
        fault_set_at(reterr, &at, "%s", parser->problem);
        return refuse(reterr, REASON_LOAD_INVALID, NULL);
}

int yaml_text_refuse(const yaml_parser_t *parser, const struct source *source, struct fault *reterr) {
        struct source_pos at = { .source = source };
        size_t offset = parser->problem_offset;

        if (parser->error == YAML_MEMORY_ERROR)
                return fault_set_oom(reterr);
        if (parser->error == YAML_READER_ERROR) {
                at = position_of(source, offset < source->size ? offset : source->size);
                fault_set_at(reterr, &at, "the character U+%04X cannot stand in YAML", (unsigned)parser->problem_value);
                return refuse(reterr, REASON_LOAD_INVALID, "write it as an escape in a text in double quotes");
        }
        assert(parser->problem);
        return refuse_complaint(parser, source, reterr);
}
