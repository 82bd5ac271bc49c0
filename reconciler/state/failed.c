/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/state/failed.h"

#include <stdio.h>

#include "shared/base/limits.h"
#include "shared/base/text.h"

#define AT(member) offsetof(struct failed_output, member)
static const struct field output_fields[] = {
        { .key = "id", .type = FIELD_STRING, .at = AT(id), .flags = FIELD_REQUIRED, .doc = "The engine's id." },
        { .key = "name", .type = FIELD_STRING, .at = AT(name), .flags = FIELD_OMIT, .doc = "The engine's name." },
        { .key = "service", .type = FIELD_STRING, .at = AT(service), .flags = FIELD_REQUIRED, .doc = "The service." },
        { .key = "index",
          .type = FIELD_INTEGER,
          .at = AT(index),
          .absent = 1,
          .doc = "Number of the replica, from 1." },
        { .key = "state",
          .type = FIELD_ENUM,
          .at = AT(state),
          .flags = FIELD_REQUIRED,
          .names = instance_state_names,
          .doc = "What the engine said of it." },
        { .key = "exit_code", .type = FIELD_INTEGER, .at = AT(exit_code), .doc = "How it ended." },
        { .key = "at", .type = FIELD_INTEGER, .at = AT(at), .doc = "When its output was read, in milliseconds." },
        { .key = "text",
          .type = FIELD_STRING,
          .at = AT(text),
          .flags = FIELD_REQUIRED,
          .doc = "The end of what it printed." },
        {},
};
#undef AT

static const struct table output_table = {
        .title = "Output",
        .size = sizeof(struct failed_output),
        .fields = output_fields,
        .doc = "What an instance printed last.",
};

#define AT(member) offsetof(struct failed, member)
static const struct field failed_fields[] = {
        { .key = "release",
          .type = FIELD_STRING,
          .at = AT(release),
          .flags = FIELD_REQUIRED,
          .doc = "The release that failed." },
        { .key = "version", .type = FIELD_STRING, .at = AT(version), .flags = FIELD_OMIT, .doc = "Its version." },
        { .key = "outputs",
          .type = FIELD_STRUCT_LIST,
          .at = AT(outputs),
          .sub = &output_table,
          .doc = "What its instances printed last." },
        {},
};
#undef AT

static const struct table failed_table = {
        .title = "Failed",
        .size = sizeof(struct failed),
        .fields = failed_fields,
        .doc = "What was heard of a release that failed.",
};

/* App names are short and safe in a path (shared/model). */
struct file_name {
        char text[LIMIT_NAME_BYTES + sizeof("failed-.json")];
};

static struct file_name file_name(const char *app) {
        struct file_name name;

        (void)snprintf(name.text, sizeof(name.text), "failed-%s.json", app);
        return name;
}

void failed_read(const struct state *s, const char *app, struct arena *a, struct failed *ret) {
        own_fault struct fault ignored = FAULT_INIT;
        own_json json_t *document = NULL;

        *ret = (struct failed){ .release = NULL };
        if (state_json_read(s, file_name(app).text, &document, &ignored) < 0 || !document)
                return;
        if (table_read_json(&failed_table, "failed release", document, ret, a, &ignored) < 0)
                *ret = (struct failed){ .release = NULL };
}

int failed_write(struct state *s, const char *app, const struct failed *failed, struct fault *reterr) {
        own_json json_t *document = table_write(&failed_table, failed);

        return state_json_write(s, file_name(app).text, document, reterr);
}

int failed_remove(struct state *s, const char *app, struct fault *reterr) {
        return state_json_remove(s, file_name(app).text, reterr);
}

void failed_add(struct failed *f, const struct failed_output *output, struct arena *a) {
        const struct failed_output *before = f->outputs.items;
        struct struct_list kept = { .items = NULL };
        size_t others = 0;

        for (size_t i = 0; i < f->outputs.n; i++)
                others += !str_eq(before[i].id, output->id);
        for (size_t i = 0; i < f->outputs.n; i++) {
                if (str_eq(before[i].id, output->id))
                        continue;
                if (others-- < FAILED_OUTPUTS_MAX)
                        *(struct failed_output *)arena_push(a, &kept.items, &kept.n, sizeof(*output)) = before[i];
        }
        *(struct failed_output *)arena_push(a, &kept.items, &kept.n, sizeof(*output)) = *output;
        f->outputs = kept;
}
