/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/fake/fake.h"

#include "providers/doctor.h"
#include "providers/fake/script.h"
#include "providers/runtime/outline.h"
#include "shared/base/clock.h"
#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/data/json.h"

struct fake {
        struct runtime runtime;
        const struct runtime_settings *settings;
        struct script script;
};

static const char *text_or(const char *text, const char *otherwise) {
        return text ? text : otherwise;
}

static struct fake *fake_of(struct runtime *rt) {
        return (struct fake *)rt;
}

json_t *fake_world(struct runtime *rt) {
        return fake_of(rt)->script.world;
}

static int fake_begin(struct fake *f, const char *name, const char *what, struct script_call *ret,
                      struct fault *reterr) {
        int r = script_begin(&f->script, name, what, ret, reterr);

        if (r == 0 && script_is_away(&f->script) && !str_eq(name, "observe"))
                return fault_set_code(reterr, FAULT_TRANSIENT, REASON_RUNTIME_UNAVAILABLE, "%s",
                                      script_reason(&f->script, "the fake engine is away"));
        return r;
}

static int fake_end(struct fake *f, const struct script_call *call, struct fault *reterr) {
        return script_end(&f->script, call, reterr);
}

static json_t *fake_instances(struct fake *f) {
        return script_member(f->script.world, "instances", json_array);
}

static json_t *fake_find(struct fake *f, const char *id) {
        size_t i;
        json_t *instance;

        json_array_foreach(fake_instances(f), i,
                           instance) if (str_eq(json_get_string(instance, "id"), id)) return instance;
        return NULL;
}

static void fake_close(struct runtime *rt) {
        struct fake *f = fake_of(rt);

        script_done(&f->script);
        free(f);
}

static int fake_open(const struct runtime_settings *settings, struct runtime **ret, struct fault *reterr) {
        struct fake *f = calloc(1, sizeof(*f));
        const char *path;
        int r;

        if (!f)
                return fault_set_oom(reterr);
        path = settings->endpoint ? str_after(settings->endpoint, "fake:") : NULL;
        *f = (struct fake){
                .runtime.ops = &fake_runtime_ops,
                .settings = settings,
        };
        r = script_init(&f->script, path && *path ? path : NULL, reterr);
        if (r < 0) {
                free(f);
                return r;
        }
        *ret = &f->runtime;
        return 0;
}

static int fake_spec(const struct compose *c, const struct compose_service *s, json_t **ret, struct fault *reterr) {
        *ret = json_pack("{ss ss so}", "name", s->name.text, "image", s->pinned, "service",
                         s->node ? node_to_json(s->node) : json_object());
        return *ret ? 0 : fault_set_oom(reterr);
}

static int fake_render(struct runtime *rt, const struct compose *compose, const char *version, const char *release_id,
                       struct arena *a, struct workload *ret, struct fault *reterr) {
        static const struct outline_runtime fake = { .name = "fake", .spec_of = fake_spec };

        return outline_render(&fake, fake_of(rt)->settings, compose, version, release_id, a, ret, reterr);
}

static int fake_observe(struct runtime *rt, const struct workload *wanted, size_t n_wanted, struct arena *a,
                        struct observation *ret, struct fault *reterr) {
        struct fake *f = fake_of(rt);
        struct instance *list = NULL;
        struct script_call call;
        size_t n = 0, i;
        json_t *entry;
        int r;

        r = fake_begin(f, "observe", "", &call, reterr);
        if (r < 0)
                return r;
        *ret = (struct observation){ .runtime = "fake", .version = "1" };
        if (script_is_away(&f->script)) {
                ret->reason = arena_strdup(a, script_reason(&f->script, "the fake engine is away"));
                return fake_end(f, &call, reterr);
        }
        json_array_foreach(fake_instances(f), i, entry) {
                own_json json_t *copy = json_copy(entry);
                struct instance *instance = arena_push(a, &list, &n, sizeof(*list));

                (void)json_object_del(copy, "public");
                r = table_read_json(&instance_table, "instance", copy, instance, a, reterr);
                if (r < 0)
                        return r;
        }
        outline_sort_instances(list, n);
        ret->available = true;
        ret->instances = (struct struct_list){ .items = list, .n = n };
        return fake_end(f, &call, reterr);
}

