/* SPDX-License-Identifier: Apache-2.0 */

/* Enrolment: a host acts only for a fleet that names it, with the key that it has. */

#include "reconciler/pass/context.h"
#include "shared/base/log.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"

const char *pass_host_document(const char *host, const char *public_key, struct arena *a) {
        return arena_printf(a,
                            "# hosts/%s.yaml\n"
                            "apiVersion: tallyman/v1\n"
                            "kind: Host\n"
                            "host: %s\n"
                            "environment: prod\n"
                            "key: %s\n",
                            host, host, public_key);
}

static void block(struct pass *p, const char *code, int exit_code, const char *message) {
        p->facts.blocked_code = code;
        p->facts.blocked_exit = exit_code;
        p->facts.blocked = message;
        log_write(LOG_LEVEL_WARNING, LOG_FIELDS({ "TALLY_REASON", code }), "%s", message);
}

void pass_enrol(struct pass *p) {
        const char *host = p->config->host.text;
        own_buffer struct buffer line = BUFFER_INIT;
        struct sshkey enrolled;
        own_fault struct fault fault = FAULT_INIT;

        if (!p->accepted.commit)
                return;
        sshkey_put_line(&p->key.key, host, &line);
        if (!p->desired.host) {
                block(p, REASON_HOST_NOT_ENROLLED, 3,
                      arena_printf(p->arena, "host %s is not enrolled: merge this as hosts/%s.yaml\n%s", host, host,
                                   pass_host_document(host, buffer_str(&line), p->arena)));
                return;
        }
        if (p->desired.host->state != HOST_ACTIVE) {
                block(p, REASON_HOST_INACTIVE, 4,
                      arena_printf(p->arena, "hosts/%s.yaml says that this host is %s: nothing is touched", host,
                                   host_state_names[p->desired.host->state]));
                return;
        }
        if (!p->desired.host->key.text) {
                block(p, REASON_HOST_NOT_ENROLLED, 3,
                      arena_printf(p->arena, "hosts/%s.yaml holds no key: merge `key: %s`", host, buffer_str(&line)));
                return;
        }
        if (sshkey_parse(p->desired.host->key.text, &enrolled, &fault) < 0 || !sshkey_equal(&enrolled, &p->key.key))
                block(p, REASON_HOST_KEY_MISMATCH, 4,
                      arena_printf(
                              p->arena,
                              "hosts/%s.yaml holds another key than this host's; merge `key: %s` if this host is %s",
                              host, buffer_str(&line), host));
}
