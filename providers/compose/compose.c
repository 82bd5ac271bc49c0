/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/compose/compose.h"

#include "providers/compose/compose_private.h"
#include "providers/compose/locked.h"
#include "shared/data/json.h"

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

static int compose_render(struct runtime *rt, const struct compose *compose, const struct release *release,
                          const char *release_id, struct arena *a, struct workload *ret, struct fault *reterr) {
        return locked_render(compose_runtime_of(rt)->docker.settings, compose, release, release_id, a, ret, reterr);
}

static int compose_doctor(struct runtime *rt, json_t *out, struct fault *reterr) {
        struct compose_runtime *c = compose_runtime_of(rt);
        own_fault struct fault why = FAULT_INIT;
        json_t *line;
        int r = docker_doctor(rt, out, reterr);

        if (r < 0)
                return r;
        if (program_find(&c->program, &why) < 0) {
                line = json_pack("{ss ss ss}", "check", "compose", "state", "fail", "detail",
                                 why.message ? why.message : "not found");
                json_set_string(line, "hint", why.hint);
        } else {
                line = json_pack("{ss ss so}", "check", "compose", "state", "ok", "detail",
                                 json_sprintf("docker compose %s, %s%s%s", c->program.version, c->program.words[0],
                                              c->program.words[1] ? " " : "", c->program.words[1] ? c->program.words[1] : ""));
        }
        return json_array_append_new(out, line) < 0 ? fault_set_oom(reterr) : 0;
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
