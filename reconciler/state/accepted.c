/* SPDX-License-Identifier: Apache-2.0 */

#include <errno.h>

#include "reconciler/state/state_private.h"
#include "shared/base/text.h"
#include "shared/data/digest.h"

#define ACCEPTED "accepted.json"

#define AT(member) offsetof(struct accepted_refusal, member)
static const struct field refusal_fields[] = {
        { .key = "commit", .type = FIELD_STRING, .at = AT(commit), .flags = FIELD_REQUIRED, .doc = "What is refused." },
        { .key = "code", .type = FIELD_STRING, .at = AT(code), .flags = FIELD_NULLABLE, .doc = "The reason code." },
        { .key = "message",
          .type = FIELD_STRING,
          .at = AT(message),
          .flags = FIELD_NULLABLE,
          .doc = "The same for people." },
        { .key = "hint", .type = FIELD_STRING, .at = AT(hint), .flags = FIELD_OMIT, .doc = "What helps." },
        { .key = "at", .type = FIELD_INTEGER, .at = AT(at), .doc = "When it was first refused, ms." },
        {},
};
#undef AT

static const struct table refusal_table = {
        .title = "Refusal",
        .size = sizeof(struct accepted_refusal),
        .fields = refusal_fields,
        .doc = "A commit that was not accepted, and why.",
};

#define AT(member) offsetof(struct accepted, member)
static const struct field accepted_fields[] = {
        { .key = "commit", .type = FIELD_STRING, .at = AT(commit), .flags = FIELD_OMIT, .doc = "The accepted commit." },
        { .key = "tree", .type = FIELD_STRING, .at = AT(tree), .flags = FIELD_OMIT, .doc = "Its tree." },
        { .key = "trust",
          .type = FIELD_STRING,
          .at = AT(trust),
          .flags = FIELD_OMIT,
          .doc = "Digest of its trust/allowed_signers." },
        { .key = "principal", .type = FIELD_STRING, .at = AT(principal), .flags = FIELD_OMIT, .doc = "Who signed it." },
        { .key = "fingerprint",
          .type = FIELD_STRING,
          .at = AT(fingerprint),
          .flags = FIELD_OMIT,
          .doc = "With which key." },
        { .key = "algorithm", .type = FIELD_STRING, .at = AT(algorithm), .flags = FIELD_OMIT, .doc = "Of which kind." },
        { .key = "signed_at", .type = FIELD_INTEGER, .at = AT(signed_at), .doc = "When, as it claims, ms." },
        { .key = "first_seen", .type = FIELD_INTEGER, .at = AT(first_seen), .doc = "When it was accepted, ms." },
        { .key = "tip", .type = FIELD_STRING, .at = AT(tip), .flags = FIELD_OMIT, .doc = "Last seen at the remote." },
        { .key = "fetched_at",
          .type = FIELD_INTEGER,
          .at = AT(fetched_at),
          .doc = "When the remote last answered, ms." },
        { .key = "refusal",
          .type = FIELD_STRUCT_PTR,
          .at = AT(refusal),
          .flags = FIELD_OMIT,
          .sub = &refusal_table,
          .doc = "Why the tip is not accepted." },
        {},
};
#undef AT

static bool is_commit(const char *hex) {
        return !hex || hex_is_valid(hex, 40);
}

static int check_accepted(void *object, const struct node *node, struct fault *reterr) {
        const struct accepted *a = object;

        if (!is_commit(a->commit) || !is_commit(a->tree) || !is_commit(a->tip) ||
            (a->refusal && !is_commit(a->refusal->commit)) || (a->trust && !digest_is_valid(a->trust)))
                return fault_set(reterr, FAULT_CONFIG, 0, "it names objects by what is no object id");
        return 0;
}

const struct table accepted_table = {
        .title = "Accepted",
        .size = sizeof(struct accepted),
        .fields = accepted_fields,
        .check = check_accepted,
        .doc = "How far this host has followed the desired state.",
};

int state_accepted_read(const struct state *s, struct arena *a, struct accepted *ret, const char **ret_corrupt,
                        struct fault *reterr) {
        own_fault struct fault fault = FAULT_INIT, damage = FAULT_INIT;
        own_json json_t *json = NULL;
        struct accepted accepted = { 0 };
        const char *why = NULL;
        int r;

        r = state_json_read(s, ACCEPTED, &json, &fault);
        if (r == 0 && json) {
                r = table_read_json(&accepted_table, ACCEPTED, json, &accepted, a, &damage);
                if (r < 0)
                        r = state_corrupt(s, ACCEPTED, &damage, &fault);
        }
        if (r == -EUCLEAN) {
                accepted = (struct accepted){ 0 };
                why = arena_strdup(a, fault.message);
        } else if (r < 0) {
                fault_move(reterr, &fault);
                return r;
        }
        *ret = accepted;
        if (ret_corrupt)
                *ret_corrupt = why;
        return 0;
}

int state_accepted_write(struct state *s, const struct accepted *accepted, struct fault *reterr) {
        own_json json_t *json = table_write(&accepted_table, accepted);

        return state_json_write_at(s, s->dirfd, ACCEPTED, json, reterr);
}
