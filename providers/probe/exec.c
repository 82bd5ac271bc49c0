/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/probe/probe_private.h"

#include <errno.h>

#include "shared/base/text.h"

static struct finding judge(const struct check_exec *exec, int64_t code, const char *output, struct arena *a) {
        enum check_verdict verdict = code == 0 ? CHECK_PASS : CHECK_FAIL;
        size_t size = 0;
        const char *line = text_last_lines(exec->output ? output : "", 1, &size);

        return finding_of(verdict, a, "exit code %lld%s%.*s", (long long)code, size > 0 ? ": " : "", (int)size, line);
}

struct finding probe_exec(const struct check *check, const struct probe_target *target, struct arena *a) {
        own_fault struct fault fault = FAULT_INIT;
        char limit[DURATION_TEXT_MAX];
        const char *output = "";
        int64_t code = 0;
        int r = runtime_exec(target->runtime, target->instance, &check->exec->command, (int)check->timeout_ms, a, &code,
                             &output, &fault);

        if (r == 0)
                return judge(check->exec, code, output, a);
        /* With a code it is the engine that did not answer in time. */
        if (r == -ETIMEDOUT && !fault.code)
                return finding_of(CHECK_FAIL, a, "no end within %s", format_duration(check->timeout_ms, limit));
        return finding_of_fault(fault.kind == FAULT_CONFLICT ? CHECK_FAIL : CHECK_INCONCLUSIVE, a, &fault);
}
