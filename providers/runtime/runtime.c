/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/runtime/runtime.h"

#include "providers/runtime/compose/compose.h"
#include "providers/runtime/docker/docker.h"
#include "providers/fake/fake.h"
#include "providers/vtable.h"
#include "shared/base/text.h"

const struct runtime_ops *const runtime_table[] = {
        &docker_runtime_ops,
        &compose_runtime_ops,
        &fake_runtime_ops,
        NULL,
};

int runtime_ops_verify(const struct runtime_ops *ops, struct fault *reterr) {
        const struct vtable_slot required[] = {
                { "open", ops->open },       { "close", ops->close },     { "render", ops->render },
                { "observe", ops->observe }, { "prepare", ops->prepare }, { "create", ops->create },
                { "start", ops->start },     { "stop", ops->stop },       { "remove", ops->remove },
        };
        const struct vtable vtable = {
                .what = "runtime",
                .name = ops->name,
                .abi = ops->abi,
                .wanted_abi = RUNTIME_ABI,
                .required = required,
                .n_required = sizeof(required) / sizeof(required[0]),
        };

        return vtable_verify(&vtable, reterr);
}

const struct runtime_ops *runtime_find(const char *name) {
        for (size_t i = 0; runtime_table[i]; i++)
                if (str_eq(runtime_table[i]->name, name))
                        return runtime_table[i];
        return NULL;
}

int runtime_open(const struct runtime_ops *ops, const struct runtime_settings *settings, struct runtime **ret,
                 struct fault *reterr) {
        int r = runtime_ops_verify(ops, reterr);

        if (r < 0)
                return r;
        r = ops->open(settings, ret, reterr);
        if (r < 0)
                return fault_context(reterr, r, "runtime %s", ops->name);
        (*ret)->settings = settings;
        return 0;
}

int runtime_clone(struct runtime *rt, struct runtime **ret, struct fault *reterr) {
        int r;

        if (!rt->ops->clone)
                return -ENOTSUP;
        r = rt->ops->clone(rt, ret, reterr);
        if (r < 0)
                return fault_context(reterr, r, "runtime %s", rt->ops->name);
        (*ret)->settings = rt->settings;
        return 0;
}

void runtime_close(struct runtime *rt) {
        if (rt)
                rt->ops->close(rt);
}

/* Positions speak for themselves: a prefix would stand between them and the sentence. */
int runtime_render(struct runtime *rt, const struct compose *compose, const char *version, const char *release_id,
                   struct arena *a, struct workload *ret, struct fault *reterr) {
        return rt->ops->render(rt, compose, version, release_id, a, ret, reterr);
}

int runtime_observe(struct runtime *rt, const struct workload *wanted, size_t n_wanted, struct arena *a,
                    struct observation *ret, struct fault *reterr) {
        int r = rt->ops->observe(rt, wanted, n_wanted, a, ret, reterr);

        return r < 0 ? fault_context(reterr, r, "%s: cannot tell what runs", rt->ops->name) : 0;
}

int runtime_prepare(struct runtime *rt, const struct workload *w, const struct progress *progress,
                    struct fault *reterr) {
        int r = rt->ops->prepare(rt, w, progress, reterr);

        return r < 0 ? fault_context(reterr, r, "%s: cannot prepare %s", w->app, w->version) : 0;
}

int runtime_create(struct runtime *rt, const struct workload *w, const struct workload_service *service, int64_t index,
                   struct arena *a, const char **ret_id, struct fault *reterr) {
        int r = rt->ops->create(rt, w, service, index, a, ret_id, reterr);

        return r < 0 ? fault_context(reterr, r, "%s: cannot create %s %lld", w->app, service->name, (long long)index)
                     : 0;
}

/* Of an instance that was only just created the name is not known, perhaps not even the service. */
static int instance_context(const struct instance *instance, const char *kind, struct fault *reterr, int r) {
        if (r >= 0)
                return 0;
        if (instance->app && (instance->name || instance->service))
                return fault_context(reterr, r, "%s: cannot %s %s", instance->app, kind,
                                     instance->name ? instance->name : instance->service);
        return fault_context(reterr, r, "cannot %s instance %.12s", kind, instance->id);
}

int runtime_start(struct runtime *rt, const struct instance *instance, struct fault *reterr) {
        return instance_context(instance, "start", reterr, rt->ops->start(rt, instance, reterr));
}

int runtime_stop(struct runtime *rt, const struct instance *instance, struct fault *reterr) {
        return instance_context(instance, "stop", reterr, rt->ops->stop(rt, instance, reterr));
}

int runtime_remove(struct runtime *rt, const struct instance *instance, struct fault *reterr) {
        return instance_context(instance, "remove", reterr, rt->ops->remove(rt, instance, reterr));
}

int runtime_exec(struct runtime *rt, const struct instance *instance, const struct string_list *argv, int timeout_ms,
                 struct arena *a, int64_t *ret_exit_code, const char **ret_output, struct fault *reterr) {
        if (!rt->ops->exec)
                return fault_set(reterr, FAULT_CONFIG, ENOTSUP, "runtime %s cannot run commands in an instance",
                                 rt->ops->name);
        return instance_context(instance, "run a command in", reterr,
                                rt->ops->exec(rt, instance, argv, timeout_ms, a, ret_exit_code, ret_output, reterr));
}

int runtime_output(struct runtime *rt, const struct instance *instance, struct arena *a, const char **ret_output,
                   struct fault *reterr) {
        *ret_output = NULL;
        if (!rt->ops->output)
                return 0;
        return instance_context(instance, "read the output of", reterr,
                                rt->ops->output(rt, instance, a, ret_output, reterr));
}

int runtime_collect(struct runtime *rt, const struct runtime_keep *keep, struct fault *reterr) {
        int r = rt->ops->collect ? rt->ops->collect(rt, keep, reterr) : 0;

        return r < 0 ? fault_context(reterr, r, "%s: cannot clean up", rt->ops->name) : 0;
}

int runtime_doctor(struct runtime *rt, json_t *out, struct fault *reterr) {
        int r = rt->ops->doctor ? rt->ops->doctor(rt, out, reterr) : 0;

        return r < 0 ? fault_context(reterr, r, "%s", rt->ops->name) : 0;
}
