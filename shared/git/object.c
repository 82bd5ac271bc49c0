/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/git/object.h"

#include <assert.h>
#include <errno.h>
#include <strings.h>

#include "shared/base/reason.h"
#include "shared/base/text.h"

#define ID_DIGITS       40
#define ID_BYTES        20
#define MODE_DIGITS_MAX 6

static const char *const type_names[OBJECT_TYPE_MAX_] = {
        [OBJECT_COMMIT] = "commit",
        [OBJECT_TREE] = "tree",
        [OBJECT_BLOB] = "blob",
};

const char *object_type_to_string(enum object_type type) {
        assert(type < OBJECT_TYPE_MAX_);
        return type_names[type];
}

/*
 * Ids
 */

int object_id_parse(const char *hex, struct object_id *ret) {
        struct object_id id;

        if (hex_decode(hex, id.raw, sizeof(id.raw)) < 0)
                return -EINVAL;
        *ret = id;
        return 0;
}

const char *object_id_format(const struct object_id *id, char *buf) {
        hex_encode(id->raw, sizeof(id->raw), buf);
        return buf;
}

bool object_id_is_zero(const struct object_id *id) {
        static const struct object_id zero;

        return object_id_equal(id, &zero);
}

int object_read(const struct object_reader *reader, const struct object_id *id, enum object_type type, size_t limit,
                const void **ret_bytes, size_t *ret_size, struct fault *reterr) {
        char hex[OBJECT_ID_TEXT_MAX];
        int r;

        r = reader->read(reader->data, id, type, limit, ret_bytes, ret_size, reterr);
        if (r >= 0)
                return 0;
        if (!reterr->code)
                reterr->code = REASON_TRUST_MISSING_OBJECT;
        if (reterr->kind != FAULT_INTERNAL)
                reterr->kind = FAULT_DENIED;
        return fault_context(reterr, r, "the %s %.12s cannot be read", object_type_to_string(type),
                             object_id_format(id, hex));
}

/*
 * Commits
 */

static int refuse(struct fault *reterr, const char *what, const char *why) {
        return fault_set_code(reterr, FAULT_DENIED, REASON_TRUST_BAD_OBJECT, "the %s object is malformed: %s", what,
                              why);
}

/* What is left of the header. */
struct header {
        const char *p, *end;
};

/* The next line without its LF, when it starts with @key and a blank; its value. */
static bool take_line(struct header *h, const char *key, struct object_text *ret) {
        size_t n = strlen(key), left = (size_t)(h->end - h->p);
        const char *eol;

        if (left <= n || memcmp(h->p, key, n) != 0 || h->p[n] != ' ')
                return false;
        eol = memchr(h->p, '\n', left);
        if (!eol)
                return false;
        *ret = (struct object_text){ h->p + n + 1, (size_t)(eol - (h->p + n + 1)) };
        h->p = eol + 1;
        return true;
}

/* The same with the lines that continue it: each starts with a blank, the text runs to the last one's end. */
static bool take_folded(struct header *h, const char *key, struct object_text *ret) {
        if (!take_line(h, key, ret))
                return false;
        while (h->p < h->end && *h->p == ' ') {
                const char *eol = memchr(h->p, '\n', (size_t)(h->end - h->p));

                if (!eol)
                        return false;
                ret->size = (size_t)(eol - ret->data);
                h->p = eol + 1;
        }
        return true;
}

static bool parse_hex_id(const struct object_text *text, struct object_id *ret) {
        char hex[ID_DIGITS + 1];

        if (text->size != ID_DIGITS)
                return false;
        memcpy(hex, text->data, ID_DIGITS);
        hex[ID_DIGITS] = '\0';
        return object_id_parse(hex, ret) == 0;
}

