/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/probe.h"

#include <stdio.h>
#include <string.h>

#include "providers/probe/probe_private.h"
#include "shared/base/clock.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"

/*
 * Findings
 */

struct finding finding_pass(const char *detail) {
        return (struct finding){ .verdict = CHECK_PASS, .detail = detail };
}

struct finding finding_of(enum check_verdict verdict, struct arena *a, const char *fmt, ...) {
        char text[LIMIT_CHECK_DETAIL_BYTES];
        va_list ap;

        va_start(ap, fmt);
        (void)vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        /* Cut in a character, its first bytes become '?'. */
        text_make_harmless(text, "");
        return (struct finding){ .verdict = verdict, .detail = arena_strdup(a, text) };
}

struct finding finding_of_fault(enum check_verdict verdict, struct arena *a, const struct fault *f) {
        own_free char *text = fault_to_string(f);

        return finding_of(verdict, a, "%s", text ? text : "out of memory");
}

/*
 * The check of one port
 */

static bool is_published(const struct instance *in, int64_t port) {
        const struct endpoint *endpoints = in->endpoints.items;

        for (size_t i = 0; i < in->endpoints.n; i++)
                if (endpoints[i].port == port)
                        return true;
        return false;
}

static struct finding probe_port(const struct check *check, const struct instance *in, struct arena *a) {
        int64_t port = check->http ? check->http->port : check->tcp->port;
        const char *address = instance_reach(in, port, a);

        if (!address)
                return finding_of(CHECK_INCONCLUSIVE, a,
                                  "there is no way to port %d: it is not published, and the container has no address",
                                  (int)port);
        return check->http ? probe_http(check, address, a) : probe_tcp(check, address, is_published(in, port), a);
}

static struct finding probe_instance(const struct check *check, const struct probe_target *target, struct arena *a) {
        const struct instance *in = target->instance;

        if (!in)
                return finding_of(CHECK_INCONCLUSIVE, a, "there is no instance");
        if (in->state != INSTANCE_RUNNING)
                return finding_of(CHECK_FAIL, a, "it is not running but %s", instance_state_names[in->state]);
        return check->exec ? probe_exec(check, target, a) : probe_port(check, in, a);
}

void probe(const struct check *check, const struct probe_target *target, struct arena *a, struct check_fact *ret) {
        int64_t start = clock_monotonic_ns();
        struct finding found =
                check->prometheus ? probe_prometheus(check, target, a) : probe_instance(check, target, a);
        const struct instance *in = check->prometheus ? NULL : target->instance;

        *ret = (struct check_fact){
                .check = check->name.text,
                .instance = in ? in->id : NULL,
                .verdict = found.verdict,
                .value = found.value,
                .baseline = found.baseline,
                .detail = found.detail,
                .took_ms = (clock_monotonic_ns() - start) / 1000000,
                .started_at = in ? in->started_at : 0,
        };
}
