/* SPDX-License-Identifier: Apache-2.0 */

/* What is written, read with our own eyes and with the stock tools; and what a crash or a bad disk leaves. */

#include "tests/lib/group.h"
#include "tests/lib/ledger_rig.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* One commit with everything in it: a decision and an intent about "shop". */
static int64_t append_batch(struct ledger_rig *rig) {
        static const struct record_image image = {
                "shop/web@registry.example/shop/web",
                "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        };
        static const char world[] = "{\"schema\":\"tallyman/world/v1\"}", lockfile[] = "services: {}\n";
        const struct digest world_digest = digest_of(world, strlen(world));
        own_json json_t *plan = json_pack("{s:[s]}", "actions", "create");
        own_json json_t *decided = json_pack("{s:{s:s}}", "replay", "world", digest_hex(&world_digest));
        own_json json_t *status = json_pack("{s:s, s:{s:s}}", "schema", "tallyman/status/v1", "desired", "accepted",
                                            "1111111111111111111111111111111111111111");
        own_json json_t *sticker = json_pack("{s:s}", "release", "sha256:r");
        const struct record records[] = {
                { .kind = RECORD_DECISION, .app = "shop", .body = decided },
                { .kind = RECORD_INTENT,
                  .app = "shop",
                  .file_name = "plan.json",
                  .file = plan,
                  .images = &image,
                  .n_images = 1 },
        };
        const struct record_desired desired = {
                .repository = "https://user:hunter2@git.example/fleet.git",
                .ref = "main",
                .environment = "prod",
                .commit = "1111111111111111111111111111111111111111",
                .principal = "anna",
                .fingerprint = "SHA256:x",
                .algorithm = "ssh-ed25519",
        };
        const struct ledger_blob artifact = { lockfile, strlen(lockfile) }, worlds = { world, strlen(world) };
        const struct ledger_entry e = {
                .records = records,
                .n_records = 2,
                .desired = &desired,
                .status = status,
                .sticker = sticker,
                .artifacts = &artifact,
                .n_artifacts = 1,
                .worlds = &worlds,
                .n_worlds = 1,
                .subject = "shop: 1 to 2\nSeq: 99",
                .now_ms = rig->now += 1000,
        };
        own_fault struct fault f = FAULT_INIT;
        int64_t first = -1;

        rig_fine(ledger_append(rig->ledger, &e, &first, &f), &f);
        return first;
}

/*
 * Writing
 */

static void test_a_ledger_begins_with_a_genesis(void **state) {
        struct ledger_rig *rig = *state;
        own_arena struct arena *a = arena_new();
        struct ledger_record r;

        rig_open(rig);
        r = rig_last(rig, a);
        assert_int_equal(r.seq, 0);
        assert_int_equal(r.kind, RECORD_GENESIS);
        assert_string_equal(r.path, "evidence/0/00000000-genesis.dsse.json");
        assert_true(r.verified);
        assert_string_equal(r.head.host, "web1");
        assert_non_null(json_get_string(r.predicate, "publicKey"));
        (void)rig_verify(rig);
}

static void test_one_commit_holds_a_batch_in_its_places(void **state) {
        struct ledger_rig *rig = *state;
        own_free char *names = NULL, *message = NULL;

        rig_open(rig);
        assert_int_equal(append_batch(rig), 1);
        names = rig_sh_output(
                rig,
                "git -C state/ledger.git diff-tree -r --name-only $BRANCH~ $BRANCH | sed 's/[0-9a-f]\\{64\\}/SHA/'");
        assert_string_equal(names,
                            "artifacts/SHA\nartifacts/SHA\nartifacts/SHA\n"
                            "evidence/0/00000001-decision-shop.dsse.json\nevidence/0/00000002-intent-shop.dsse.json\n"
                            "status.json\nsticker.json\nworlds/SHA.json\n");
        message = rig_sh_output(
                rig, "git -C state/ledger.git log -1 --format='%s|%(trailers:key=Seq,valueonly,separator=%x2C)|"
                     "%(trailers:key=App,valueonly,separator=%x2C)|%an|%ae' $BRANCH");
        assert_string_equal(message, "shop: 1 to 2 Seq: 99|1,2|shop,shop|tally web1|tally@web1\n");
        (void)rig_verify(rig);
}

static void test_stock_git_verifies_every_commit(void **state) {
        struct ledger_rig *rig = *state;

        rig_open(rig);
        (void)append_batch(rig);
        rig_append(rig, RECORD_RESULT, "shop", 2);
        rig_sh(rig,
               "cd state/ledger.git; echo \"web1 namespaces=\\\"git\\\" $(cut -d' ' -f1,2 ../id_ed25519.pub)\" > ../../signers;"
               "for c in $(git rev-list $BRANCH); do"
               " git -c gpg.ssh.allowedSignersFile=../../signers verify-commit $c;"
               " test $(git log -1 --format=%G? $c >/dev/null; git rev-list --parents -1 $c | wc -w) -le 2; done;"
               "test $(git rev-list --count $BRANCH) = 3; git fsck --strict --no-dangling");
}

/* The envelope's PAE, built by shell, under openssl: nothing of ours is needed to check a record. */
static void test_openssl_verifies_a_record(void **state) {
        struct ledger_rig *rig = *state;

        rig_open(rig);
        (void)append_batch(rig);
        rig_sh(rig,
               "git -C state/ledger.git show $BRANCH:evidence/0/00000002-intent-shop.dsse.json > env.json;"
               "field() { sed \"s/.*\\\"$1\\\":\\\"\\([^\\\"]*\\)\\\".*/\\1/\" env.json; };"
               "field payload | base64 -d > body; field sig | base64 -d > sig; type=$(field payloadType);"
               "{ printf 'DSSEv1 %d %s %d ' ${#type} \"$type\" $(wc -c < body); cat body; } > pae;"
               "{ printf '302a300506032b6570032100' | xxd -r -p; cut -d' ' -f2 state/id_ed25519.pub | base64 -d | tail -c 32; }"
               " | openssl pkey -pubin -inform DER -out pub.pem;"
               "openssl pkeyutl -verify -pubin -inkey pub.pem -rawin -in pae -sigfile sig;"
               "test \"$(field keyid)\" = \"$(ssh-keygen -lf state/id_ed25519.pub | cut -d' ' -f2)\"");
}

static void test_subjects_are_the_plan_and_the_images(void **state) {
        struct ledger_rig *rig = *state;
        own_arena struct arena *a = arena_new();
        own_buffer struct buffer plan = BUFFER_INIT;
        own_fault struct fault f = FAULT_INIT;
        const json_t *subjects, *first, *second;
        struct ledger_record r;

        rig_open(rig);
        (void)append_batch(rig);
        r = rig_last(rig, a);
        subjects = json_object_get(r.statement, "subject");
        first = json_array_get(subjects, 0);
        second = json_array_get(subjects, 1);
        assert_int_equal(json_array_size(subjects), 2);
        assert_string_equal(json_get_string(first, "name"), "plan.json");
        rig_fine(ledger_read_artifact(rig->ledger, json_get_string(json_object_get(first, "digest"), "sha256"), &plan,
                                      &f),
                 &f);
        assert_string_equal(buffer_str(&plan), "{\"actions\":[\"create\"]}");
        assert_string_equal(json_get_string(second, "name"), "shop/web@registry.example/shop/web");
}

static void test_no_credential_of_a_url_is_sealed(void **state) {
        struct ledger_rig *rig = *state;
        own_arena struct arena *a = arena_new();
        struct ledger_record r;

        rig_open(rig);
        (void)append_batch(rig);
        r = rig_last(rig, a);
        assert_null(strstr(json_get_string(json_object_get(r.predicate, "desired"), "repository"), "hunter2"));
        assert_non_null(strstr(json_get_string(json_object_get(r.predicate, "desired"), "repository"), "git.example"));
}

static void test_status_and_sticker_say_the_same_in_the_branch_and_on_the_host(void **state) {
        struct ledger_rig *rig = *state;
        own_json json_t *status = NULL;
        own_fault struct fault f = FAULT_INIT;
        struct object_id accepted;
        char hex[OBJECT_ID_TEXT_MAX];

        rig_open(rig);
        (void)append_batch(rig);
        rig_fine(ledger_read_status(rig->ledger, &status, &f), &f);
        assert_int_equal(json_get_integer(json_object_get(status, "ledger"), "sequence", -1), 2);
        assert_string_equal(json_get_string(json_object_get(status, "ledger"), "head"),
                            digest_hex(&ledger_head(rig->ledger)->record));
        assert_string_equal(json_get_string(status, "at"), "2026-11-26T10:00:01Z");
        rig_sh(rig,
               "for f in status sticker; do git -C state/ledger.git show $BRANCH:$f.json | cmp - state/$f.json; done");
        rig_fine(ledger_accepted(rig->ledger, &accepted, &f), &f);
        assert_string_equal(object_id_format(&accepted, hex), "1111111111111111111111111111111111111111");
}

static void test_the_same_file_is_stored_once(void **state) {
        struct ledger_rig *rig = *state;
        own_free char *before = NULL, *after = NULL;

        rig_open(rig);
        (void)append_batch(rig);
        before = rig_sh_output(rig, "git -C state/ledger.git ls-tree -r --name-only $BRANCH artifacts worlds | wc -l");
        (void)append_batch(rig);
        after = rig_sh_output(rig, "git -C state/ledger.git ls-tree -r --name-only $BRANCH artifacts worlds | wc -l");
        assert_string_equal(before, after);
        (void)rig_verify(rig);
}

static void test_a_status_alone_is_a_commit_without_records(void **state) {
        struct ledger_rig *rig = *state;
        own_json json_t *status = json_pack("{s:s}", "schema", "tallyman/status/v1");
        const struct ledger_entry e = { .status = status, .subject = "status" };
        own_fault struct fault f = FAULT_INIT;

        rig_open(rig);
        rig_fine(ledger_append(rig->ledger, &e, NULL, &f), &f);
        assert_int_equal(ledger_head(rig->ledger)->seq, 0);
        assert_int_equal(rig_verify(rig).n_commits, 2);
        rig_close(rig);

        /* Even when the head must be found in the branch again. */
        rig_sh(rig, "rm state/head.json");
        rig_open(rig);
        assert_int_equal(ledger_head(rig->ledger)->seq, 0);
        (void)rig_verify(rig);
}

/*
 * Intents
 */

static void test_an_intent_without_result_is_found_after_a_crash(void **state) {
        struct ledger_rig *rig = *state;
        own_arena struct arena *a = arena_new();
        own_fault struct fault f = FAULT_INIT;
        struct ledger_intent *intents;
        size_t n;

        rig_open(rig);
        rig_append(rig, RECORD_INTENT, "blog", 0);
        rig_append(rig, RECORD_INTENT, "shop", 0);
        rig_append(rig, RECORD_RESULT, "blog", 1);
        rig_close(rig);
        rig_open(rig);
        rig_fine(ledger_open_intents(rig->ledger, a, &intents, &n, &f), &f);
        assert_int_equal(n, 1);
        assert_int_equal(intents[0].seq, 2);
        assert_string_equal(intents[0].app, "shop");
        rig_append(rig, RECORD_RESULT, "shop", 2);
        rig_fine(ledger_open_intents(rig->ledger, a, &intents, &n, &f), &f);
        assert_int_equal(n, 0);
        (void)rig_verify(rig);
}

static void test_only_an_open_intent_can_be_closed(void **state) {
        struct ledger_rig *rig = *state;
        own_fault struct fault f = FAULT_INIT;

        rig_open(rig);
        rig_append(rig, RECORD_INTENT, "shop", 0);
        rig_append(rig, RECORD_RESULT, "shop", 1);
        assert_true(rig_try_append(rig, RECORD_RESULT, "shop", 1, &f) < 0);
        assert_int_equal(f.kind, FAULT_INTERNAL);
        assert_int_equal(ledger_head(rig->ledger)->seq, 2);
        (void)rig_verify(rig);
}

/*
 * Crashes
 */

static void test_a_crash_before_the_branch_moves_leaves_the_old_ledger(void **state) {
        struct ledger_rig *rig = *state;

        rig_open(rig);
        rig_sh(rig, "cp state/head.json head.json; cp state/ledger.git/refs/heads/$BRANCH tip");
        rig_append(rig, RECORD_START, NULL, 0);
        rig_close(rig);
        rig_sh(rig, "cp head.json state/head.json; cp tip state/ledger.git/refs/heads/$BRANCH");
        rig_open(rig);
        assert_int_equal(ledger_head(rig->ledger)->seq, 0);
        rig_append(rig, RECORD_STOP, NULL, 0);
        assert_int_equal(ledger_head(rig->ledger)->seq, 1);
        (void)rig_verify(rig);
}

static void test_a_crash_before_the_head_is_written_is_caught_up_with(void **state) {
        struct ledger_rig *rig = *state;

        rig_open(rig);
        (void)rig_push(rig);
        rig_sh(rig, "cp state/head.json head.json");
        rig_append(rig, RECORD_INTENT, "shop", 0);
        rig_close(rig);
        rig_sh(rig, "cp head.json state/head.json");
        rig_open(rig);
        assert_int_equal(ledger_head(rig->ledger)->seq, 1);
        assert_int_equal(ledger_head(rig->ledger)->n_open_intents, 1);
        assert_true(ledger_head_is_behind(ledger_head(rig->ledger)));
        rig_append(rig, RECORD_RESULT, "shop", 1);
        (void)rig_verify(rig);
}

static void test_a_crash_after_the_genesis_is_caught_up_with(void **state) {
        struct ledger_rig *rig = *state;

        rig_open(rig);
        rig_close(rig);
        rig_sh(rig, "rm state/head.json");
        rig_open(rig);
        assert_int_equal(ledger_head(rig->ledger)->seq, 0);
}

/* Nothing tells any more whether the clone is all there was. */
static void test_a_head_that_is_lost_is_a_declared_gap(void **state) {
        struct ledger_rig *rig = *state;
        own_arena struct arena *a = arena_new();

        rig_open(rig);
        rig_append(rig, RECORD_START, NULL, 0);
        rig_close(rig);
        rig_sh(rig, "echo '{' > state/head.json");
        rig_open(rig);
        assert_int_equal(rig_last(rig, a).kind, RECORD_GAP_DECLARED);
        (void)rig_verify(rig);
}

/*
 * Disks
 */

static bool mount_small(struct ledger_rig *rig) {
        assert_int_equal(mkdir(rig->path, 0700), 0);
        if (mount("tmpfs", rig->path, "tmpfs", 0, "size=512k") == 0)
                return true;
        print_message("not tested: mounting a small file system needs privileges (%s)\n", strerror(errno));
        return false;
}

/* Leave @room bytes: each number of them makes another write the one that finds the disk full. */
static void fill(struct ledger_rig *rig, int room) {
        static const char zeros[4096];
        char path[128];
        struct stat st;
        int fd;

        (void)snprintf(path, sizeof(path), "%s/big", rig->path);
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        while (write(fd, zeros, sizeof(zeros)) > 0)
                ;
        assert_int_equal(errno, ENOSPC);
        assert_int_equal(fstat(fd, &st), 0);
        assert_int_equal(ftruncate(fd, st.st_size > room ? st.st_size - room : 0), 0);
        (void)close(fd);
}

static void test_a_full_disk_loses_nothing(void **state) {
        struct ledger_rig *rig = *state;
        int64_t seq;

        if (!mount_small(rig))
                skip();
        rig_open(rig);
        for (int round = 0; round < 8; round++) {
                own_fault struct fault f = FAULT_INIT;
                int r = 0;

                fill(rig, round * 4096);
                seq = ledger_head(rig->ledger)->seq;
                for (int i = 0; r == 0 && i < 100; i++)
                        r = rig_try_append(rig, RECORD_START, NULL, 0, &f);
                assert_true(r < 0);
                assert_int_equal(f.kind, FAULT_TRANSIENT);
                assert_ptr_equal(f.code, REASON_STATE_UNWRITABLE);
                assert_true(ledger_head(rig->ledger)->seq >= seq);
                rig_close(rig);
                rig_sh(rig, "rm state/big");
                rig_open(rig);
                (void)rig_verify(rig);
                rig_append(rig, RECORD_STOP, NULL, 0);
        }
        (void)rig_verify(rig);
}

static void test_a_read_only_disk_takes_no_record(void **state) {
        struct ledger_rig *rig = *state;
        own_fault struct fault f = FAULT_INIT;

        if (!mount_small(rig))
                skip();
        rig_open(rig);
        own_fd_p(&rig->state.lock_fd); /* open for writing, it would keep the disk writable */
        assert_int_equal(mount("tmpfs", rig->path, "tmpfs", MS_REMOUNT | MS_RDONLY, NULL), 0);
        assert_true(rig_try_append(rig, RECORD_START, NULL, 0, &f) < 0);
        assert_ptr_equal(f.code, REASON_STATE_UNWRITABLE);
        assert_int_equal(mount("tmpfs", rig->path, "tmpfs", MS_REMOUNT, NULL), 0);
        rig_append(rig, RECORD_START, NULL, 0);
        (void)rig_verify(rig);
}

/*
 * Reading
 */

struct seen {
        char text[256];
        size_t n;
};

static int see(void *data, const struct ledger_record *record, struct fault *reterr) {
        struct seen *s = data;
        size_t used = strlen(s->text);

        if (s->n++ < 8)
                (void)snprintf(s->text + used, sizeof(s->text) - used, "%lld %s %s\n", (long long)record->seq,
                               record_kind_names[record->kind], record->app ? record->app : "-");
        return 0;
}

static int see_two(void *data, const struct ledger_record *record, struct fault *reterr) {
        (void)see(data, record, reterr);
        return ((struct seen *)data)->n == 2;
}

static void test_history_is_newest_first_and_of_one_app(void **state) {
        struct ledger_rig *rig = *state;
        struct seen all = { 0 }, shop = { 0 }, two = { 0 }, limited = { 0 };
        own_fault struct fault f = FAULT_INIT;

        rig_open(rig);
        rig_append(rig, RECORD_DRIFT, "shop", 0);
        rig_append(rig, RECORD_EXTERNAL_CHANGE, "shop-db", 0);
        rig_append(rig, RECORD_REFUSAL, NULL, 0);
        rig_append(rig, RECORD_ROLLBACK, "shop", 0);
        rig_fine(ledger_history(rig->ledger, NULL, 0, see, &all, &f), &f);
        assert_string_equal(all.text,
                            "4 rollback shop\n3 refusal -\n2 external-change shop-db\n1 drift shop\n0 genesis -\n");
        rig_fine(ledger_history(rig->ledger, "shop", 0, see, &shop, &f), &f);
        assert_string_equal(shop.text, "4 rollback shop\n1 drift shop\n");
        rig_fine(ledger_history(rig->ledger, "shop", 1, see, &limited, &f), &f);
        assert_string_equal(limited.text, "4 rollback shop\n");
        rig_fine(ledger_history(rig->ledger, NULL, 0, see_two, &two, &f), &f);
        assert_string_equal(two.text, "4 rollback shop\n3 refusal -\n");
}

static void test_a_thousand_records_go_on_in_the_next_folder(void **state) {
        struct ledger_rig *rig = *state;
        own_arena struct arena *a = arena_new();
        own_fault struct fault f = FAULT_INIT;
        static struct record records[700];
        const struct ledger_entry e = { .records = records, .n_records = 700, .subject = "many" };
        struct seen seen = { 0 };
        struct ledger_record r;

        for (size_t i = 0; i < 700; i++)
                records[i] = (struct record){ .kind = RECORD_DRIFT, .app = i % 2 ? "odd" : "even" };
        rig_open(rig);
        rig_fine(ledger_append(rig->ledger, &e, NULL, &f), &f);
        rig_fine(ledger_append(rig->ledger, &e, NULL, &f), &f);
        assert_int_equal(ledger_head(rig->ledger)->seq, 1400);
        (void)rig_verify(rig);
        rig_fine(ledger_read_record(rig->ledger, 1000, a, &r, &f), &f);
        assert_string_equal(r.path, "evidence/1/00001000-drift-odd.dsse.json");
        rig_fine(ledger_history(rig->ledger, "odd", 0, see, &seen, &f), &f);
        assert_int_equal(seen.n, 700);
}

static void test_a_record_is_found_by_what_a_person_types(void **state) {
        struct ledger_rig *rig = *state;
        own_arena struct arena *a = arena_new();
        static const char *const none[] = { "", "7", "shop", "00000007-start", "deadbeef", "1x", "-1" };
        struct ledger_record r;
        char prefix[13];
        int64_t seq;

        rig_open(rig);
        rig_append(rig, RECORD_DRIFT, "shop", 0);
        r = rig_last(rig, a);
        (void)snprintf(prefix, sizeof(prefix), "%.12s", digest_hex(&r.digest));

        const char *const names[] = { "1",
                                      "00000001",
                                      "00000001-drift-shop",
                                      "00000001-drift-shop.dsse.json",
                                      r.path,
                                      digest_hex(&r.digest),
                                      r.digest.text,
                                      prefix };

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                own_fault struct fault f = FAULT_INIT;

                rig_fine(ledger_find_record(rig->ledger, names[i], &seq, &f), &f);
                assert_int_equal(seq, 1);
        }
        for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
                own_fault struct fault f = FAULT_INIT;

                assert_true(ledger_find_record(rig->ledger, none[i], &seq, &f) < 0);
                assert_int_equal(f.kind, FAULT_CONFIG);
        }
}

