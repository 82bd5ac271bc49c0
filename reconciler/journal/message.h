/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Message ids: one for each kind of event that an operator may look for
 *
 *     log_write(LOG_LEVEL_WARNING, LOG_FIELDS({ "MESSAGE_ID", MESSAGE_DRIFT_FOUND }, { "TALLY_APP", app }), "…");
 *     journalctl MESSAGE_ID=39cfb0176fd1403bbc6777de069ebac6
 *
 * contrib/systemd/tallyman.catalog explains each, and names the fields that its text uses; a test holds the two
 * together. An id never changes its meaning.
 */

#define MESSAGE_TALLYD_STARTED   "d8570926019b4766a1d26d9494fcc15d"
#define MESSAGE_TALLYD_STOPPED   "dc2cb78af1b14dbd9fdf60ca08ff679b"
#define MESSAGE_PASS_FAILED      "f6835c760d8f4edaab6d0451beb6cb7e" /* TALLY_EXIT, TALLY_FAILURES, TALLY_NEXT */
#define MESSAGE_PASS_LOST        "c433598477d0409cb5bcca3bef2e5191" /* the same */
#define MESSAGE_RELEASE_ACCEPTED "8ad8555bab814919b0c0dd68e839a1de" /* TALLY_COMMIT */
#define MESSAGE_RELEASE_REFUSED  "8ab56093db0847d093dde158e4ffefef" /* TALLY_COMMIT, TALLY_REASON */
#define MESSAGE_ROLLOUT_STARTED  "8027605cf39e41eab6ede9ce65805b90" /* TALLY_APP, TALLY_RELEASE */
#define MESSAGE_ROLLOUT_SETTLED  "93aeedc1d63f41098dedf3f2c009c73e" /* the same */
#define MESSAGE_ROLLOUT_REVERTED "2780d931b6394f98a25fc6c755c2a762" /* the same, and TALLY_REASON */
#define MESSAGE_ROLLOUT_STUCK    "299db976c2e84374baf89a94abca3bd1" /* the same, and TALLY_REASON */
#define MESSAGE_STEP             "f2ed23fbfabb47509efd33e9a7ff8e88" /* TALLY_APP, TALLY_STEP, TALLY_PHASE */
#define MESSAGE_DRIFT_FOUND      "39cfb0176fd1403bbc6777de069ebac6" /* TALLY_APP, TALLY_REASON */
#define MESSAGE_DRIFT_REPAIRED   "9305ca15a7c44e6a96424601cf307145" /* TALLY_APP */
#define MESSAGE_LEDGER_ANOMALY   "3f73298b6c0f469c8bd1837bff6e4e5c" /* TALLY_REASON */
#define MESSAGE_CLOCK_EVENT      "52769a0084354da898e50063f7d9e362"
