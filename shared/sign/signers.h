/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * allowed_signers: who may sign what, and when (ssh-keygen(1), ALLOWED SIGNERS)
 *
 *      principals [options] keytype base64 [comment]
 *
 * ssh-keygen skips a line that it cannot read, so that a broken narrow line falls through to a broader one. Here any
 * malformed line refuses the whole file, at its line and column. The rest is as there: principals are a comma-separated
 * list of patterns with negation; the options are cert-authority, namespaces="list", valid-after="time" and
 * valid-before="time", each at most once. Times are YYYYMMDD[HHMM[SS]] with Z for UTC, else in the local time zone (as
 * in OpenSSH its standard time; write the Z where hosts may differ), and both ends count as valid. A line without
 * namespaces is good for every namespace. Key types that we don't verify are valid lines which match nothing.
 */

#include "shared/base/arena.h"
#include "shared/sign/sshkey.h"

struct signer {
        unsigned line;
        const char *principals; /* the field as written, unquoted */
        const char *principal;  /* the first concrete one, else the first pattern; NULL: the line matches nobody */
        enum sshkey_type type;
        const char *type_name;
        unsigned char id[32];    /* SHA-256 of the key's wire blob */
        bool cert_authority;     /* matches certificates only, so nothing here */
        const char *namespaces;  /* pattern list; NULL: all */
        int64_t valid_after_ms;  /* inclusive; INT64_MIN: since ever */
        int64_t valid_before_ms; /* inclusive (its whole second); INT64_MAX: for ever */
};

struct signers {
        struct source source;
        struct signer *lines; /* in the order of the file, without comments and blank lines */
        size_t n;
        const struct signer **by_key; /* the same lines, sorted by key, then by line */
};

/*
 * Read the file. @name is what positions call it; name and bytes are copied to @a, where everything lives.
 * FAULT_CONFIG with position and code TRUST_SIGNERS_INVALID. A file without lines is valid here.
 */
int signers_parse(const char *name, const void *bytes, size_t size, struct arena *a, struct signers *ret,
                  struct fault *reterr);

/*
 * The first line that allows @key in @namespace at all @n times (none: at any time), as ssh-keygen chooses it.
 * O(log n) in the lines. FAULT_DENIED: TRUST_UNKNOWN_SIGNER, TRUST_NAMESPACE (the key is there, but for other
 * namespaces) or TRUST_EXPIRED (for this namespace, but not at this time), the latter two naming the line.
 */
int signers_find_at(const struct signers *s, const struct sshkey *key, const char *namespace, const int64_t *times_ms,
                    size_t n, const struct signer **ret_line, struct fault *reterr);
static inline int signers_find(const struct signers *s, const struct sshkey *key, const char *namespace, int64_t at_ms,
                               const struct signer **ret_line, struct fault *reterr) {
        return signers_find_at(s, key, namespace, &at_ms, 1, ret_line, reterr);
}

/*
 * The same for somebody who says that he is @principal (`ssh-keygen -Y verify -I`): only lines whose list matches him
 * count. FAULT_DENIED, TRUST_UNKNOWN_SIGNER: the key is there, but it is somebody else's.
 */
int signers_find_as(const struct signers *s, const struct sshkey *key, const char *principal, const char *namespace,
                    const int64_t *times_ms, size_t n, const struct signer **ret_line, struct fault *reterr);

/* Is the key on any line, whatever the line allows? */
bool signers_know(const struct signers *s, const struct sshkey *key);
/* How many lines could allow somebody in @namespace at some time. */
size_t signers_count(const struct signers *s, const char *namespace);
