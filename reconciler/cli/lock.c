/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/cli/lock.h"

#include <string.h>

#include "reconciler/cli/lock_tree.h"
#include "shared/base/clock.h"
#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/data/json.h"
#include "shared/data/yaml_write.h"

/* What becomes of one service. */
struct slot {
        struct text_at service;
        struct text_at reference; /* what is resolved or kept; text NULL: no pin */
        struct image_ref ref;
        bool resolve;
        const char *pin; /* "repository:tag@sha256:…", what the release will say; NULL: no pin */
};

struct lock {
        const struct lock_request *request;
        struct arena *arena;
        struct lock_tree tree;
        struct string_map arguments;
        struct slot *slots; /* one for each service, in their order */
};

static const struct string_pair *map_find(const struct string_map *map, const char *key) {
        for (size_t i = 0; i < map->n; i++)
                if (str_eq(map->items[i].key.text, key))
                        return &map->items[i];
        return NULL;
}

/*
 * Arguments
 */

static int fault_unknown_service(const struct lock *l, const char *service, struct fault *reterr) {
        const struct string_map *services = &l->tree.services;
        const char **known = arena_array(l->arena, services->n + 1, sizeof(*known)), *closest;
        int r = fault_set_code(reterr, FAULT_CONFIG, REASON_LOAD_REFERENCE, "app '%s' has no service '%s'",
                               l->request->app, service);

        for (size_t i = 0; i < services->n; i++)
                known[i] = services->items[i].key.text;
        closest = closest_name(service, known);
        if (closest)
                fault_hint(reterr, "did you mean '%s'?", closest);
        return r;
}

static int read_argument(struct lock *l, const char *argument, struct fault *reterr) {
        const char *equals = strchr(argument, '='), *service;
        struct string_pair *pair;
        int r;

        if (!equals || equals == argument || !equals[1]) {
                r = fault_set(reterr, FAULT_CONFIG, EINVAL, "'%s' is not SERVICE=REFERENCE", argument);
                fault_hint(reterr, "for example web=registry.example/shop/web:1.4.2");
                return r;
        }
        service = arena_strndup(l->arena, argument, (size_t)(equals - argument));
        if (!map_find(&l->tree.services, service))
                return fault_unknown_service(l, service, reterr);
        if (map_find(&l->arguments, service))
                return fault_set(reterr, FAULT_CONFIG, EINVAL, "service '%s' is given twice", service);
        pair = arena_push(l->arena, &l->arguments.items, &l->arguments.n, sizeof(*pair));
        pair->key.text = service;
        pair->value.text = arena_strdup(l->arena, equals + 1);
        return 0;
}

static int read_arguments(struct lock *l, struct fault *reterr) {
        const struct lock_request *q = l->request;
        int r = 0;

        for (size_t i = 0; r == 0 && q->pins && q->pins[i]; i++)
                r = read_argument(l, q->pins[i], reterr);
        return r;
}

static int check_names(const struct lock_request *q, struct fault *reterr) {
        const struct {
                const char *what, *name;
        } names[] = { { "an environment", q->environment }, { "an app", q->app } };

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                if (!name_is_valid(names[i].name))
                        return fault_set(reterr, FAULT_CONFIG, EINVAL, "'%s' is not the name of %s", names[i].name,
                                         names[i].what);
        if (str_eq(q->app, "environment"))
                return fault_set(reterr, FAULT_CONFIG, EINVAL,
                                 "no app is called 'environment': its release would be environment.yaml");
        return 0;
}

/*
 * Choosing what to resolve
 */

static int take_reference(struct lock *l, struct slot *s, const struct text_at *text, struct fault *reterr) {
        int r = image_parse(text, l->arena, &s->ref, reterr);

        s->reference = *text;
        return r < 0 ? fault_context(reterr, r, "service '%s'", s->service.text) : 0;
}

/* The pin that is there: kept, unless its tag is to be asked for anew or it has no digest at all. */
static int choose_release(struct lock *l, struct slot *s, const struct text_at *pin, struct fault *reterr) {
        int r = take_reference(l, s, pin, reterr);

        if (r < 0)
                return r;
        if (l->request->update && s->ref.tag)
                s->ref.digest = NULL;
        s->resolve = !s->ref.digest;
        return 0;
}

