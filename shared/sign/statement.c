/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/sign/statement.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/limits.h"
#include "shared/base/text.h"

static json_t *never_null(json_t *json) {
        if (!json)
                abort();
        return json;
}

json_t *statement_new(const char *predicate_type, json_t *predicate) {
        return never_null(json_pack("{s:s, s:[], s:s, s:o}", "_type", STATEMENT_TYPE, "subject", "predicateType",
                                    predicate_type, "predicate", predicate));
}

json_t *statement_add_subject(json_t *statement, const char *name, const char *algorithm, const char *hex) {
        json_t *subject = never_null(json_pack("{s:{s:s}}", "digest", algorithm, hex));

        json_set_string(subject, "name", name);
        if (json_array_append_new(json_object_get(statement, "subject"), subject) < 0)
                abort();
        return json_object_get(subject, "digest");
}

int statement_write(const json_t *statement, struct buffer *out, struct fault *reterr) {
        return json_canonical(statement, out, reterr);
}

/*
 * Reading
 */

static bool digests_are_valid(json_t *digest) {
        const char *algorithm;
        json_t *value;

        if (json_object_size(digest) == 0)
                return false;
        json_object_foreach(digest, algorithm, value) {
                const char *hex = json_string_value(value);

                if (!hex || !*hex || !hex_is_valid(hex, strlen(hex)))
                        return false;
        }
        return true;
}

static const char *what_is_wrong(const json_t *statement, const char *predicate_type) {
        const json_t *subjects = json_object_get(statement, "subject");

        if (!str_eq(json_get_string(statement, "_type"), STATEMENT_TYPE))
                return "_type is not " STATEMENT_TYPE;
        if (!str_eq(json_get_string(statement, "predicateType"), predicate_type))
                return "predicateType is another one";
        if (json_array_size(subjects) == 0)
                return "it has no subject";
        for (size_t i = 0; i < json_array_size(subjects); i++)
                if (!digests_are_valid(json_object_get(json_array_get(subjects, i), "digest")))
                        return "a subject has no digest of lower-case hexadecimal digits";
        return json_is_object(json_object_get(statement, "predicate")) ? NULL : "its predicate is not an object";
}

int statement_parse(const char *name, const void *bytes, size_t size, const char *predicate_type, json_t **ret,
                    struct fault *reterr) {
        own_json json_t *statement = NULL;
        const char *wrong;
        int r;

        r = json_parse(name, bytes, size, &statement, reterr);
        if (r < 0)
                return r;
        wrong = what_is_wrong(statement, predicate_type);
        if (wrong)
                return fault_set(reterr, FAULT_CONFIG, 0, "%s is not the in-toto statement expected: %s", name, wrong);
        *ret = take(statement);
        return 0;
}
