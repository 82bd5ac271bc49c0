/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/doctor.h"

#include "shared/data/json.h"

int doctor_say(json_t *out, const char *check, const char *state, const char *detail, const char *hint,
               struct fault *reterr) {
        json_t *line = json_pack("{ss ss so}", "check", check, "state", state, "detail", json_text(detail));

        if (line)
                json_set_string(line, "hint", hint);
        return json_array_append_new(out, line) < 0 ? fault_set_oom(reterr) : 0;
}

int doctor_say_fault(json_t *out, const char *check, const struct fault *why, struct fault *reterr) {
        return doctor_say(out, check, "fail", why->message ? why->message : "cannot be asked", why->hint, reterr);
}
