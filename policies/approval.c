/* SPDX-License-Identifier: Apache-2.0 */

#include "policies/approval.h"

#include "policies/trust.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/sign/sshsig.h"

/* Where it says something else than its place does. */
static int hold_against(const struct text_at *said, const char *place, const char *what, const char *path,
                        struct fault *reterr) {
        int r;

        if (str_eq(said->text, place))
                return 0;
        if (said->at.line)
                r = fault_set_code_at(reterr, &said->at, REASON_RETRY_INVALID,
                                      "the statement is about %s %s, but stands at that of %s", what,
                                      said->text ? said->text : "(none)", place);
        else
                r = fault_set_code(reterr, FAULT_DENIED, REASON_RETRY_INVALID,
                                   "%s: the statement is about %s %s, but stands at that of %s", path, what,
                                   said->text ? said->text : "(none)", place);
        fault_hint(
                reterr,
                "a statement counts for one release of one app in one environment; `tally retry` writes it in its place");
        return r;
}

int approval_judge_statement(const struct approval_request *q, struct arena *a, struct approval *ret,
                             struct fault *reterr) {
        struct approval approval;
        int r = approval_read(q->statement_path, q->statement, q->statement_size, a, &approval, reterr);

        if (r < 0) {
                reterr->code = REASON_RETRY_INVALID;
                return r;
        }
        r = hold_against(&approval.fleet, q->fleet, "fleet", q->statement_path, reterr);
        if (r == 0)
                r = hold_against(&approval.environment, q->environment, "environment", q->statement_path, reterr);
        if (r == 0)
                r = hold_against(&approval.app, q->app, "app", q->statement_path, reterr);
        if (r == 0)
                r = hold_against(&approval.release, q->release, "release", q->statement_path, reterr);
        if (r < 0)
                return r;
        if (approval.at > q->rules.seen_at + TRUST_SKEW_MS)
                return fault_set_code(reterr, FAULT_DENIED, REASON_RETRY_INVALID,
                                      "%s: the statement was written in the future", q->statement_path);
        if (approval.at && approval.expires_at && approval.expires_at <= approval.at)
                return fault_set_code(reterr, FAULT_DENIED, REASON_RETRY_INVALID,
                                      "%s: the statement expires before it was written", q->statement_path);
        *ret = approval;
        return 0;
}

/* The trust layer's words for commits, in those for statements. */
static void hint_signer(const struct approval_request *q, const char *code, struct fault *reterr) {
        if (code == REASON_TRUST_NAMESPACE)
                fault_hint(
                        reterr,
                        "a line with namespaces=\"git\" is for commits alone; let it say namespaces=\"git," APPROVAL_NAMESPACE
                        "\"");
        else if (code == REASON_TRUST_EXPIRED)
                fault_hint(
                        reterr,
                        "valid-after or valid-before of the line exclude the time at which it was signed, or seen here");
        else if (str_eq(q->principal, "statement.json"))
                fault_hint(reterr, "ssh-keygen names it after the statement; rename it to <principal>.sig");
        else
                fault_hint(reterr,
                           "the file is named after the principal whose line in trust/allowed_signers has the key");
}

static int judge_signer(const struct approval_request *q, const struct sshsig *sig, int64_t at, struct fault *reterr) {
        const int64_t times[] = { q->rules.seen_at, at };
        const struct signer *line;
        int r = signers_find_as(q->signers, &sig->key, q->principal, APPROVAL_NAMESPACE, times, at ? 2 : 1, &line,
                                reterr);

        if (r < 0) {
                hint_signer(q, reterr->code, reterr);
                return r;
        }
        if (q->rules.require_touch && sig->key.type == SSHKEY_SK_ED25519 && !(sig->flags & SSHSIG_USER_PRESENT))
                return fault_set_code(reterr, FAULT_DENIED, REASON_TRUST_TOUCH,
                                      "the security key was not touched, as this host demands");
        return 0;
}

static int judge_signature(const struct approval_request *q, int64_t at, struct fault *reterr) {
        struct sshsig sig;
        int r;

        if (q->signature_size > LIMIT_SIGNATURE_BYTES)
                return fault_set_code(reterr, FAULT_DENIED, REASON_LOAD_LIMIT,
                                      "more than %d bytes (LIMIT_SIGNATURE_BYTES)", LIMIT_SIGNATURE_BYTES);
        r = sshsig_parse(q->signature, q->signature_size, &sig, reterr);
        if (r < 0)
                return r;
        if (!str_eq(sig.namespace, APPROVAL_NAMESPACE)) {
                r = fault_set_code(reterr, FAULT_DENIED, REASON_TRUST_NAMESPACE,
                                   "it was signed for namespace '%s', not for '" APPROVAL_NAMESPACE "'", sig.namespace);
                fault_hint(reterr, "sign with `ssh-keygen -Y sign -n " APPROVAL_NAMESPACE "`");
                return r;
        }
        r = sshsig_verify(&sig, APPROVAL_NAMESPACE, q->statement, q->statement_size, reterr);
        if (r < 0) {
                fault_hint(reterr, "the statement was changed after it was signed, or the signature is another one's");
                return r;
        }
        return judge_signer(q, &sig, at, reterr);
}

int approval_judge_signature(const struct approval_request *q, const struct approval *approval, struct fault *reterr) {
        int r = judge_signature(q, approval->at, reterr);

        if (r < 0) {
                /* That of the layer below is one of commits. */
                reterr->code = REASON_RETRY_INVALID;
                return fault_context(reterr, r, "%s", q->signature_path);
        }
        return 0;
}

struct retry_permission approval_retry(const struct approval_request *q, const struct approval *approval,
                                       struct arena *a) {
        struct digest id = digest_of(q->statement, q->statement_size);

        return (struct retry_permission){
                .id = arena_strdup(a, id.text),
                .release = approval->release.text,
                .principal = arena_strdup(a, q->principal),
                .reason = approval->reason,
                .expires_at = approval->expires_at,
        };
}
