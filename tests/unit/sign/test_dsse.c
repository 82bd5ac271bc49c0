/* SPDX-License-Identifier: Apache-2.0 */

#include "tests/lib/group.h"
#include "tests/unit/sign/support.h"

#include "shared/sign/dsse.h"

#define STATEMENT \
        "{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[{\"name\":\"plan.json\",\"digest\":{\"sha256\":" \
        "\"ca3d163bab05538182722614056" \
        "8f3bef7eaac187cebd76878e0b63e9e442356\"}}],\"predicateType\":" \
        "\"https://example.org/deployment/v0.1\",\"predicate\":{\"seq\":1}}"
#define PAYLOAD \
        "eyJfdHlwZSI6Imh0dHBzOi8vaW4tdG90by5pby9TdGF0ZW1lbnQvdjEiLCJzdWJqZWN0IjpbeyJuYW1lIjoicGxhbi5qc29uIiwiZGlnZXN0" \
        "Ijp7InNoYTI1NiI6ImNhM2QxNjNiYWIwNTUzODE4MjcyMjYxNDA1NjhmM2JlZjdlYWFjMTg3Y2ViZDc2ODc4ZTBiNjNlOWU0NDIzNTYifX1d" \
        "LCJwcmVkaWNhdGVUeXBlIjoiaHR0cHM6Ly9leGFtcGxlLm9yZy9kZXBsb3ltZW50L3YwLjEiLCJwcmVkaWNhdGUiOnsic2VxIjoxfX0="
#define SIG   "sksFoNNentN2hmX1KC7u3qGHFvKf9OFYITemHrLEu64rPpxEIONb7E/8MOa9LodVoqfVCXwZFCd5ErCU4ujFAg=="
#define KEYID "SHA256:fe85JkIjo8VPe+XqXJGH5Mau1EMFdK1OdKvJUFicyA8"
#define ENVELOPE \
        "{\"payload\":\"" PAYLOAD \
        "\",\"payloadType\":\"application/vnd.in-toto+json\",\"signatures\":[{\"keyid\":\"" KEYID "\",\"sig\":\"" SIG \
        "\"}]}"

static struct arena *arena;

static int make_arena(void **state) {
        arena = arena_new();
        return 0;
}

static int drop_arena(void **state) {
        arena_free(arena);
        arena = NULL;
        return 0;
}

static struct dsse parse(const char *text) {
        struct dsse e;

        assert_fine(dsse_parse("envelope", text, strlen(text), arena, &e, &fault));
        return e;
}

