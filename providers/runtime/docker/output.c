/* SPDX-License-Identifier: Apache-2.0 */

/* Output: the end of what a container printed (Docker Engine API, ContainerLogs) */

#include <string.h>

#include "providers/runtime/docker/docker_private.h"
#include "providers/runtime/docker/exec_stream.h"
#include "shared/data/json.h"

/* Somebody waits for the release to be taken back: what does not come at once does not come. */
#define OUTPUT_TIMEOUT_MS 5000
#define OUTPUT_LINES      200

/* 501; engines of before say it with 500. */
static bool cannot_be_read(const struct engine_reply *reply) {
        return reply->status == 404 || reply->status == 501 ||
               strstr(engine_message(reply), "does not support reading");
}

int docker_output(struct runtime *rt, const struct instance *instance, struct arena *a, const char **ret_output,
                  struct fault *reterr) {
        own_engine_reply struct engine_reply reply = ENGINE_REPLY_INIT;
        own_container struct container c = { .json = NULL };
        own_buffer struct buffer path = BUFFER_INIT;
        struct exec_stream stream = { .last = true };
        struct docker *d = docker_of(rt);
        int r;

        *ret_output = NULL;
        r = container_open(d, instance->id, &c, reterr);
        if (r < 0 || !c.json)
                return r;
        buffer_printf(&path, "/containers/%s/logs?stdout=1&stderr=1&tail=%d", instance->id, OUTPUT_LINES);
        /* With a terminal there are no frames, whatever its bytes look like. */
        stream.raw = json_get_bool(json_object_get(c.json, "Config"), "Tty", false);
        r = engine_call(d->engine,
                        &(struct engine_request){ .path = buffer_str(&path),
                                                  .timeout_ms = OUTPUT_TIMEOUT_MS,
                                                  .sink = exec_stream_feed,
                                                  .userdata = &stream },
                        &reply, reterr);
        if (r < 0 || cannot_be_read(&reply))
                return r;
        if (!engine_reply_is_ok(&reply))
                return engine_refused(&reply, NULL, "the engine does not give it", reterr);
        *ret_output = exec_stream_text(&stream, a);
        return 0;
}