static int choose_compose(struct lock *l, struct slot *s, const struct text_at *image, const struct string_pair *pin,
                          struct fault *reterr) {
        int r = take_reference(l, s, image, reterr);

        if (r < 0)
                return r;
        s->resolve = !s->ref.digest;
        if (s->resolve)
                return 0;
        /* Pinned where it is; a pin of the release stands over that. */
        s->reference.text = NULL;
        return pin ? choose_release(l, s, &pin->value, reterr) : 0;
}

static int choose(struct lock *l, struct slot *s, const struct text_at *image, struct fault *reterr) {
        const struct string_pair *argument = map_find(&l->arguments, s->service.text), *pin = NULL;
        bool from_release = l->arguments.n > 0 || l->request->update;
        int r;

        if (l->tree.release)
                pin = map_find(&l->tree.release->images, s->service.text);
        if (argument) {
                s->resolve = true;
                return take_reference(l, s, &argument->value, reterr);
        }
        if (pin && (from_release || !image->text))
                return choose_release(l, s, &pin->value, reterr);
        if (image->text)
                return choose_compose(l, s, image, pin, reterr);
        r = fault_set_at(reterr, &s->service.at, "service '%s' has no image", s->service.text);
        reterr->code = REASON_LOAD_REFERENCE;
        fault_hint(reterr, "write one here, or give it as an argument: %s=registry.example/repository:tag",
                   s->service.text);
        return r;
}

static int choose_all(struct lock *l, struct fault *reterr) {
        const struct string_map *services = &l->tree.services;

        l->slots = arena_array(l->arena, services->n, sizeof(*l->slots));
        for (size_t i = 0; i < services->n; i++) {
                int r;

                l->slots[i].service = services->items[i].key;
                r = choose(l, &l->slots[i], &services->items[i].value, reterr);
                if (r < 0)
                        return r;
        }
        return 0;
}

/*
 * Resolving
 */

static bool same_question(const struct image_ref *x, const struct image_ref *y) {
        return str_eq(x->registry, y->registry) && str_eq(x->repository, y->repository) && str_eq(x->tag, y->tag) &&
               str_eq(x->digest, y->digest);
}

/* The part before '@', with the tag that an untagged name stands for. */
static const char *name_with_tag(const struct slot *s, struct arena *a) {
        size_t n = strcspn(s->reference.text, "@");

        return arena_printf(a, "%.*s%s", (int)n, s->reference.text, s->ref.tag || s->ref.digest ? "" : ":latest");
}

/* Services that share an image get one answer, whatever happens at the registry meanwhile. */
static const char *answered(const struct lock *l, size_t i) {
        for (size_t k = 0; k < i; k++)
                if (l->slots[k].resolve && same_question(&l->slots[k].ref, &l->slots[i].ref))
                        return strchr(l->slots[k].pin, '@') + 1;
        return NULL;
}

static int resolve(struct lock *l, size_t i, struct fault *reterr) {
        struct slot *s = &l->slots[i];
        const char *known = answered(l, i);
        struct digest digest;
        int r;

        if (!known) {
                r = l->request->resolve(&s->ref, &digest, l->request->userdata, reterr);
                if (r < 0)
                        return fault_context(reterr, r, "service '%s'", s->service.text);
                known = digest.text;
        }
        s->pin = arena_printf(l->arena, "%s@%s", name_with_tag(s, l->arena), known);
        return 0;
}

static int resolve_all(struct lock *l, struct fault *reterr) {
        for (size_t i = 0; i < l->tree.services.n; i++) {
                struct slot *s = &l->slots[i];

                if (s->resolve) {
                        int r = resolve(l, i, reterr);

                        if (r < 0)
                                return r;
                } else {
                        s->pin = s->reference.text;
                }
        }
        return 0;
}

/*
 * The release
 */

static struct string_map make_images(const struct lock *l) {
        struct string_map images = { 0 };

        for (size_t i = 0; i < l->tree.services.n; i++) {
                struct string_pair *pair;

                if (!l->slots[i].pin)
                        continue;
                pair = arena_push(l->arena, &images.items, &images.n, sizeof(*pair));
                pair->key = l->slots[i].service;
                pair->value.text = l->slots[i].pin;
        }
        return images;
}

static void add_change(const struct lock *l, struct struct_list *changes, const char *service, const char *was,
                       const char *now) {
        struct lock_change *c;

        if (str_eq(was, now))
                return;
        c = arena_push(l->arena, &changes->items, &changes->n, sizeof(*c));
        *c = (struct lock_change){ service, was, now };
}