static void append_once(json_t *array, const char *text) {
        size_t i;
        json_t *item;

        json_array_foreach(array, i, item) if (str_eq(json_string_value(item), text)) return;
        json_array_append_new(array, json_string(text));
}

static int fake_prepare(struct runtime *rt, const struct workload *w, const struct progress *progress,
                        struct fault *reterr) {
        const struct workload_service *services = w->services.items;
        struct fake *f = fake_of(rt);
        own_buffer struct buffer what = BUFFER_INIT;
        struct script_call call;
        int r;

        buffer_printf(&what, "%s %s", w->app, w->version);
        r = fake_begin(f, "prepare", buffer_str(&what), &call, reterr);
        if (r < 0)
                return r;
        for (size_t i = 0; i < w->services.n; i++) {
                if (progress)
                        progress->tell(progress->data, "pull", services[i].image, 1, 1);
                append_once(script_member(f->script.world, "images", json_array), services[i].image);
        }
        append_once(script_member(f->script.world, "prepared", json_array), w->release);
        return fake_end(f, &call, reterr);
}

static bool fake_is_foreign(struct fake *f, const struct workload *w, const struct workload_service *s) {
        own_json json_t *name = json_sprintf("%s/%s", w->app, s->name);
        size_t i;
        json_t *item;

        json_array_foreach(json_object_get(f->script.world, "foreign"), i,
                           item) if (str_eq(json_string_value(item), json_string_value(name))) return true;
        return false;
}

static json_t *fake_find_same(struct fake *f, const struct workload *w, const struct workload_service *s,
                              int64_t index) {
        size_t i;
        json_t *entry;

        json_array_foreach(fake_instances(f), i, entry) if (str_eq(json_get_string(entry, "app"), w->app) &&
                                                            str_eq(json_get_string(entry, "service"), s->name) &&
                                                            str_eq(json_get_string(entry, "spec"), s->spec_digest) &&
                                                            json_get_integer(entry, "index", 0) == index) return entry;
        return NULL;
}

static int fake_new_instance(struct fake *f, const struct workload *w, const struct workload_service *s, int64_t index,
                             struct arena *a, struct fault *reterr) {
        const struct instance fresh = {
                .id = arena_printf(a, "fake-%lld",
                                   (long long)json_get_integer(script_member(f->script.world, "counts", json_object),
                                                               "*", 0)),
                .name = arena_printf(a, "%s-%s-%lld-%.8s", w->app, s->name, (long long)index,
                                     text_or(str_after(s->spec_digest, "sha256:"), "")),
                .app = w->app,
                .service = s->name,
                .release = w->release,
                .version = w->version,
                .spec = s->spec_digest,
                .index = index,
                .image = s->image,
                .image_id = s->image,
                .image_matches = true,
                .state = INSTANCE_CREATED,
                .health = s->health_checked ? HEALTH_STARTING : HEALTH_NONE,
        };
        json_t *entry = table_write(&instance_table, &fresh);

        json_object_set_new(entry, "public", json_false());
        if (json_array_append_new(fake_instances(f), entry) < 0)
                return fault_set_oom(reterr);
        return 0;
}

static int fake_create(struct runtime *rt, const struct workload *w, const struct workload_service *service,
                       int64_t index, struct arena *a, const char **ret_id, struct fault *reterr) {
        struct fake *f = fake_of(rt);
        struct script_call call;
        int r;

        r = fake_begin(f, "create",
                       arena_printf(a, "%s/%s %lld %s", w->app, service->name, (long long)index, w->version), &call,
                       reterr);
        if (r < 0)
                return r;
        if (fake_is_foreign(f, w, service))
                return fault_set_code(reterr, FAULT_DENIED, REASON_RESOURCE_FOREIGN,
                                      "the name of %s is taken by somebody else", service->name);
        if (!fake_find_same(f, w, service, index)) {
                r = fake_new_instance(f, w, service, index, a, reterr);
                if (r < 0)
                        return r;
        }
        *ret_id = arena_strdup(a, json_get_string(fake_find_same(f, w, service, index), "id"));
        return fake_end(f, &call, reterr);
}

