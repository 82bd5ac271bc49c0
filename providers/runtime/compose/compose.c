/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/runtime/compose/compose.h"

#include "providers/runtime/compose/compose_private.h"
#include "providers/runtime/compose/locked.h"
#include "providers/doctor.h"

static void compose_close(struct runtime *rt) {
        struct compose_runtime *c = compose_runtime_of(rt);

        if (!c)
                return;
        program_done(&c->program);
        docker_done(&c->docker);
        free(c);
}

static int compose_open(const struct runtime_settings *settings, struct runtime **ret, struct fault *reterr) {
        own_free struct compose_runtime *c = calloc(1, sizeof(*c));
        int r = c ? docker_init(&c->docker, &compose_runtime_ops, settings, reterr) : fault_set_oom(reterr);

        if (r < 0)
                return r;
        *ret = &take(c)->docker.runtime;
        return 0;
}

static int compose_render(struct runtime *rt, const struct compose *compose, const char *version,
                          const char *release_id, struct arena *a, struct workload *ret, struct fault *reterr) {
        return locked_render(compose_runtime_of(rt)->docker.settings, compose, version, release_id, a, ret, reterr);
}

static int compose_doctor(struct runtime *rt, json_t *out, struct fault *reterr) {
        struct program *program = &compose_runtime_of(rt)->program;
        own_buffer struct buffer detail = BUFFER_INIT;
        own_fault struct fault why = FAULT_INIT;
        int r = docker_doctor(rt, out, reterr);

        if (r < 0)
                return r;
        if (program_find(program, &why) < 0)
                return doctor_say_fault(out, "compose", &why, reterr);
        buffer_printf(&detail, "docker compose %s, %s%s%s", program->version, program->words[0],
                      program->words[1] ? " " : "", program->words[1] ? program->words[1] : "");
        return doctor_say(out, "compose", "ok", buffer_str(&detail), NULL, reterr);
}

const struct runtime_ops compose_runtime_ops = {
        .abi = RUNTIME_ABI,
        .name = "compose",
        .open = compose_open,
        .close = compose_close,
        .render = compose_render,
        .observe = docker_observe,
        .prepare = compose_prepare,
        .create = compose_create,
        .start = docker_start,
        .stop = docker_stop,
        .remove = docker_remove,
        .exec = docker_exec,
        .output = docker_output,
        .collect = docker_collect,
        .doctor = compose_doctor,
};
