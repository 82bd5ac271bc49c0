/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Probe: make a check (shared/model/check.h), once
 *
 * HTTP, TCP and exec on one instance; a Prometheus query about the whole release. Whatever happens is a fact, never a
 * fault:
 *
 *   - An instance that does not run, does not answer in time, or answers otherwise than asked for fails.
 *   - What cannot be asked is inconclusive: a port that the host has no way to, an engine that is away, a runtime that
 *     runs no commands.
 *   - A Prometheus server that does not answer, answers with anything but one number, or says that there is no traffic
 *     is inconclusive. A number passes: what it means is not decided here (policies/analysis.h). Without a settled
 *     release no baseline is asked.
 *
 * A detail never holds what an instance answered, as facts stand in the ledger for everybody to read; the last line of
 * a command's output only where its check says so.
 */

#include "providers/runtime/runtime.h"
#include "shared/model/check.h"

struct probe_target {
        struct runtime *runtime;
        const struct instance *instance; /* NULL for a Prometheus query */
        const char *host, *app, *service;
        const char *release, *version;                 /* of the new release */
        const char *current_release, *current_version; /* of the old one; NULL: none */
};

/* Strings live in @a. Takes at most the check's timeout (a Prometheus check: for each of its queries). */
void probe(const struct check *check, const struct probe_target *target, struct arena *a, struct check_fact *ret);