/* What @script ("start", "exec", "output") says about an instance; NULL: nothing. */
static const json_t *fake_fate(const struct fake *f, const char *script, const json_t *entry) {
        const json_t *fates = json_object_get(f->script.world, script), *fate = NULL;
        const char *app = text_or(json_get_string(entry, "app"), ""),
                   *service = text_or(json_get_string(entry, "service"), "");
        const char *version = text_or(json_get_string(entry, "version"), "");
        const int index = (int)json_get_integer(entry, "index", 0);
        own_json json_t *one = json_sprintf("%s/%s/%d@%s", app, service, index, version);
        own_json json_t *all = json_sprintf("%s/%s@%s", app, service, version);
        own_json json_t *any = json_sprintf("%s/%s", app, service);
        const json_t *const keys[] = { one, all, any };

        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]) && !fate; i++)
                fate = json_object_get(fates, json_string_value(keys[i]));
        return fate;
}

static void fake_run(struct fake *f, json_t *entry) {
        static const char *const reach[] = { "endpoints", "address" };
        const json_t *fate = fake_fate(f, "start", entry), *code = json_object_get(fate, "exit_code");
        bool checked = !str_eq(json_get_string(entry, "health"), health_names[HEALTH_NONE]);
        const char *health = json_get_string(fate, "health");

        json_set_string(entry, "state", instance_state_names[code ? INSTANCE_EXITED : INSTANCE_RUNNING]);
        json_set_string(entry, "health", health ? health : health_names[checked ? HEALTH_HEALTHY : HEALTH_NONE]);
        json_object_set_new(entry, "exit_code", json_integer(json_integer_value(code)));
        json_object_set_new(entry, "image_matches", json_boolean(json_get_bool(fate, "image_matches", true)));
        json_object_set_new(entry, "started_at",
                            json_integer(json_get_integer(f->script.world, "now", clock_wall_ms())));
        for (size_t i = 0; i < sizeof(reach) / sizeof(reach[0]); i++)
                if (json_object_get(fate, reach[i]) && !code)
                        json_object_set(entry, reach[i], json_object_get(fate, reach[i]));
}

static int fake_start(struct runtime *rt, const struct instance *instance, struct fault *reterr) {
        struct fake *f = fake_of(rt);
        struct script_call call;
        json_t *entry;
        int r;

        r = fake_begin(f, "start", instance->id, &call, reterr);
        if (r < 0)
                return r;
        entry = fake_find(f, instance->id);
        if (!entry)
                return fault_set(reterr, FAULT_CONFLICT, ENOENT, "%s is gone", instance->id);
        json_object_set_new(entry, "public", json_true());
        if (!str_eq(json_get_string(entry, "state"), instance_state_names[INSTANCE_RUNNING]))
                fake_run(f, entry);
        return fake_end(f, &call, reterr);
}

static int fake_stop(struct runtime *rt, const struct instance *instance, struct fault *reterr) {
        struct fake *f = fake_of(rt);
        struct script_call call;
        json_t *entry;
        int r;

        r = fake_begin(f, "stop", instance->id, &call, reterr);
        if (r < 0)
                return r;
        entry = fake_find(f, instance->id);
        if (entry) {
                json_object_set_new(entry, "public", json_false());
                if (!str_eq(json_get_string(entry, "state"), instance_state_names[INSTANCE_CREATED]))
                        json_set_string(entry, "state", instance_state_names[INSTANCE_EXITED]);
                (void)json_object_del(entry, "endpoints");
                (void)json_object_del(entry, "address");
        }
        return fake_end(f, &call, reterr);
}

static int fake_remove(struct runtime *rt, const struct instance *instance, struct fault *reterr) {
        struct fake *f = fake_of(rt);
        struct script_call call;
        size_t i;
        json_t *entry;
        int r;

        r = fake_begin(f, "remove", instance->id, &call, reterr);
        if (r < 0)
                return r;
        json_array_foreach(fake_instances(f), i, entry) if (str_eq(json_get_string(entry, "id"), instance->id)) {
                (void)json_array_remove(fake_instances(f), i);
                break;
        }
        return fake_end(f, &call, reterr);
}

