/* SPDX-License-Identifier: Apache-2.0 */

/* A release that failed here is not tried again until the desired release changes or a signed retry names it. */

#include "policies/gate.h"
#include "shared/base/clock.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"

/* What stands in the way of the permissions that are there; "" when there is none. */
static const char *why_not(const struct decision_input *input, const struct app_input *app, struct arena *a) {
        const struct retry_permission *retries = app->retries.items;
        const struct refused_retry *refused = app->refused_retries.items;
        char at[RFC3339_TEXT_MAX];

        for (size_t i = app->retries.n; i-- > 0;) {
                if (!str_eq(retries[i].release, app->wanted->release))
                        continue;
                if (rollout_has_used(&app->rollout, retries[i].id))
                        return arena_printf(a, "; the retry that %s signed is used up", retries[i].principal);
                if (retries[i].expires_at && input->now >= retries[i].expires_at)
                        return arena_printf(a, "; the retry that %s signed expired at %s", retries[i].principal,
                                            rfc3339_format(retries[i].expires_at, at));
        }
        return app->refused_retries.n > 0 ? arena_printf(a, "; a retry does not count: %s", refused[0].message) : "";
}

static void deny(const struct gate *gate, const struct decision_input *input, const struct app_input *app,
                 struct arena *a, struct struct_list *verdicts) {
        const char *version = app->wanted->version ? app->wanted->version : app->wanted->release;
        struct verdict *v;
        struct text_at *reason;

        verdict_add(
                verdicts, a, gate->name, VERDICT_DENY, REASON_GATE_POISONED,
                arena_printf(
                        a,
                        "release %s failed on this host; merge another one, or a signed retry (`tally retry`), to go on%s",
                        version, why_not(input, app, a)));
        if (app->refused_retries.n == 0)
                return;
        v = (struct verdict *)verdicts->items + verdicts->n - 1;
        reason = arena_push(a, &v->reasons.items, &v->reasons.n, sizeof(struct text_at));
        reason->text = REASON_RETRY_INVALID;
}

static void judge(const struct gate *gate, const struct decision_input *input, const struct app_input *app,
                  struct arena *a, struct struct_list *verdicts) {
        if (!app->wanted || !app->wanted->release)
                verdict_add(verdicts, a, gate->name, VERDICT_DENY, REASON_GATE_POISONED,
                            "the declared release is not known");
        else if (rollout_is_poisoned(&app->rollout, app->wanted->release) &&
                 !app_input_retry_for(app, app->wanted->release, input->now))
                deny(gate, input, app, a, verdicts);
        else
                verdict_add(verdicts, a, gate->name, VERDICT_ALLOW, NULL, NULL);
}

const struct gate gate_poison = {
        .name = "poison",
        .judge = judge,
        .doc = "Denies a release that failed on this host, unless a signed retry names it.",
};
