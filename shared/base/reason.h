/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Reason codes: stable words for why something was refused, held or failed
 *
 * They appear in faults, verdicts, records and `--json`; a code never changes
 * its meaning and is never reused. Families by prefix. docs/reasons.md lists
 * them from this table; a test holds the two together.
 */

#define REASONS(X) \
        X(TRUST_UNSIGNED, "the commit carries no signature") \
        X(TRUST_BAD_OBJECT, "the commit object is not what git would write") \
        X(TRUST_BAD_SIGNATURE, "the signature does not verify over the commit") \
        X(TRUST_UNKNOWN_SIGNER, "the key is not in the allowed_signers that decides about this commit") \
        X(TRUST_NAMESPACE, "the signature or the signer's line is for another namespace") \
        X(TRUST_EXPIRED, "the signer's line is not valid at this time") \
        X(TRUST_REVOKED, "the key was removed from allowed_signers") \
        X(TRUST_ALGORITHM, "the key or hash algorithm is not accepted") \
        X(TRUST_SIGNERS_INVALID, "trust/allowed_signers is malformed or missing") \
        X(TRUST_FUTURE, "the commit's date lies in the future") \
        X(TRUST_REWIND, "the branch went back behind, or away from, what was accepted") \
        X(TRUST_SHALLOW, "the repository is shallow, grafted or has replaced objects") \
        X(TRUST_LIMIT, "the range holds more than is verified in one pass") \
        X(TRUST_MISSING_OBJECT, "an object of the range cannot be read") \
        X(TRUST_TOUCH, "a security key signed without the touch that is required") \
        X(FETCH_FAILED, "the repository cannot be reached") \
        X(FETCH_HOST_KEY, "the server's host key is not the pinned one") \
        X(FETCH_CERTIFICATE, "the server's TLS certificate does not verify") \
        X(FETCH_REDIRECT, "the server redirects to another host") \
        X(FETCH_AUTH, "the server refuses our credentials") \
        X(FETCH_BRANCH_MISSING, "the branch does not exist in the repository") \
        X(LOAD_INVALID, "a document of the desired state is invalid") \
        X(LOAD_TAG_ONLY, "an image is not pinned by digest") \
        X(LOAD_REFERENCE, "a document names something that does not exist") \
        X(LOAD_LIMIT, "a document or a tree exceeds a limit") \
        X(HOST_NOT_ENROLLED, "no hosts/<host>.yaml names this host") \
        X(HOST_KEY_MISMATCH, "hosts/<host>.yaml holds another public key than this host's") \
        X(HOST_INACTIVE, "hosts/<host>.yaml says that this host is retired or revoked") \
        X(GATE_POISONED, "this release failed here and is not tried again") \
        X(GATE_SUSPENDED, "acting on this host is suspended") \
        X(GATE_LEDGER, "the ledger cannot be written, so nothing is changed") \
        X(RUNTIME_UNAVAILABLE, "the engine cannot be reached") \
        X(RUNTIME_UNSUPPORTED, "the engine or its API version is not one we can drive") \
        X(IMAGE_PULL_FAILED, "an image cannot be pulled") \
        X(IMAGE_AUTH, "the registry refuses our credentials") \
        X(IMAGE_NOT_FOUND, "the registry does not have the pinned digest") \
        X(REGISTRY_UNAVAILABLE, "the registry cannot be reached, or gives no usable answer") \
        X(IMAGE_DIGEST_MISMATCH, "what arrived is not what was pinned") \
        X(RESOURCE_FOREIGN, "a container, network, volume or name is there already and is not ours") \
        X(RESOURCE_MISSING, "an external network or volume, or a folder of the host, is not there") \
        X(ROLLOUT_UNHEALTHY, "the new instances did not become healthy in time") \
        X(ROLLOUT_EXITED, "a new instance stopped by itself") \
        X(ROLLOUT_START_FAILED, "a new instance could not be created or started") \
        X(ROLLOUT_TIMEOUT, "the rollout made no progress in time") \
        X(ROLLOUT_REVERT_FAILED, "the old instances could not be brought back") \
        X(ROLLOUT_CHECK, "a check of the new release failed") \
        X(ROLLOUT_INCONCLUSIVE, "the checks of the new release came to no verdict in time") \
        X(ROLLOUT_STEP, "a step of the rollout failed") \
        X(ROLLOUT_EXCLUSIVE, "a service cannot run beside its predecessor, as the strategy needs") \
        X(ROUTER_UNAVAILABLE, "the router cannot be reached") \
        X(ROUTE_INVALID, "the router refuses the configuration; the one before stays in force") \
        X(HOOK_UNKNOWN, "this host's configuration does not allow a command of that name") \
        X(HOOK_FAILED, "a hook failed") \
        X(RETRY_INVALID, "a signed retry does not verify, or is not for this") \
        X(DRIFT_ROUTE, "the router does not split requests as it should") \
        X(DRIFT_STOPPED, "an instance is not running") \
        X(DRIFT_MISSING, "an instance is not there") \
        X(DRIFT_EXTRA, "an instance is there that nothing declares") \
        X(DRIFT_IMAGE, "an instance runs another image than the one pinned") \
        X(DRIFT_SPEC, "an instance was made from another specification") \
        X(DRIFT_UNHEALTHY, "an instance is unhealthy") \
        X(DRIFT_NETWORK, "an instance is not attached to its networks") \
        X(DRIFT_FILE, "a mounted file is not the one that was declared") \
        X(DRIFT_STICKER, "the sticker on the host is not the one we wrote") \
        X(LEDGER_PUSH_FAILED, "the ledger could not be pushed and is kept") \
        X(LEDGER_DIVERGED, "the ledger branch at the remote is not ours") \
        X(LEDGER_REWOUND, "the ledger branch at the remote went back") \
        X(LEDGER_INVALID, "the ledger does not verify") \
        X(STATE_UNWRITABLE, "the state folder cannot be written") \
        X(STATE_CORRUPT, "a state file cannot be read") \
        X(CLOCK_BACKWARDS, "the clock went back since the last record")

#define REASON_DECLARE_(code, text) extern const char REASON_##code[]; /* "code" */
REASONS(REASON_DECLARE_)
#undef REASON_DECLARE_

/* The sentence of a code, or NULL when there is no such code. */
const char *reason_text(const char *code);
/* All codes in the order of the table, NULL-terminated. */
const char *const *reason_codes(void);