/* Seconds since 1970 as git writes them; beyond what a date may be, nobody means a date. */
static bool parse_seconds(const char *s, size_t n, int64_t *ret_ms) {
        char digits[16];
        uint64_t v;

        if (n >= sizeof(digits))
                return false;
        memcpy(digits, s, n);
        digits[n] = '\0';
        if (parse_u64(digits, &v) < 0 || v > INT64_MAX / 1000)
                return false;
        *ret_ms = (int64_t)v * 1000;
        return true;
}

/* "+0130" */
static bool parse_zone(const char *s, size_t n, int *ret_minutes) {
        int v;

        if (n != 5 || (s[0] != '+' && s[0] != '-'))
                return false;
        for (size_t i = 1; i < n; i++)
                if (s[i] < '0' || s[i] > '9')
                        return false;
        v = ((s[1] - '0') * 10 + (s[2] - '0')) * 60 + (s[3] - '0') * 10 + (s[4] - '0');
        *ret_minutes = s[0] == '-' ? -v : v;
        return true;
}

/* "name <email> seconds zone" */
static bool parse_ident(const struct object_text *line, struct object_ident *ret) {
        const char *end = line->data + line->size;
        const char *open = memchr(line->data, '<', line->size), *close, *blank;

        if (!open || memchr(line->data, '>', (size_t)(open - line->data)))
                return false;
        close = memchr(open, '>', (size_t)(end - open));
        if (!close || memchr(open + 1, '<', (size_t)(close - open) - 1) || end - close < 2 || close[1] != ' ')
                return false;
        if (open > line->data && open[-1] != ' ')
                return false;

        ret->name = (struct object_text){ line->data, open > line->data ? (size_t)(open - line->data) - 1 : 0 };
        ret->email = (struct object_text){ open + 1, (size_t)(close - open) - 1 };
        close += 2;
        blank = memchr(close, ' ', (size_t)(end - close));
        return blank && parse_seconds(close, (size_t)(blank - close), &ret->time_ms) &&
               parse_zone(blank + 1, (size_t)(end - blank) - 1, &ret->zone_minutes);
}

static const char *parse_parents(struct header *h, struct object_commit *c) {
        struct object_text line;

        while (take_line(h, "parent", &line)) {
                struct object_id id;

                if (!parse_hex_id(&line, &id))
                        return "a parent is not an object id";
                if (c->n_parents == LIMIT_COMMIT_PARENTS)
                        return "it has too many parents";
                for (size_t i = 0; i < c->n_parents; i++)
                        if (object_id_equal(&c->parents[i], &id))
                                return "it has the same parent twice";
                c->parents[c->n_parents++] = id;
        }
        return NULL;
}

/* What may follow the committer: one encoding, merged tags, one signature. */
static const char *parse_extras(struct header *h, const char *raw, struct object_commit *c) {
        bool encoding = false;

        while (h->p < h->end) {
                const char *start = h->p;
                struct object_text text;

                if (take_line(h, "encoding", &text)) {
                        if (encoding || text.size == 0)
                                return "its encoding is empty or given twice";
                        encoding = true;
                } else if (take_folded(h, "gpgsig", &text)) {
                        if (c->signature.data)
                                return "it has more than one gpgsig header";
                        c->signature = text;
                        c->payload[0].iov_len = (size_t)(start - raw);
                        c->payload[1].iov_base = (void *)h->p;
                } else if (!take_folded(h, "mergetag", &text))
                        return "it has a header that git does not write, or one out of order";
        }
        return NULL;
}

/* The header up to its blank line. NULL, or what is wrong with it. */
static const char *parse_header(struct header *h, const char *raw, struct object_commit *c) {
        struct object_text line;
        const char *wrong;

        if (!take_line(h, "tree", &line) || !parse_hex_id(&line, &c->tree))
                return "it does not start with a tree";
        wrong = parse_parents(h, c);
        if (wrong)
                return wrong;
        if (!take_line(h, "author", &line) || !parse_ident(&line, &c->author))
                return "its author line is missing or malformed";
        if (!take_line(h, "committer", &line) || !parse_ident(&line, &c->committer))
                return "its committer line is missing or malformed";
        return parse_extras(h, raw, c);
}