static void test_reading_needs_no_lock_and_no_private_key(void **state) {
        struct ledger_rig *rig = *state;
        own_fault struct fault f = FAULT_INIT;
        own_arena struct arena *a = arena_new();
        own_state struct state s = STATE_INIT;
        own_ledger struct ledger *l = NULL;
        struct ledger_record r;

        rig_open(rig);
        rig_append(rig, RECORD_START, NULL, 0);
        rig_fine(state_open(rig->path, STATE_READ, &s, &f), &f);
        rig_fine(ledger_open_read(&s, NULL, &rig->settings, &l, &f), &f);
        rig_fine(ledger_read_record(l, 1, a, &r, &f), &f);
        assert_int_equal(r.kind, RECORD_START);
        assert_false(r.verified);
        assert_true(ledger_read_record(l, 2, a, &r, &f) < 0);
}

static void test_there_is_nothing_to_read_before_the_first_pass(void **state) {
        struct ledger_rig *rig = *state;
        own_fault struct fault f = FAULT_INIT;
        own_state struct state s = STATE_INIT;
        own_ledger struct ledger *l = NULL;

        rig_fine(state_open(rig->path, STATE_WRITE, &s, &f), &f);
        assert_int_equal(ledger_open_read(&s, NULL, &rig->settings, &l, &f), -ENOENT);
}

