/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/model/rollout.h"

#include "shared/base/text.h"

const char *const phase_names[] = {
        [PHASE_ABSENT] = "absent",
        [PHASE_SETTLED] = "settled",
        [PHASE_PREPARING] = "preparing",
        [PHASE_STAGING] = "staging",
        [PHASE_EVALUATING] = "evaluating",
        [PHASE_FINISHING] = "finishing",
        [PHASE_REVERTING] = "reverting",
        [PHASE_PAUSED] = "paused",
        [PHASE_STUCK] = "stuck",
        [PHASE_REMOVING] = "removing",
        NULL,
};

#define AT(member) offsetof(struct rollout, member)
static const struct field rollout_fields[] = {
        { .key = "app", .type = FIELD_STRING, .at = AT(app), .flags = FIELD_REQUIRED, .doc = "The app." },
        { .key = "phase", .type = FIELD_ENUM, .at = AT(phase), .flags = FIELD_REQUIRED, .names = phase_names,
          .doc = "Where it stands." },
        { .key = "runtime", .type = FIELD_STRING, .at = AT(runtime), .flags = FIELD_OMIT,
          .doc = "The runtime that a release was last brought to." },
        { .key = "release", .type = FIELD_STRING, .at = AT(release), .flags = FIELD_OMIT,
          .doc = "The release it is going to." },
        { .key = "version", .type = FIELD_STRING, .at = AT(version), .flags = FIELD_OMIT, .doc = "Its version." },
        { .key = "settled_release", .type = FIELD_STRING, .at = AT(settled_release), .flags = FIELD_OMIT,
          .doc = "The last release proven here." },
        { .key = "settled_version", .type = FIELD_STRING, .at = AT(settled_version), .flags = FIELD_OMIT,
          .doc = "Its version." },
        { .key = "settled_at", .type = FIELD_INTEGER, .at = AT(settled_at), .flags = FIELD_OMIT,
          .doc = "Since when, ms." },
        { .key = "kept", .type = FIELD_STRING_LIST, .at = AT(kept),
          .doc = "Ids of the instances that ran before this rollout began." },
        { .key = "restarted", .type = FIELD_STRING_LIST, .at = AT(restarted), .flags = FIELD_OMIT,
          .doc = "Ids of those of them that the revert under way has started again." },
        { .key = "prepared", .type = FIELD_BOOL, .at = AT(prepared), .doc = "Images and files are here and verified." },
        { .key = "steps", .type = FIELD_STRUCT_LIST, .at = AT(steps), .flags = FIELD_OMIT, .sub = &rollout_step_table,
          .doc = "The plan under way." },
        { .key = "checks", .type = FIELD_STRUCT_LIST, .at = AT(checks), .flags = FIELD_OMIT, .sub = &check_state_table,
          .doc = "How the checks of the release under way stand." },
        { .key = "candidate", .type = FIELD_INTEGER, .at = AT(candidate), .absent = -1,
          .doc = "Percent of the requests for the new release; -1: as the instances stand." },
        { .key = "routed_at", .type = FIELD_INTEGER, .at = AT(routed_at), .flags = FIELD_OMIT,
          .doc = "When the route was last changed, ms." },
        { .key = "routed", .type = FIELD_STRING, .at = AT(routed), .flags = FIELD_OMIT,
          .doc = "Digest of the route that was last put into force." },
        { .key = "router", .type = FIELD_STRING, .at = AT(router), .flags = FIELD_OMIT, .doc = "The router that it is in force at." },
        { .key = "route_attempts", .type = FIELD_INTEGER, .at = AT(route_attempts), .flags = FIELD_OMIT,
          .doc = "Failed tries to change the route." },
        { .key = "route_retry_at", .type = FIELD_INTEGER, .at = AT(route_retry_at), .flags = FIELD_OMIT,
          .doc = "The next try to change the route is not before this, ms." },
        { .key = "started_at", .type = FIELD_INTEGER, .at = AT(started_at), .doc = "When the rollout began, ms." },
        { .key = "progress_at", .type = FIELD_INTEGER, .at = AT(progress_at), .doc = "When it last went forward, ms." },
        { .key = "seen_at", .type = FIELD_INTEGER, .at = AT(seen_at), .doc = "When it was last looked at, ms." },
        { .key = "attempts", .type = FIELD_INTEGER, .at = AT(attempts), .doc = "Failed tries of this phase." },
        { .key = "retry_at", .type = FIELD_INTEGER, .at = AT(retry_at), .doc = "The next try is not before this, ms." },
        { .key = "doomed", .type = FIELD_BOOL, .at = AT(doomed), .flags = FIELD_OMIT,
          .doc = "An action failed for good; the next look ends the rollout." },
        { .key = "failure_code", .type = FIELD_STRING, .at = AT(failure_code), .flags = FIELD_OMIT,
          .doc = "Reason code of the failure." },
        { .key = "failure_text", .type = FIELD_STRING, .at = AT(failure_text), .flags = FIELD_OMIT,
          .doc = "The same for people." },
        { .key = "trouble", .type = FIELD_STRING, .at = AT(trouble), .flags = FIELD_OMIT,
          .doc = "What holds up taking it back." },
        { .key = "poisoned", .type = FIELD_STRING_LIST, .at = AT(poisoned), .doc = "Releases that failed here." },
        { .key = "retried", .type = FIELD_STRING_LIST, .at = AT(retried), .flags = FIELD_OMIT,
          .doc = "Signed retries that were used up." },
        { .key = "intent", .type = FIELD_INTEGER, .at = AT(intent), .absent = -1,
          .doc = "Sequence number of the open intent record; -1: none." },
        { .key = "breaker", .type = FIELD_STRUCT, .at = AT(breaker), .flags = FIELD_OMIT, .sub = &breaker_table,
          .doc = "What holds back repairs of drift that keeps coming back." },
        { },
};
#undef AT

const struct table rollout_table = {
        .title = "Rollout",
        .size = sizeof(struct rollout),
        .fields = rollout_fields,
        .doc = "Where an app stands on its way from one release to the next.",
};

bool rollout_is_poisoned(const struct rollout *r, const char *release) {
        return string_list_has(&r->poisoned, release);
}

bool rollout_is_over(const struct rollout *r) {
        return r->phase == PHASE_ABSENT && r->poisoned.n == 0 && r->retried.n == 0 && r->intent < 0;
}

bool rollout_has_used(const struct rollout *r, const char *retry) {
        return string_list_has(&r->retried, retry);
}
