/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/ledger/seal.h"

#include "shared/base/text.h"
#include "shared/data/json.h"
#include "shared/sign/dsse.h"
#include "shared/sign/statement.h"

int seal_write(const struct sshkey_private *key, const struct record *r, const struct record_place *place,
               const char *file_name, const struct digest *file, struct buffer *out, struct fault *reterr) {
        own_json json_t *statement = statement_new(RECORD_PREDICATE_TYPE, record_predicate(r, place));
        own_buffer struct buffer bytes = BUFFER_INIT;
        int rc;

        statement_add_subject(statement, file_name, "sha256", digest_hex(file));
        for (size_t i = 0; i < r->n_images; i++) {
                const char *hex = str_after(r->images[i].digest, "sha256:");

                if (!hex || !digest_is_valid(r->images[i].digest))
                        return fault_set(reterr, FAULT_INTERNAL, EINVAL, "'%s' is not the digest of an image",
                                         r->images[i].digest);
                statement_add_subject(statement, r->images[i].name, "sha256", hex);
        }
        rc = statement_write(statement, &bytes, reterr);
        if (rc == 0)
                rc = buffer_check(&bytes, "a record", reterr);
        if (rc == 0)
                rc = dsse_sign(key, DSSE_TYPE_STATEMENT, bytes.data, bytes.size, out, reterr);
        if (rc == 0)
                rc = buffer_check(out, "an envelope", reterr);
        return rc;
}

static void release_json(void *p) {
        json_decref(p);
}

/* The first subject is the record's file. */
static int read_file_subject(const char *name, const json_t *statement, struct digest *ret, struct fault *reterr) {
        const json_t *subject = json_array_get(json_object_get(statement, "subject"), 0);
        const char *hex = json_get_string(json_object_get(subject, "digest"), "sha256");

        if (!hex || !hex_is_valid(hex, 64))
                return fault_set(reterr, FAULT_CONFIG, 0, "%s is not a record: its first subject has no SHA-256", name);
        memcpy(ret->text, "sha256:", 7);
        memcpy(ret->text + 7, hex, 65);
        return 0;
}

/* One serialisation only: two readers of the same bytes must not see two records. */
static int check_canonical(const char *name, const struct dsse *e, const json_t *statement, struct fault *reterr) {
        own_buffer struct buffer canonical = BUFFER_INIT;
        int r = statement_write(statement, &canonical, reterr);

        if (r == 0)
                r = buffer_check(&canonical, name, reterr);
        if (r < 0)
                return fault_context(reterr, r, "%s", name);
        if (canonical.size != e->payload_size || memcmp(canonical.data, e->payload, e->payload_size) != 0)
                return fault_set(reterr, FAULT_CONFIG, 0, "%s is not a record: its statement is not canonical JSON",
                                 name);
        return 0;
}

int seal_read(const char *name, const void *bytes, size_t size, const struct sshkey *key, bool lenient, struct arena *a,
              struct sealed *ret, struct fault *reterr) {
        own_fault struct fault unverified = FAULT_INIT;
        struct sealed s = { .digest = digest_of(bytes, size) };
        struct dsse e;
        json_t *statement;
        int r;

        r = dsse_parse(name, bytes, size, a, &e, reterr);
        if (r < 0)
                return r;
        if (!str_eq(e.payload_type, DSSE_TYPE_STATEMENT))
                return fault_set(reterr, FAULT_CONFIG, 0, "%s does not hold an in-toto statement", name);
        s.verified = key && dsse_verify(&e, key, &unverified) == 0;
        if (key && !s.verified && !lenient) {
                fault_move(reterr, &unverified);
                return fault_context(reterr, -EACCES, "%s", name);
        }
        r = statement_parse(name, e.payload, e.payload_size, RECORD_PREDICATE_TYPE, &statement, reterr);
        if (r < 0)
                return r;
        arena_defer(a, release_json, statement);
        r = check_canonical(name, &e, statement, reterr);
        if (r < 0)
                return r;
        s.statement = statement;
        s.predicate = json_object_get(statement, "predicate");
        r = record_head_read(name, s.predicate, &s.head, reterr);
        if (r < 0)
                return r;
        r = read_file_subject(name, statement, &s.file, reterr);
        if (r < 0)
                return r;
        *ret = s;
        return 0;
}
