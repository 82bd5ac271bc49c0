/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Began: since when the engine runs. Its API does not tell, but it makes its own bridge network anew each time it comes
 * up (unless containers live on, and then none ends with it). An engine without that network makes its socket anew,
 * where no service manager holds it. A trace that is too young only has one end more taken for the engine's.
 */

#include <sys/stat.h>

#include "providers/runtime/docker/docker_private.h"
#include "shared/base/clock.h"
#include "shared/data/json.h"

static int64_t bridge_made_at(struct docker *d) {
        own_engine_reply struct engine_reply reply = ENGINE_REPLY_INIT;
        own_fault struct fault ignored = FAULT_INIT;
        const char *created = NULL;
        int64_t at;

        if (engine_get(d->engine, "/networks/bridge", &reply, &ignored) == 0 && reply.status == 200)
                created = json_get_string(reply.json, "Created");
        return created && rfc3339_parse(created, &at) == 0 && at > 0 ? at : 0;
}

static int64_t socket_made_at(const struct docker *d) {
        struct stat st;

        if (stat(engine_socket(d->engine), &st) < 0)
                return 0;
        return (int64_t)st.st_ctim.tv_sec * 1000 + st.st_ctim.tv_nsec / 1000000;
}

int64_t docker_began(struct docker *d) {
        if (d->began < 0) {
                int64_t bridge = bridge_made_at(d);

                d->began = bridge > 0 ? bridge : socket_made_at(d);
        }
        return d->began;
}
