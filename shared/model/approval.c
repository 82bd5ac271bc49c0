/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/model/approval.h"

#include <string.h>

#include "shared/base/clock.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/data/json.h"
#include "shared/data/yaml.h"

#define FOLDER "approvals/"

const char *const approval_meaning_names[] = {
        [APPROVAL_APPROVE] = "approve",
        [APPROVAL_REJECT] = "reject",
        [APPROVAL_CONFIRM] = "confirm",
        [APPROVAL_RETRY] = "retry",
        NULL,
};

/*
 * The statement
 */

static int read_time(const struct node *node, void *slot, struct arena *a, struct fault *reterr) {
        int64_t *time = slot;
        int r;

        if (node->type == NODE_STRING && rfc3339_parse(node->text, time) == 0 && *time > 0)
                return 0;
        r = fault_set_code_at(reterr, &node->at, REASON_LOAD_INVALID, "this is no time");
        fault_hint(reterr, "times are written as in RFC 3339: \"2026-11-23T10:00:00Z\"");
        return r;
}

static json_t *write_time(const void *slot) {
        const int64_t *time = slot;
        char text[RFC3339_TEXT_MAX];

        return *time ? json_string(rfc3339_format(*time, text)) : NULL;
}

#define AT(member) offsetof(struct approval, member)
static const struct field fields[] = {
        { .key = "fleet",
          .type = FIELD_TEXT,
          .at = AT(fleet),
          .flags = FIELD_REQUIRED,
          .format = "non-empty",
          .doc = "The fleet, as fleet.yaml names it." },
        { .key = "environment",
          .type = FIELD_TEXT,
          .at = AT(environment),
          .flags = FIELD_REQUIRED,
          .format = "name",
          .doc = "The environment." },
        { .key = "app",
          .type = FIELD_TEXT,
          .at = AT(app),
          .flags = FIELD_REQUIRED,
          .format = "name",
          .doc = "The app." },
        { .key = "release",
          .type = FIELD_TEXT,
          .at = AT(release),
          .flags = FIELD_REQUIRED,
          .format = "digest",
          .doc = "The release's id." },
        { .key = "meaning",
          .type = FIELD_ENUM,
          .at = AT(meaning),
          .flags = FIELD_REQUIRED,
          .names = approval_meaning_names,
          .doc = "What is said about it." },
        { .key = "reason", .type = FIELD_STRING, .at = AT(reason), .flags = FIELD_OMIT, .doc = "Why." },
        { .key = "at",
          .type = FIELD_CUSTOM,
          .at = AT(at),
          .read = read_time,
          .write = write_time,
          .schema = "{\"type\":\"string\",\"format\":\"date-time\"}",
          .doc = "When it was written." },
        { .key = "expires",
          .type = FIELD_CUSTOM,
          .at = AT(expires_at),
          .read = read_time,
          .write = write_time,
          .schema = "{\"type\":\"string\",\"format\":\"date-time\"}",
          .doc = "Until when it counts." },
        {},
};
#undef AT

const struct table approval_table = {
        .title = "Approval",
        .size = sizeof(struct approval),
        .fields = fields,
        .doc = "What somebody says about one release.",
};

/*
 * JSON has no positions, YAML has: the same text read as YAML says where things stand. It decides nothing: what it
 * makes of a text counts only where it is the very thing that JSON makes of it.
 */
static int read_again(const char *name, const void *bytes, size_t size, struct arena *a, struct approval *ret,
                      struct fault *reterr) {
        const struct node *node = NULL;
        int r = yaml_parse(name, bytes, size, a, &node, reterr);

        return r < 0 ? r : table_read(&approval_table, node, ret, a, reterr);
}

static bool same(const struct approval *x, const struct approval *y) {
        own_json json_t *a = table_write(&approval_table, x), *b = table_write(&approval_table, y);

        return json_equal(a, b);
}