int object_commit_parse(const void *raw, size_t size, struct object_commit *ret, struct fault *reterr) {
        const char *bytes = raw, *end = bytes + size, *blank;
        struct object_commit c = { .payload = { { (void *)bytes, size }, { (void *)end, 0 } } };
        struct header h;
        const char *wrong;

        if (size == 0 || size > LIMIT_COMMIT_BYTES)
                return refuse(reterr, "commit", size == 0 ? "it is empty" : "it is larger than 256 KiB");
        if (memchr(bytes, '\0', size))
                return refuse(reterr, "commit", "it holds a NUL byte");
        blank = memmem(bytes, size, "\n\n", 2);
        if (!blank)
                return refuse(reterr, "commit", "it has no blank line after its header");

        h = (struct header){ bytes, blank + 1 };
        wrong = parse_header(&h, bytes, &c);
        if (wrong)
                return refuse(reterr, "commit", wrong);
        c.message = (struct object_text){ blank + 2, (size_t)(end - (blank + 2)) };
        if (c.signature.data)
                c.payload[1].iov_len = (size_t)(end - (const char *)c.payload[1].iov_base);
        *ret = c;
        return 0;
}

void object_commit_put_signature(const struct object_commit *c, struct buffer *out) {
        const char *p = c->signature.data, *end = p ? p + c->signature.size : p;

        while (p < end) {
                const char *eol = memchr(p, '\n', (size_t)(end - p)), *stop = eol ? eol + 1 : end;

                buffer_append(out, p, (size_t)(stop - p));
                p = eol ? stop + 1 : stop; /* beyond the blank that continues the header */
        }
}

const char *object_commit_subject(const struct object_commit *c, char *buf, size_t size) {
        const char *p = c->message.data;
        size_t left = c->message.size, n = 0;

        assert(size > 0);
        for (; left > 0 && *p == '\n'; p++)
                left--;
        while (n < left && n + 1 < size && p[n] != '\n')
                n++;
        /* Not in the middle of a character. */
        if (n < left && n + 1 == size)
                while (n > 0 && ((unsigned char)p[n] & 0xc0) == 0x80)
                        n--;
        memcpy(buf, p, n);
        buf[n] = '\0';
        text_make_harmless(buf, "");
        return buf;
}

int object_commit_links(const void *raw, size_t size, struct object_id *ret_tree, struct object_id *ret_parents,
                        size_t max, size_t *ret_n, struct fault *reterr) {
        struct header h = { raw, (const char *)raw + size };
        struct object_text line;
        size_t n = 0;

        if (!take_line(&h, "tree", &line) || !parse_hex_id(&line, ret_tree))
                return refuse(reterr, "commit", "it does not start with a tree");
        while (take_line(&h, "parent", &line)) {
                if (n == max)
                        return refuse(reterr, "commit", "it has too many parents");
                if (!parse_hex_id(&line, &ret_parents[n++]))
                        return refuse(reterr, "commit", "a parent is not an object id");
        }
        *ret_n = n;
        return 0;
}

/*
 * Trees
 */

void object_tree_begin(struct object_tree *t, const void *raw, size_t size) {
        t->at = raw;
        t->end = t->at + size;
        t->n_files = 0;
        t->any = false;
}

static bool parse_mode(const char *s, size_t n, enum object_mode *ret) {
        static const struct {
                const char *text;
                enum object_mode mode;
        } modes[] = {
                { "100644", OBJECT_MODE_FILE },       { "40000", OBJECT_MODE_TREE },
                { "100755", OBJECT_MODE_EXECUTABLE }, { "120000", OBJECT_MODE_LINK },
                { "160000", OBJECT_MODE_SUBMODULE },
        };

        for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++)
                if (strlen(modes[i].text) == n && memcmp(modes[i].text, s, n) == 0) {
                        *ret = modes[i].mode;
                        return true;
                }
        return false;
}

