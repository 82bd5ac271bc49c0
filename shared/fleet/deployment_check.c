/* SPDX-License-Identifier: Apache-2.0 */

/* What an app.yaml says about services, held against the services that there are. */

#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/fleet/fleet_private.h"

static bool has_service(const struct compose *c, const char *name) {
        const struct compose_service *services = c->services.items;

        for (size_t i = 0; i < c->services.n; i++)
                if (str_eq(services[i].name.text, name))
                        return true;
        return false;
}

static int refuse_service(const struct deployment *d, const struct text_at *name, struct fault *reterr) {
        const struct compose_service *services = d->compose.services.items;
        own_arena struct arena *scratch = arena_new();
        const char **known = arena_array(scratch, d->compose.services.n + 1, sizeof(*known)), *closest;
        int r = fault_set_code_at(reterr, &name->at, REASON_LOAD_REFERENCE, "app '%s' has no service '%s'",
                                  d->app->app.text, name->text);

        for (size_t i = 0; i < d->compose.services.n; i++)
                known[i] = services[i].name.text;
        closest = closest_name(name->text, known);
        if (closest)
                fault_hint(reterr, "did you mean '%s'?", closest);
        return r;
}

static int check_service(const struct deployment *d, const struct text_at *name, struct fault *reterr) {
        return has_service(&d->compose, name->text) ? 0 : refuse_service(d, name, reterr);
}

static int check_hook(const struct deployment *d, const struct text_at *service, struct fault *reterr) {
        int r = check_service(d, service, reterr);

        if (r < 0 || app_role(d->app, service->text) == ROLE_HOOK)
                return r;
        r = fault_set_code_at(reterr, &service->at, REASON_LOAD_INVALID, "service '%s' is no hook", service->text);
        fault_hint(reterr, "say so in app.yaml: roles: {%s: hook}", service->text);
        return r;
}

int deployment_check(const struct deployment *d, struct fault *reterr) {
        const struct app *app = d->app;
        const struct check *checks = app->checks.items;
        const struct plan_step *steps = app->steps.items;
        int r = 0;

        for (size_t i = 0; r == 0 && i < app->roles.n; i++)
                r = check_service(d, &app->roles.items[i].key, reterr);
        for (size_t i = 0; r == 0 && i < app->checks.n; i++)
                r = check_service(d, &checks[i].service, reterr);
        if (r == 0 && app->traffic)
                r = check_service(d, &app->traffic->service, reterr);
        for (size_t i = 0; r == 0 && i < app->steps.n; i++)
                if (steps[i].hook && steps[i].hook->service.text)
                        r = check_hook(d, &steps[i].hook->service, reterr);
        return r;
}