/* Sorted by service, then those that the compose file does not have any more. */
static struct struct_list make_changes(const struct lock *l) {
        static const struct string_map none = { 0 };
        const struct string_map *was = l->tree.release ? &l->tree.release->images : &none;
        struct struct_list changes = { 0 };

        for (size_t i = 0; i < l->tree.services.n; i++) {
                const struct string_pair *pin = map_find(was, l->slots[i].service.text);

                add_change(l, &changes, l->slots[i].service.text, pin ? pin->value.text : NULL, l->slots[i].pin);
        }
        for (size_t i = 0; i < was->n; i++)
                if (!map_find(&l->tree.services, was->items[i].key.text))
                        add_change(l, &changes, was->items[i].key.text, was->items[i].value.text, NULL);
        return changes;
}

/* Is only the digest another one? */
static bool same_tag(const struct lock_change *c) {
        size_t n;

        if (!c->was || !c->now)
                return false;
        n = strcspn(c->was, "@");
        return n == strcspn(c->now, "@") && strncmp(c->was, c->now, n) == 0;
}

/* The tag that all images have, or NULL. */
static const char *common_tag(const struct lock *l, const struct string_map *images) {
        const char *tag = NULL;

        for (size_t i = 0; i < images->n; i++) {
                own_fault struct fault ignored = FAULT_INIT;
                struct image_ref ref;

                if (image_parse(&images->items[i].value, l->arena, &ref, &ignored) < 0 || !ref.tag ||
                    (tag && !str_eq(tag, ref.tag)))
                        return NULL;
                tag = ref.tag;
        }
        return tag;
}

static int choose_version(const struct lock *l, struct lock_result *result, struct fault *reterr) {
        const struct lock_change *changes = result->changes.items;
        bool tags_stay = l->tree.release != NULL;
        int r;

        for (size_t i = 0; i < result->changes.n; i++)
                tags_stay = tags_stay && same_tag(&changes[i]);
        if (l->request->version)
                result->version = l->request->version;
        else if (tags_stay)
                result->version = l->tree.release->version.text;
        else
                result->version = common_tag(l, &result->images);
        if (result->version && *result->version && utf8_is_valid(result->version, strlen(result->version)))
                return 0;
        if (result->version)
                return fault_set(reterr, FAULT_CONFIG, EINVAL, "--version: a version is a text that is not empty");
        r = fault_set(reterr, FAULT_CONFIG, EINVAL, "the release needs a version: its images do not share one tag");
        fault_hint(reterr, "give it with --version");
        return r;
}

static int write_release(const struct lock *l, const struct lock_result *result, struct fault *reterr) {
        const struct lock_request *q = l->request;
        struct release release = l->tree.release ? *l->tree.release : (struct release){ .app.text = q->app };
        own_buffer struct buffer text = BUFFER_INIT;
        own_json json_t *json = NULL;
        char created[RFC3339_TEXT_MAX];
        int r;

        release.version.text = result->version;
        release.images = result->images;
        release.created = rfc3339_format(q->now_ms - q->now_ms % 1000, created);
        release.by = q->by;
        json = table_write(&release_table, &release);
        buffer_puts(&text, l->tree.heading);
        r = yaml_write(json, &text, reterr);
        return r < 0 ? r : lock_tree_write(q->folder, q->environment, q->app, &text, reterr);
}

int lock_run(const struct lock_request *request, struct arena *a, struct lock_result *ret, struct fault *reterr) {
        struct lock l = { .request = request, .arena = a };
        struct lock_result result = { .path = NULL };
        int r = check_names(request, reterr);

        if (r == 0)
                r = lock_tree_read(request->folder, request->environment, request->app, a, &l.tree, reterr);
        if (r == 0)
                r = read_arguments(&l, reterr);
        if (r == 0)
                r = choose_all(&l, reterr);
        if (r == 0)
                r = resolve_all(&l, reterr);
        if (r < 0)
                return r;
        result.path = lock_tree_path(request->environment, request->app, a);
        result.images = make_images(&l);
        result.changes = make_changes(&l);
        result.was_version = l.tree.release ? l.tree.release->version.text : NULL;
        r = choose_version(&l, &result, reterr);
        if (r < 0)
                return r;
        result.written = result.changes.n > 0 || !str_eq(result.was_version, result.version);
        if (result.written) {
                r = write_release(&l, &result, reterr);
                if (r < 0)
                        return r;
        }
        *ret = result;
        return 0;
}