static bool entry_name_is_valid(const char *name, size_t n) {
        return n > 0 && n <= LIMIT_TREE_NAME_BYTES && !memchr(name, '/', n) && !str_eq(name, ".") &&
               !str_eq(name, "..") && strcasecmp(name, ".git") != 0;
}

/* Git's order: bytes, with a '/' after the name of a tree (base_name_compare() of read-cache.c). */
static int entry_compare(const struct object_entry *a, const struct object_entry *b) {
        size_t n = a->name_size < b->name_size ? a->name_size : b->name_size;
        int order = memcmp(a->name, b->name, n);
        unsigned char x, y;

        if (order)
                return order;
        x = (unsigned char)(a->name[n] ? a->name[n] : a->mode == OBJECT_MODE_TREE ? '/' : '\0');
        y = (unsigned char)(b->name[n] ? b->name[n] : b->mode == OBJECT_MODE_TREE ? '/' : '\0');
        return x - y;
}

/*
 * A file "a" and a tree "a" need not be neighbours: "a", "a.b", "a/" is in order. Only files whose names begin all that
 * came after them can still meet their tree, so each in the list begins the next, and their names grow.
 */
static bool entry_is_twice(struct object_tree *t, const struct object_entry *e) {
        while (t->n_files > 0) {
                const struct object_text *file = &t->files[t->n_files - 1];

                if (file->size <= e->name_size && memcmp(file->data, e->name, file->size) == 0)
                        break;
                t->n_files--;
        }
        if (e->mode == OBJECT_MODE_TREE)
                return t->n_files > 0 && t->files[t->n_files - 1].size == e->name_size;
        t->files[t->n_files++] = (struct object_text){ e->name, e->name_size };
        return false;
}

/* "mode SP name NUL id". NULL, or what is wrong. */
static const char *parse_entry(struct object_tree *t, struct object_entry *e) {
        size_t left = (size_t)(t->end - t->at);
        const char *blank = memchr(t->at, ' ', left < MODE_DIGITS_MAX + 1 ? left : MODE_DIGITS_MAX + 1), *nul;

        if (!blank || !parse_mode(t->at, (size_t)(blank - t->at), &e->mode))
                return "an entry's mode is not one that git writes";
        e->name = blank + 1;
        nul = memchr(e->name, '\0', (size_t)(t->end - e->name));
        if (!nul || t->end - nul <= ID_BYTES)
                return "an entry is cut off";
        e->name_size = (size_t)(nul - e->name);
        if (!entry_name_is_valid(e->name, e->name_size))
                return "an entry's name is not allowed";
        memcpy(e->id.raw, nul + 1, ID_BYTES);
        if (object_id_is_zero(&e->id))
                return "an entry has the zero id";
        t->at = nul + 1 + ID_BYTES;
        return NULL;
}

int object_tree_next(struct object_tree *t, struct object_entry *ret, struct fault *reterr) {
        struct object_entry e;
        const char *wrong;

        if (t->at == t->end)
                return 0;
        wrong = parse_entry(t, &e);
        if (!wrong && t->any && entry_compare(&t->last, &e) >= 0)
                wrong = "its entries are out of order or twice there";
        if (!wrong && entry_is_twice(t, &e))
                wrong = "a file and a folder have the same name";
        if (wrong)
                return refuse(reterr, "tree", wrong);
        t->last = e;
        t->any = true;
        *ret = e;
        return 1;
}

int object_tree_find(const void *raw, size_t size, const char *name, struct object_entry *ret, struct fault *reterr) {
        struct object_tree t;
        struct object_entry e;
        bool found = false;
        int r;

        object_tree_begin(&t, raw, size);
        while ((r = object_tree_next(&t, &e, reterr)) > 0)
                if (str_eq(e.name, name)) {
                        *ret = e;
                        found = true;
                }
        return r < 0 ? r : found;
}
