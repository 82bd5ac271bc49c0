/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/model/verdict.h"

const char *const verdict_names[] = {
        [VERDICT_DENY] = "deny",
        [VERDICT_PENDING] = "pending",
        [VERDICT_ALLOW] = "allow",
        NULL,
};

static const struct field verdict_fields[] = {
        { .key = "gate",
          .type = FIELD_STRING,
          .at = offsetof(struct verdict, gate),
          .flags = FIELD_REQUIRED,
          .doc = "The gate that spoke." },
        { .key = "verdict",
          .type = FIELD_ENUM,
          .at = offsetof(struct verdict, verdict),
          .flags = FIELD_REQUIRED,
          .names = verdict_names,
          .doc = "What it said." },
        { .key = "reasons",
          .type = FIELD_STRING_LIST,
          .at = offsetof(struct verdict, reasons),
          .doc = "Stable reason codes, sorted." },
        { .key = "message",
          .type = FIELD_STRING,
          .at = offsetof(struct verdict, message),
          .flags = FIELD_OMIT,
          .doc = "The same for people." },
        {},
};

const struct table verdict_table = {
        .title = "Verdict",
        .size = sizeof(struct verdict),
        .fields = verdict_fields,
        .doc = "What one gate says about one app.",
};

void verdict_add(struct struct_list *list, struct arena *a, const char *gate, enum verdict_value value,
                 const char *reason, const char *message) {
        struct verdict *v = arena_push(a, &list->items, &list->n, sizeof(struct verdict));

        v->gate = gate;
        v->verdict = value;
        v->message = message;
        if (reason) {
                struct text_at *item = arena_push(a, &v->reasons.items, &v->reasons.n, sizeof(struct text_at));
                item->text = reason;
        }
}

const struct verdict *verdict_decisive(const struct struct_list *list) {
        const struct verdict *verdicts = list->items, *strictest = NULL;

        for (size_t i = 0; i < list->n; i++)
                if (!strictest || verdicts[i].verdict < strictest->verdict)
                        strictest = &verdicts[i];
        return strictest;
}

enum verdict_value verdict_combined(const struct struct_list *list) {
        const struct verdict *v = verdict_decisive(list);

        return v ? v->verdict : VERDICT_DENY;
}
