/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/launcher/show.h"

#include <limits.h>

#include "shared/base/file.h"
#include "shared/base/text.h"
#include "shared/data/json.h"

static const char *or_dash(const char *s) {
        return s ? s : "-";
}

static void show_list(FILE *out, const json_t *list, const char *title, const char *code, const char *text) {
        const json_t *item;
        size_t i;

        json_array_foreach(list, i, item) fprintf(out, "    %s %s: %s\n", title, or_dash(json_get_string(item, code)),
                                                  or_dash(json_get_string(item, text)));
}

static void show_gates(FILE *out, const json_t *gates) {
        const json_t *gate;
        size_t i;

        json_array_foreach(gates, i, gate) if (!str_eq(json_get_string(gate, "verdict"), "allow"))
                fprintf(out, "    gate %s: %s: %s\n", or_dash(json_get_string(gate, "gate")),
                        or_dash(json_get_string(gate, "verdict")), or_dash(json_get_string(gate, "message")));
}

static void show_app(FILE *out, const json_t *app) {
        const json_t *desired = json_object_get(app, "desired"), *running = json_object_get(app, "running");
        const json_t *failure = json_object_get(app, "failure");
        const char *want = json_get_string(desired, "version"), *have = json_get_string(running, "version");
        const char *waits_for = json_get_string(app, "waits_for");

        fprintf(out, "  %s: %s, %s, %s", or_dash(json_get_string(app, "app")), or_dash(json_get_string(app, "state")),
                or_dash(json_get_string(app, "phase")), or_dash(json_get_string(app, "health")));
        if (str_eq(want, have))
                fprintf(out, "; %s runs\n", or_dash(have));
        else
                fprintf(out, "; %s runs, %s is declared\n", have ? have : "nothing", want ? want : "nothing");
        if (failure)
                fprintf(out, "    failed %s: %s\n", or_dash(json_get_string(failure, "code")),
                        or_dash(json_get_string(failure, "message")));
        show_gates(out, json_object_get(app, "gates"));
        show_list(out, json_object_get(app, "drift"), "drift", "code", "detail");
        if (waits_for)
                fprintf(out, "    waits for: %s\n", waits_for);
}

void show_status(FILE *out, const json_t *status) {
        const json_t *desired = json_object_get(status, "desired"), *refusal = json_object_get(desired, "refusal");
        const json_t *blocked = json_object_get(status, "blocked"), *app;
        size_t i;

        fprintf(out, "%s: %s", or_dash(json_get_string(status, "host")), or_dash(json_get_string(status, "state")));
        if (json_get_string(desired, "accepted"))
                fprintf(out, " at %.12s", json_get_string(desired, "accepted"));
        if (json_get_string(status, "at"))
                fprintf(out, " (%s)", json_get_string(status, "at"));
        fputc('\n', out);
        if (json_is_object(refusal))
                fprintf(out, "  refused %.12s: %s: %s\n", or_dash(json_get_string(refusal, "commit")),
                        or_dash(json_get_string(refusal, "code")), or_dash(json_get_string(refusal, "message")));
        if (json_get_string(refusal, "hint"))
                fprintf(out, "    → %s\n", json_get_string(refusal, "hint"));
        if (json_get_string(desired, "stale"))
                fprintf(out, "  stale: %s\n", json_get_string(desired, "stale"));
        if (blocked)
                fprintf(out, "  blocked %s: %s\n", or_dash(json_get_string(blocked, "code")),
                        or_dash(json_get_string(blocked, "message")));
        json_array_foreach(json_object_get(status, "apps"), i, app) show_app(out, app);
}

void show_summary(char *buf, size_t size, const json_t *status) {
        size_t n = json_array_size(json_object_get(status, "apps"));

        snprintf(buf, size, "%s: %zu app%s", or_dash(json_get_string(status, "state")), n, n == 1 ? "" : "s");
}

void show_next(const char *text, int64_t next_ms, int64_t poll_ms, int64_t limit_ms, const json_t *status) {
        char summary[128], lines[512];
        uint64_t fd;
        int n;

        if (!text || parse_u64(text, &fd) < 0 || fd > INT_MAX)
                return;
        show_summary(summary, sizeof(summary), status);
        n = snprintf(lines, sizeof(lines), "next_ms=%lld\npoll_ms=%lld\nlimit_ms=%lld\nstatus=%s\n", (long long)next_ms,
                     (long long)poll_ms, (long long)limit_ms, summary);
        /* A supervisor that is gone learns it otherwise. */
        if (n > 0 && (size_t)n < sizeof(lines))
                (void)write_all((int)fd, lines, (size_t)n);
}