int approval_read(const char *name, const void *bytes, size_t size, struct arena *a, struct approval *ret,
                  struct fault *reterr) {
        own_fault struct fault fault = FAULT_INIT, placed = FAULT_INIT;
        own_json json_t *json = NULL;
        struct approval approval, again;
        int r;

        if (size > LIMIT_APPROVAL_BYTES)
                return fault_set_code(reterr, FAULT_CONFIG, REASON_LOAD_LIMIT,
                                      "%s has more than %d bytes (LIMIT_APPROVAL_BYTES)", name, LIMIT_APPROVAL_BYTES);
        r = json_parse(name, bytes, size, &json, reterr);
        if (r < 0)
                return r;
        r = table_read_json(&approval_table, name, json, &approval, a, &fault);
        if (read_again(name, bytes, size, a, &again, &placed) < 0) {
                if (r < 0)
                        fault_move(reterr, placed.code == fault.code ? &placed : &fault);
        } else if (r == 0 && same(&approval, &again)) {
                approval = again;
        } else if (r < 0) {
                fault_move(reterr, &fault);
        }
        if (r < 0)
                return r;
        if (approval.reason) {
                char *reason = arena_strdup(a, approval.reason);

                text_make_harmless(reason, "");
                approval.reason = reason;
        }
        *ret = approval;
        return 0;
}

int approval_write(const struct approval *approval, struct buffer *out, struct fault *reterr) {
        own_json json_t *json = table_write(&approval_table, approval);

        return json_pretty(json, out, reterr);
}

/*
 * The path
 */

/* The component before the next '/', copied to @out of LIMIT_NAME_BYTES + 1 or more; NULL when it is no name. */
static const char *take_name(const char *path, char *out) {
        size_t n = strcspn(path, "/");

        if (path[n] == '\0' || n == 0 || n > LIMIT_NAME_BYTES)
                return NULL;
        memcpy(out, path, n);
        out[n] = '\0';
        return name_is_valid(out) ? path + n + 1 : NULL;
}

static const char *take_release(const char *path, char *out) {
        size_t n = strcspn(path, "/");

        if (path[n] == '\0' || n != 64)
                return NULL;
        memcpy(out, "sha256:", 7);
        memcpy(out + 7, path, n);
        out[7 + n] = '\0';
        return digest_is_valid(out) ? path + n + 1 : NULL;
}

/* "statement" or "statement-<word>" in the first @n bytes. */
static bool take_statement(const char *name, size_t n, char *out) {
        const size_t plain = strlen("statement");

        if (n >= APPROVAL_PREFIX_MAX || n < plain || memcmp(name, "statement", plain) != 0)
                return false;
        memcpy(out, name, n);
        out[n] = '\0';
        /* A word has no dot: what follows one is the principal. */
        return n == plain || (out[plain] == '-' && !strchr(out, '.') && name_is_valid(out + plain + 1));
}

static bool take_principal(const char *name, size_t n, char *out) {
        if (n == 0 || n > LIMIT_PRINCIPAL_BYTES)
                return false;
        memcpy(out, name, n);
        out[n] = '\0';
        return true;
}

static enum approval_file take_file(const char *name, struct approval_path *p) {
        size_t n = strlen(name);
        const char *dot = strchr(name, '.');

        if (strchr(name, '/'))
                return APPROVAL_MISPLACED;
        if (str_ends_with(name, ".json"))
                return take_statement(name, n - strlen(".json"), p->statement) ? APPROVAL_STATEMENT
                                                                               : APPROVAL_MISPLACED;
        if (!str_ends_with(name, ".sig"))
                return APPROVAL_MISPLACED;
        n -= strlen(".sig");
        if (str_after(name, "statement-") && dot && take_statement(name, (size_t)(dot - name), p->statement))
                return dot + 1 < name + n && take_principal(dot + 1, (size_t)(name + n - (dot + 1)), p->principal)
                               ? APPROVAL_SIGNATURE
                               : APPROVAL_MISPLACED;
        memcpy(p->statement, "statement", sizeof("statement"));
        return take_principal(name, n, p->principal) ? APPROVAL_SIGNATURE : APPROVAL_MISPLACED;
}

struct approval_path approval_path_read(const char *path) {
        struct approval_path p = { .file = APPROVAL_NONE };
        const char *rest = str_after(path, FOLDER), *last = strrchr(path, '/');

        if (!rest || last[1] == '.' || str_eq(last + 1, "README.md"))
                return p;
        p.file = APPROVAL_MISPLACED;
        rest = take_name(rest, p.environment);
        if (rest)
                rest = take_name(rest, p.app);
        if (rest)
                rest = take_release(rest, p.release);
        if (rest)
                p.file = take_file(rest, &p);
        return p;
}
