/* SPDX-License-Identifier: Apache-2.0 */

/* Commits of a ledger, read strictly: who signed, which records they hold, what came before. */

#include <string.h>

#include "reconciler/ledger/ledger_private.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/sign/sshsig.h"

#define TRAILER_BYTES 128

int ledger_commit_read(struct mirror *m, const struct object_id *id, struct buffer *raw, struct object_commit *ret,
                       struct fault *reterr) {
        char hex[OBJECT_ID_TEXT_MAX];
        int r;

        r = mirror_read(m, id, OBJECT_COMMIT, LIMIT_COMMIT_BYTES, raw, reterr);
        if (r == 0)
                r = object_commit_parse(raw->data, raw->size, ret, reterr);
        return r < 0 ? fault_context(reterr, r, "commit %.12s of the ledger", object_id_format(id, hex)) : 0;
}

int ledger_commit_signer(const struct object_commit *c, struct sshkey *ret, struct fault *reterr) {
        own_buffer struct buffer armour = BUFFER_INIT;
        struct sshsig sig;
        int r;

        if (!c->signature.data)
                return fault_set_code(reterr, FAULT_DENIED, REASON_LEDGER_INVALID, "the commit carries no signature");
        object_commit_put_signature(c, &armour);
        r = buffer_check(&armour, "a signature", reterr);
        if (r == 0)
                r = sshsig_parse(armour.data, armour.size, &sig, reterr);
        if (r == 0)
                r = sshsig_verify_parts(&sig, LEDGER_NAMESPACE, c->payload, 2, reterr);
        if (r < 0)
                return r;
        *ret = sig.key;
        return 0;
}

/*
 * Trailers
 */

/* The value of "Key: value" when the line is that, NUL-terminated in @buf; else NULL. */
static const char *value_of(const char *line, size_t size, const char *key, char buf[TRAILER_BYTES]) {
        size_t n = strlen(key);

        if (size <= n || size - n >= TRAILER_BYTES || memcmp(line, key, n) != 0)
                return NULL;
        memcpy(buf, line + n, size - n);
        buf[size - n] = '\0';
        return buf;
}

static bool set_digest(const char *hex, struct digest *ret) {
        if (!hex_is_valid(hex, 64))
                return false;
        memcpy(ret->text, "sha256:", 7);
        memcpy(ret->text + 7, hex, 65);
        return true;
}

/* Seq, then Record-Sha256, for each record; what stands between them is for people. */
static bool read_line(const char *line, size_t size, struct ledger_trailers *t, bool *open) {
        char buf[TRAILER_BYTES];
        const char *value;

        value = value_of(line, size, "Seq: ", buf);
        if (value) {
                if (*open || parse_i64(value, &t->seq) < 0 || t->seq < 0)
                        return false;
                *open = true;
                return true;
        }
        value = value_of(line, size, "Record-Sha256: ", buf);
        if (value) {
                if (!*open || !set_digest(value, &t->record))
                        return false;
                *open = false;
                t->n++;
        }
        return true;
}

int ledger_trailers_read(const struct object_commit *c, struct ledger_trailers *ret, struct fault *reterr) {
        struct ledger_trailers t = { 0 };
        const char *at = c->message.data, *end = at + c->message.size;
        bool open = false, fine = true;
        /* The subject is whatever the pass made of it: a trailer never stands in the first line. */
        const char *eol = c->message.size > 0 ? memchr(at, '\n', c->message.size) : NULL;

        for (at = eol ? eol + 1 : end; fine && at < end; at = eol + 1) {
                eol = memchr(at, '\n', (size_t)(end - at));
                if (!eol)
                        eol = end;
                fine = read_line(at, (size_t)(eol - at), &t, &open);
        }
        if (!fine || open)
                return fault_set_code(reterr, FAULT_DENIED, REASON_LEDGER_INVALID,
                                      "the trailers of a commit do not name records");
        *ret = t;
        return 0;
}

int ledger_is_ancestor(struct mirror *m, const struct object_id *old, const struct object_id *tip, size_t steps,
                       struct fault *reterr) {
        own_buffer struct buffer raw = BUFFER_INIT;
        struct object_id at = *tip, tree, parents[LIMIT_COMMIT_PARENTS];
        size_t n;
        int r;

        for (size_t i = 0; steps == 0 || i < steps; i++) {
                if (object_id_equal(&at, old))
                        return 1;
                buffer_clear(&raw);
                r = mirror_read(m, &at, OBJECT_COMMIT, LIMIT_COMMIT_BYTES, &raw, reterr);
                if (r == 0)
                        r = object_commit_links(raw.data, raw.size, &tree, parents, LIMIT_COMMIT_PARENTS, &n, reterr);
                if (r < 0)
                        return r;
                if (n == 0)
                        return 0;
                at = parents[0];
        }
        return 0;
}
