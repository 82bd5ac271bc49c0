/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Limits: every bound on what we read from outside, by name
 *
 * An input that exceeds one is refused with a fault that names the limit.
 */

#define LIMIT_DOCUMENT_BYTES       (1024 * 1024)      /* one YAML or trust file of the desired state */
#define LIMIT_YAML_DEPTH           64                 /* nesting of collections */
#define LIMIT_YAML_NODES           200000             /* nodes, aliases counted as what they expand to */
#define LIMIT_JSON_BYTES           (64 * 1024 * 1024) /* one JSON document from an engine or a file */
#define LIMIT_JSON_DEPTH           64
#define LIMIT_APP_FILES            2000               /* files under apps/<app>/ */
#define LIMIT_APP_BYTES            (64 * 1024 * 1024) /* their sum */
#define LIMIT_FLEET_DOCUMENTS      20000              /* documents of one desired state */
#define LIMIT_PLAN_STEPS           256                /* steps of one rollout */
#define LIMIT_CHECKS               64                 /* checks of one app */
#define LIMIT_SERVICES             2000               /* services of one app */
#define LIMIT_REPLICAS             256
#define LIMIT_COMPOSE_FILES        64           /* files that one app includes or extends */
#define LIMIT_EXTENDS_DEPTH        16           /* services that extend each other, files that include each other */
#define LIMIT_COMMIT_BYTES         (256 * 1024) /* one raw commit object */
#define LIMIT_COMMIT_PARENTS       16
#define LIMIT_RANGE_COMMITS        200000  /* commits verified in one pass */
#define LIMIT_REVOKED_SEARCH       1000    /* accepted commits searched for a key that is no longer known */
#define LIMIT_HISTORY_COMMITS      1000000 /* commits whose parents are read to know what is old */
#define LIMIT_TREE_BYTES           (16 * 1024 * 1024)
#define LIMIT_TREE_DEPTH           32
#define LIMIT_TREE_NAME_BYTES      255               /* one name in a tree: what Linux takes */
#define LIMIT_SIGNATURE_BYTES      (16 * 1024)       /* armoured SSHSIG */
#define LIMIT_SIGNERS_BYTES        (4 * 1024 * 1024) /* allowed_signers */
#define LIMIT_SIGNERS_LINES        10000
#define LIMIT_PRIVATE_KEY_BYTES    (16 * 1024)
#define LIMIT_PRINCIPAL_BYTES      255 /* one principal of an allowed_signers line */
#define LIMIT_HTTP_HEADER_BYTES    (256 * 1024)
#define LIMIT_HTTP_BODY_BYTES      (64 * 1024 * 1024)
#define LIMIT_HTTP_REDIRECTS       5   /* followed for one request */
#define LIMIT_ROUTE_TARGETS        512 /* instances of one app in a router: two releases of LIMIT_REPLICAS */
#define LIMIT_ROUTER_BYTES         (4 * 1024 * 1024) /* one file of ours for a router, one answer of a router about us */
#define LIMIT_URL_BYTES            2048              /* of a repository */
#define LIMIT_BRANCH_BYTES         200               /* name of a branch */
#define LIMIT_PACKED_REFS_BYTES    (64 * 1024 * 1024) /* packed-refs of a local remote */
#define LIMIT_SYMREF_DEPTH         5                  /* symbolic refs that point at symbolic refs */
#define LIMIT_LSREFS_BYTES         (256 * 1024)       /* a server's answer about one branch */
#define LIMIT_KNOWN_HOSTS_BYTES    (1024 * 1024)
#define LIMIT_KNOWN_HOSTS_LINES    10000
#define LIMIT_CREDENTIALS_BYTES    (64 * 1024)                /* the credentials file */
#define LIMIT_FETCH_BYTES          (4LL * 1024 * 1024 * 1024) /* one fetch */
#define LIMIT_MIRROR_PATHS         100000                     /* files listed of one tree */
#define LIMIT_ENVELOPE_BYTES       (32 * 1024 * 1024)         /* one DSSE envelope */
#define LIMIT_ENVELOPE_SIGNATURES  16
#define LIMIT_STATE_BYTES          (16 * 1024 * 1024) /* one state file */
#define LIMIT_NAME_BYTES           63                 /* host, app, service, environment names */
#define LIMIT_PROCESS_OUTPUT       (1024 * 1024)      /* what a child may print to us */
#define LIMIT_CONFIG_BYTES         (256 * 1024)       /* tally.yaml, Docker's config.json */
#define LIMIT_INTERPOLATION_BYTES  (64 * 1024)        /* one value after ${…} */
#define LIMIT_INTERPOLATION_DEPTH  8                  /* ${A:-${B:-…}} */
#define LIMIT_EXCERPT_BYTES        200                /* of the offending line, in a fault */
#define LIMIT_LOG_MESSAGE          (16 * 1024)        /* one log line; the rest is cut off */
#define LIMIT_IMAGE_BYTES          1024               /* one image reference */
#define LIMIT_IMAGE_NAME_BYTES     255  /* registry and repository: distribution/reference, NameTotalLengthMax */
#define LIMIT_PORTS                4096 /* ports of one service, ranges expanded */
#define LIMIT_COMMAND_BYTES        (128 * 1024)       /* one command line that is split into words */
#define LIMIT_ENV_LINES            10000              /* lines of one env file */
#define LIMIT_WORKER_LINE          1024               /* one line that a worker tells tallyd */
#define LIMIT_WORKER_BYTES         (64 * 1024)        /* all of them, in one pass */
#define LIMIT_PULL_LINE            (64 * 1024)        /* one line of the engine's progress of a pull */
#define LIMIT_IMAGE_LAYERS         512                /* layers whose progress is followed */
#define LIMIT_VERIFIED_RECORDS     262144             /* commits remembered as verified */
#define LIMIT_LEDGER_BLOB          (64 * 1024 * 1024) /* one file of the ledger: a world, an artifact */
#define LIMIT_CHALLENGE_BYTES      4096               /* one WWW-Authenticate header of a registry */
#define LIMIT_CHALLENGES           16                 /* challenges of one answer */
#define LIMIT_CHALLENGE_PARAMETERS 16                 /* of one challenge */
#define LIMIT_TOKEN_BYTES          (64 * 1024)        /* a registry's bearer token, and the document that it comes in */
#define LIMIT_MANIFEST_BYTES       (4 * 1024 * 1024)  /* one image manifest or index: what registries take */
#define LIMIT_MEDIA_TYPE_BYTES     255                /* RFC 6838, 4.2: two names of 127 */
#define LIMIT_LOOSE_OBJECTS        2000               /* loose objects of a mirror before they are packed */
#define LIMIT_PACKS                20                 /* packs of a mirror before they are merged */
#define LIMIT_COMPACT_OBJECTS      50000              /* objects of a pack that we write: some 10 MB of memory */
#define LIMIT_APPROVAL_BYTES       (64 * 1024)        /* one statement under approvals/ */
#define LIMIT_APPROVALS            64                 /* files beside each other for one release */
#define LIMIT_COMPACT_BYTES        (64 * 1024 * 1024) /* one object of it */
#define LIMIT_CHECK_BODY_BYTES     (64 * 1024)        /* the part of an HTTP answer that a check looks at */
#define LIMIT_CHECK_QUERY_BYTES    (16 * 1024)        /* one PromQL query, filled in */
#define LIMIT_CHECK_ANSWER_BYTES   (256 * 1024)       /* a Prometheus server's answer to it */
#define LIMIT_CHECK_DETAIL_BYTES   200                /* what a check cites of what others say */
#define LIMIT_EXEC_OUTPUT_BYTES    4096               /* what is kept of what a command in a container prints */