static int fake_exec(struct runtime *rt, const struct instance *instance, const struct string_list *argv,
                     int timeout_ms, struct arena *a, int64_t *ret_exit_code, const char **ret_output,
                     struct fault *reterr) {
        struct fake *f = fake_of(rt);
        const json_t *fate;
        struct script_call call;
        json_t *entry;
        int r;

        r = fake_begin(f, "exec", arena_printf(a, "%s %s", instance->id, argv->n > 0 ? argv->items[0].text : ""), &call,
                       reterr);
        if (r < 0)
                return r;
        entry = fake_find(f, instance->id);
        if (!entry)
                return fault_set(reterr, FAULT_CONFLICT, ENOENT, "%s is gone", instance->id);
        if (!str_eq(json_get_string(entry, "state"), instance_state_names[INSTANCE_RUNNING]))
                return fault_set(reterr, FAULT_CONFLICT, EAGAIN, "it is not running");
        fate = fake_fate(f, "exec", entry);
        r = fake_end(f, &call, reterr);
        if (r < 0)
                return r;
        if (json_get_bool(fate, "timeout", false))
                return fault_set(reterr, FAULT_TRANSIENT, ETIMEDOUT, "it has not ended in time");
        *ret_exit_code = json_get_integer(fate, "exit_code", 0);
        *ret_output = arena_printf(a, "%.*s", LIMIT_EXEC_OUTPUT_BYTES, text_or(json_get_string(fate, "output"), ""));
        return 0;
}

static int fake_output(struct runtime *rt, const struct instance *instance, struct arena *a, const char **ret_output,
                       struct fault *reterr) {
        struct fake *f = fake_of(rt);
        struct script_call call;
        const char *text;
        int r;

        r = fake_begin(f, "output", instance->id, &call, reterr);
        if (r < 0)
                return r;
        text = json_string_value(fake_fate(f, "output", fake_find(f, instance->id)));
        *ret_output = text ? arena_printf(a, "%.*s", LIMIT_EXEC_OUTPUT_BYTES, text) : NULL;
        return fake_end(f, &call, reterr);
}

/* Images have no size here: of the older ones as many stay as the budget has bytes. */
static bool keeps_image(const struct runtime_keep *keep, const char *image) {
        for (size_t i = 0; i < keep->n_older && (!keep->budget || (int64_t)i < keep->budget); i++)
                if (str_eq(keep->older[i].image, image))
                        return true;
        for (size_t i = 0; i < keep->n_workloads; i++) {
                const struct workload_service *services = keep->workloads[i].services.items;

                for (size_t j = 0; j < keep->workloads[i].services.n; j++)
                        if (str_eq(services[j].image, image))
                                return true;
        }
        return false;
}

static int fake_collect(struct runtime *rt, const struct runtime_keep *keep, struct fault *reterr) {
        struct fake *f = fake_of(rt);
        struct script_call call;
        json_t *images;
        int r;

        r = fake_begin(f, "collect", "", &call, reterr);
        if (r < 0)
                return r;
        images = script_member(f->script.world, "images", json_array);
        for (size_t i = json_array_size(images); i-- > 0;)
                if (!keeps_image(keep, json_string_value(json_array_get(images, i))))
                        (void)json_array_remove(images, i);
        return fake_end(f, &call, reterr);
}

static int fake_doctor(struct runtime *rt, json_t *out, struct fault *reterr) {
        return doctor_say(out, "engine", "ok", "the fake runtime", NULL, reterr);
}

const struct runtime_ops fake_runtime_ops = {
        .abi = RUNTIME_ABI,
        .name = "fake",
        .open = fake_open,
        .close = fake_close,
        .render = fake_render,
        .observe = fake_observe,
        .prepare = fake_prepare,
        .create = fake_create,
        .start = fake_start,
        .stop = fake_stop,
        .remove = fake_remove,
        .exec = fake_exec,
        .output = fake_output,
        .collect = fake_collect,
        .doctor = fake_doctor,
};
