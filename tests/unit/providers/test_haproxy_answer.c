/* SPDX-License-Identifier: Apache-2.0 */

#include "tests/lib/group.h"
#include "tests/unit/providers/routes.h"

#include "providers/routers/haproxy_answer.h"
#include "shared/base/text.h"

#define FOLDER "/etc/haproxy/tally.d"

/* As HAProxy 2.6 answers. */
static const char maps[] =
        "# id (file) description\n"
        "0 (/etc/haproxy/other.map) pattern loaded from file '/etc/haproxy/other.map' used by map at file '/etc/haproxy/haproxy.cfg' line 4.\n"
        "1 (" FOLDER
        "/tally_shop-0123456789abcdef.map) pattern loaded from file '…' used by map at file '…' line 4. curr_ver=0 next_ver=0 entry_cnt=3\n"
        "2 (" FOLDER "/tally_shop-x-fedcba9876543210.map) pattern loaded from file '…'\n\n";

static const char map[] = "0x55b0297cb5a0 share 25\n"
                          "0x55b0297cb5b0 current rel-1.0\n"
                          "0x55b0297cb5c0 candidate rel-2.0\n\n";

#define HEADER \
        "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change " \
        "srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn " \
        "srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port\n"
#define SERVER(backend, name, address, admin, weight, port) \
        "4 " backend " 1 " name " " address " 2 " admin " " weight " 1 23 6 3 3 6 0 0 0 - " port " - 0 0 - - 0\n"

static const char current[] = HEADER SERVER("tally_shop:current", "s1", "127.0.0.1", "0", "1", "32768")
        SERVER("tally_shop:current", "s2", "fd00::2", "4", "1", "80")
                SERVER("tally_shop:current", "s3", "127.0.0.1", "5", "1", "1")
                        SERVER("tally_shop:current", "s4", "127.0.0.1", "8", "1", "81");
static const char candidate[] = HEADER SERVER("tally_shop:candidate", "s1", "127.0.0.1", "0", "3", "32770")
        SERVER("tally_shop:candidate", "s2", "127.0.0.1", "5", "1", "1")
                SERVER("tally_shop:candidate", "b1", "127.0.0.1", "0", "1", "32768")
                        SERVER("tally_shop:candidate", "b2", "127.0.0.1", "5", "1", "1");

static void the_map_of_the_app_is_found(void **state) {
        char digest[17] = "";

        assert_true(haproxy_parse_maps(maps, FOLDER, "shop", digest));
        assert_string_equal(digest, "0123456789abcdef");
        assert_true(haproxy_parse_maps(maps, FOLDER, "shop-x", digest));
        assert_string_equal(digest, "fedcba9876543210");
        assert_false(haproxy_parse_maps(maps, FOLDER, "sho", digest));
        assert_false(haproxy_parse_maps(maps, "/etc/haproxy", "shop", digest));
        assert_false(haproxy_parse_maps("Permission denied\n", FOLDER, "shop", digest));
}

static void share_and_releases_are_read(void **state) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT;
        struct haproxy_layout l = { .n = 0 };

        routes_fine(haproxy_parse_map(map, a, &l, &fault), &fault);
        assert_int_equal(l.share, 25);
        assert_string_equal(l.release[VARIATION_CURRENT], "rel-1.0");
        assert_string_equal(l.release[VARIATION_CANDIDATE], "rel-2.0");
}

static void servers_are_read(void **state) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT;
        struct haproxy_layout l = { .n = 0 };

        routes_fine(haproxy_parse_servers(current, "tally_shop:current", VARIATION_CURRENT, a, &l, &fault), &fault);
        assert_int_equal(l.n, 4);
        assert_string_equal(l.places[HAPROXY_CURRENT][0].address, "127.0.0.1:32768");
        assert_string_equal(l.places[HAPROXY_CURRENT][1].address, "[fd00::2]:80");
        assert_null(l.places[HAPROXY_CURRENT][2].address);
        assert_false(l.places[HAPROXY_CURRENT][0].odd);
        assert_true(l.places[HAPROXY_CURRENT][3].odd);
        l.n = 2;
        routes_fine(haproxy_parse_servers(candidate, "tally_shop:candidate", VARIATION_CANDIDATE, a, &l, &fault),
                    &fault);
        assert_true(l.places[HAPROXY_CANDIDATE][0].odd);
        assert_string_equal(l.places[HAPROXY_BACKUP][0].address, "127.0.0.1:32768");
}

static void what_is_not_ours_is_not_taken(void **state) {
        static const char *const servers[] = {
                "",
                "Can't find backend.\n",
                HEADER,
                HEADER SERVER("tally_shop:current", "evil", "127.0.0.1", "0", "1", "1"),
                HEADER SERVER("tally_shop:current", "s1", "-", "0", "1", "1"),
                HEADER SERVER("tally_shop:current", "s1", "127.0.0.1", "0", "1", "1")
                        SERVER("tally_shop:current", "s1", "127.0.0.1", "0", "1", "2"),
                HEADER SERVER("tally_shop:current", "s1", "127.0.0.1", "0", "1", "1")
                        SERVER("tally_shop:current", "s3", "127.0.0.1", "0", "1", "2"),
                HEADER SERVER("tally_shop:current", "s5000", "127.0.0.1", "0", "1", "1"),
                HEADER SERVER("tally_shop:current", "b1", "127.0.0.1", "0", "1", "1"),
                "1\n# be_id be_name srv_id srv_name\n4 tally_shop:current 1 s1\n",
        };
        static const char *const bad_maps[] = { "", "0x1 share 101\n", "0x1 share x\n", "0x1 share 5\n0x1 current a\n",
                                                "0x1 share 5\n0x1 current a\n0x1 candidate $(x)\n" };

        for (size_t i = 0; i < sizeof(servers) / sizeof(servers[0]); i++) {
                own_arena struct arena *a = arena_new();
                own_fault struct fault fault = FAULT_INIT;
                struct haproxy_layout l = { .n = 0 };

                assert_true(haproxy_parse_servers(servers[i], "tally_shop:current", VARIATION_CURRENT, a, &l, &fault) <
                            0);
                assert_int_equal(fault.kind, FAULT_TRANSIENT);
        }
        for (size_t i = 0; i < sizeof(bad_maps) / sizeof(bad_maps[0]); i++) {
                own_arena struct arena *a = arena_new();
                own_fault struct fault fault = FAULT_INIT;
                struct haproxy_layout l = { .n = 0 };

                assert_true(haproxy_parse_map(bad_maps[i], a, &l, &fault) < 0);
        }
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_map_of_the_app_is_found),
        cmocka_unit_test(share_and_releases_are_read),
        cmocka_unit_test(servers_are_read),
        cmocka_unit_test(what_is_not_ours_is_not_taken),
};

TEST_GROUP(haproxy_answer, tests);
