/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Inspected: the closer look at a container, and those that need not be taken again. A pass looks every few moments
 * while instances start; what a run of a container began with stays, and the list shows when another one began.
 */

#include "providers/runtime/docker/docker_private.h"
#include "providers/runtime/docker/fingerprint.h"
#include "shared/base/text.h"
#include "shared/data/json.h"

int docker_inspect(struct docker *d, const char *name, struct engine_reply *ret, struct fault *reterr) {
        own_buffer struct buffer path = BUFFER_INIT;
        int r;

        buffer_printf(&path, "/containers/%s/json", name);
        r = engine_get(d->engine, buffer_str(&path), ret, reterr);
        if (r < 0 || ret->status == 404 || engine_reply_is_ok(ret))
                return r;
        return engine_refused(ret, NULL, "cannot inspect a container", reterr);
}

const json_t *docker_inspected(const struct docker *d, const json_t *entry) {
        const json_t *known = json_object_get(d->inspected, json_get_string(entry, "Id"));
        struct digest run;

        if (!known || !docker_run_fingerprint(entry, &run) || !str_eq(json_get_string(known, "run"), run.text))
                return NULL;
        return json_object_get(known, "inspect");
}

/*
 * Should the container start anew between the list and the closer look, then the next list shows another run, and it is
 * asked again.
 */
void docker_note_inspected(struct docker *d, const json_t *entry, const json_t *inspect) {
        json_t *known;
        struct digest run;

        if (!docker_run_fingerprint(entry, &run))
                return;
        known = json_object();
        json_set_string(known, "run", run.text);
        json_object_set(known, "inspect", (json_t *)inspect);
        json_object_set_new(d->inspected, json_get_string(entry, "Id"), known);
}