static void test_a_clock_that_went_back_is_seen_and_written_down(void **state) {
        struct ledger_rig *rig = *state;
        own_arena struct arena *a = arena_new();
        struct ledger_record r;
        int64_t step;

        rig_open(rig);
        rig_append(rig, RECORD_START, NULL, 0);
        assert_false(ledger_clock_went_back(rig->ledger, rig->now));
        rig->now -= 3600 * 1000;
        assert_true(ledger_clock_went_back(rig->ledger, rig->now));
        rig_append(rig, RECORD_CLOCK_EVENT, NULL, 0);
        r = rig_last(rig, a);
        step = json_get_integer(json_object_get(json_object_get(r.predicate, "time"), "clock"), "stepSincePrev", 0);
        assert_true(step < -3590 * 1000 && step >= -3700 * 1000);
        (void)rig_verify(rig);
}

static const struct CMUnitTest tests[] = {
        ledger_test(test_a_ledger_begins_with_a_genesis),
        ledger_test(test_one_commit_holds_a_batch_in_its_places),
        ledger_test(test_stock_git_verifies_every_commit),
        ledger_test(test_openssl_verifies_a_record),
        ledger_test(test_subjects_are_the_plan_and_the_images),
        ledger_test(test_no_credential_of_a_url_is_sealed),
        ledger_test(test_status_and_sticker_say_the_same_in_the_branch_and_on_the_host),
        ledger_test(test_the_same_file_is_stored_once),
        ledger_test(test_a_status_alone_is_a_commit_without_records),
        ledger_test(test_an_intent_without_result_is_found_after_a_crash),
        ledger_test(test_only_an_open_intent_can_be_closed),
        ledger_test(test_a_crash_before_the_branch_moves_leaves_the_old_ledger),
        ledger_test(test_a_crash_before_the_head_is_written_is_caught_up_with),
        ledger_test(test_a_crash_after_the_genesis_is_caught_up_with),
        ledger_test(test_a_head_that_is_lost_is_a_declared_gap),
        ledger_test(test_a_full_disk_loses_nothing),
        ledger_test(test_a_read_only_disk_takes_no_record),
        ledger_test(test_history_is_newest_first_and_of_one_app),
        ledger_test(test_a_thousand_records_go_on_in_the_next_folder),
        ledger_test(test_a_record_is_found_by_what_a_person_types),
        ledger_test(test_reading_needs_no_lock_and_no_private_key),
        ledger_test(test_there_is_nothing_to_read_before_the_first_pass),
        ledger_test(test_a_clock_that_went_back_is_seen_and_written_down),
};

TEST_GROUP(ledger, tests);