static void the_specifications_pae_is_reproduced(void **state) {
        own_buffer struct buffer pae = BUFFER_INIT;

        dsse_put_pae("http://example.com/HelloWorld", "hello world", 11, &pae);
        assert_string_equal(buffer_str(&pae), "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
}

static void the_vectors_envelope_is_written_to_the_byte(void **state) {
        own_buffer struct buffer out = BUFFER_INIT;
        struct sshkey_private k = key_of_seed(1);

        assert_fine(dsse_sign(&k, DSSE_TYPE_STATEMENT, STATEMENT, strlen(STATEMENT), &out, &fault));
        assert_string_equal(buffer_str(&out), ENVELOPE);
}

static void the_vectors_envelope_verifies(void **state) {
        struct sshkey_private right = key_of_seed(1), wrong = key_of_seed(2);
        struct dsse e = parse(ENVELOPE);

        assert_string_equal(e.payload_type, DSSE_TYPE_STATEMENT);
        assert_int_equal(e.payload_size, strlen(STATEMENT));
        assert_string_equal(e.payload, STATEMENT);
        assert_string_equal(e.signatures[0].keyid, KEYID);
        assert_fine(dsse_verify(&e, &right.key, &fault));
        assert_refused(dsse_verify(&e, &wrong.key, &fault), NULL);
}

static void payload_and_type_are_both_signed(void **state) {
        struct sshkey_private k = key_of_seed(1);
        struct dsse e = parse(ENVELOPE);

        e.payload_size--;
        assert_refused(dsse_verify(&e, &k.key, &fault), NULL);
        e = parse(ENVELOPE);
        e.payload_type = "application/json";
        assert_refused(dsse_verify(&e, &k.key, &fault), NULL);
}

/* keyid is a hint: absent, empty, null or wrong, it changes nothing. Unknown fields and other signatures neither. */
static void only_the_signature_decides(void **state) {
        static const char *const forms[] = {
                "{\"sig\":\"" SIG "\"}",
                "{\"keyid\":\"\",\"sig\":\"" SIG "\"}",
                "{\"keyid\":null,\"sig\":\"" SIG "\"}",
                "{\"keyid\":\"somebody\",\"sig\":\"" SIG "\",\"more\":1}",
                "{\"keyid\":\"" KEYID "\",\"sig\":\"AAAA\"},{\"sig\":\"" SIG "\"}",
        };
        struct sshkey_private k = key_of_seed(1);

        for (size_t i = 0; i < ELEMENTS(forms); i++) {
                own_buffer struct buffer text = BUFFER_INIT;
                struct dsse e;

                buffer_printf(&text, "{\"payload\":\"%s\",\"payloadType\":\"%s\",\"x\":[],\"signatures\":[%s]}",
                              PAYLOAD, DSSE_TYPE_STATEMENT, forms[i]);
                e = parse(text.data);
                assert_fine(dsse_verify(&e, &k.key, &fault));
        }
}

static void both_base64_alphabets_are_read(void **state) {
        struct dsse plain = parse("{\"payload\":\"+/+/\",\"payloadType\":\"t\",\"signatures\":[{\"sig\":\"AAAA\"}]}");
        struct dsse url = parse("{\"payload\":\"-_-_\",\"payloadType\":\"t\",\"signatures\":[{\"sig\":\"AAAA\"}]}");

        assert_int_equal(plain.payload_size, 3);
        assert_memory_equal(plain.payload, url.payload, 3);
}

static void malformed_envelopes_are_refused(void **state) {
        static const char *const bad[] = {
                "",
                "{",
                "[]",
                "{}",
                "{\"payload\":\"\"}",
                "{\"payload\":\"AA\",\"payloadType\":\"t\",\"signatures\":[{\"sig\":\"AAAA\"}]}",
                "{\"payload\":\"+/-_\",\"payloadType\":\"t\",\"signatures\":[{\"sig\":\"AAAA\"}]}",
                "{\"payload\":1,\"payloadType\":\"t\",\"signatures\":[{\"sig\":\"AAAA\"}]}",
                "{\"payload\":\"AAAA\",\"signatures\":[{\"sig\":\"AAAA\"}]}",
                "{\"payload\":\"AAAA\",\"payloadType\":\"\",\"signatures\":[{\"sig\":\"AAAA\"}]}",
                "{\"payload\":\"AAAA\",\"payloadType\":\"t\",\"signatures\":[]}",
                "{\"payload\":\"AAAA\",\"payloadType\":\"t\",\"signatures\":{}}",
                "{\"payload\":\"AAAA\",\"payloadType\":\"t\",\"signatures\":[1]}",
                "{\"payload\":\"AAAA\",\"payloadType\":\"t\",\"signatures\":[{}]}",
                "{\"payload\":\"AAAA\",\"payloadType\":\"t\",\"signatures\":[{\"sig\":\"AAAA\",\"keyid\":1}]}",
                "{\"payload\":\"AAAA\",\"payload\":\"AAAA\",\"payloadType\":\"t\",\"signatures\":[{\"sig\":\"AAAA\"}]}",
                ENVELOPE "x",
        };
        struct dsse e;

        for (size_t i = 0; i < ELEMENTS(bad); i++)
                assert_refused(dsse_parse("envelope", bad[i], strlen(bad[i]), arena, &e, &fault), NULL);
}

static void payloads_may_hold_any_bytes(void **state) {
        static const char body[] = "\0\xff\n\0";
        own_buffer struct buffer out = BUFFER_INIT;
        struct sshkey_private k = key_of_seed(1);
        struct dsse e;

        assert_fine(dsse_sign(&k, "t", body, sizeof(body), &out, &fault));
        e = parse(out.data);
        assert_int_equal(e.payload_size, sizeof(body));
        assert_memory_equal(e.payload, body, sizeof(body));
        assert_fine(dsse_verify(&e, &k.key, &fault));
}

static void security_keys_sign_no_envelopes(void **state) {
        struct sshkey_private k = sk_key_of_seed(1);
        struct dsse e = parse(ENVELOPE);

        assert_refused(dsse_verify(&e, &k.key, &fault), NULL);
}

#define test(name) cmocka_unit_test_setup_teardown(name, make_arena, drop_arena)

static const struct CMUnitTest tests[] = {
        test(the_specifications_pae_is_reproduced), test(the_vectors_envelope_is_written_to_the_byte),
        test(the_vectors_envelope_verifies),        test(payload_and_type_are_both_signed),
        test(only_the_signature_decides),           test(both_base64_alphabets_are_read),
        test(malformed_envelopes_are_refused),      test(payloads_may_hold_any_bytes),
        test(security_keys_sign_no_envelopes),
};

TEST_GROUP(dsse, tests);
