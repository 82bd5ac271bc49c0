/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Statements: what is said about which artefacts (in-toto Attestation Framework, spec/v1/statement.md)
 *
 *      {"_type": "https://in-toto.io/Statement/v1", "subject": [{"name": …, "digest": {…}}],
 *       "predicateType": …, "predicate": {…}}
 *
 * Building aborts without memory: what is built is small.
 */

#include "shared/data/json.h"

#define STATEMENT_TYPE "https://in-toto.io/Statement/v1"

/* A statement without subjects. @predicate is taken over. */
json_t *statement_new(const char *predicate_type, json_t *predicate);
/*
 * Add a subject called @name (NULL: none) with one digest: "sha256", "gitCommit", "gitTree", "gitBlob" and lower-case
 * hex. Returns its digest object, borrowed, for more of them: json_set_string(d, "gitTree", hex).
 */
json_t *statement_add_subject(json_t *statement, const char *name, const char *algorithm, const char *hex);

/* The bytes that are signed: canonical JSON. */
int statement_write(const json_t *statement, struct buffer *out, struct fault *reterr);

/*
 * Read a payload: _type is v1, at least one subject, each with a digest of lower-case hex, and predicateType as given.
 * Fields we don't know are ignored. FAULT_CONFIG. The predicate is json_object_get(*ret, "predicate"), an object.
 */
int statement_parse(const char *name, const void *bytes, size_t size, const char *predicate_type, json_t **ret,
                    struct fault *reterr);
