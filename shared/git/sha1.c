/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/git/sha1.h"

#include <string.h>

#define BLOCK 64

struct state {
        uint32_t h[5];
        uint8_t block[BLOCK];
        uint64_t size;
};

static uint32_t rotate(uint32_t x, unsigned n) {
        return x << n | x >> (32 - n);
}

static void compress(uint32_t h[5], const uint8_t *block) {
        uint32_t w[80], v[5];

        for (size_t i = 0; i < 16; i++)
                w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
                       (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
        for (size_t i = 16; i < 80; i++)
                w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
        memcpy(v, h, sizeof(v));
        for (size_t i = 0; i < 80; i++) {
                static const uint32_t k[] = { 0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6 };
                uint32_t f, t;

                if (i < 20)
                        f = (v[1] & v[2]) | (~v[1] & v[3]);
                else if (i >= 40 && i < 60)
                        f = (v[1] & v[2]) | (v[1] & v[3]) | (v[2] & v[3]);
                else
                        f = v[1] ^ v[2] ^ v[3];
                t = rotate(v[0], 5) + f + v[4] + k[i / 20] + w[i];
                v[4] = v[3];
                v[3] = v[2];
                v[2] = rotate(v[1], 30);
                v[1] = v[0];
                v[0] = t;
        }
        for (size_t i = 0; i < 5; i++)
                h[i] += v[i];
}

static void begin(struct state *s) {
        *s = (struct state){ .h = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 } };
}

static void update(struct state *s, const void *data, size_t size) {
        const uint8_t *p = data;

        for (size_t i = 0; i < size; i++) {
                s->block[s->size++ % BLOCK] = p[i];
                if (s->size % BLOCK == 0)
                        compress(s->h, s->block);
        }
}

static void end(struct state *s, uint8_t out[SHA1_BYTES]) {
        uint64_t bits = s->size * 8;
        uint8_t length[8];

        for (size_t i = 0; i < 8; i++)
                length[i] = (uint8_t)(bits >> (56 - 8 * i));
        update(s, "\x80", 1);
        while (s->size % BLOCK != BLOCK - sizeof(length))
                update(s, "", 1);
        update(s, length, sizeof(length));
        for (size_t i = 0; i < SHA1_BYTES; i++)
                out[i] = (uint8_t)(s->h[i / 4] >> (24 - 8 * (i % 4)));
}

void sha1(const void *data, size_t size, uint8_t out[SHA1_BYTES]) {
        struct state s;

        begin(&s);
        update(&s, data, size);
        end(&s, out);
}

void sha1_hmac(const uint8_t *key, size_t key_size, const void *data, size_t size, uint8_t out[SHA1_BYTES]) {
        uint8_t pad[BLOCK] = { 0 }, inner[SHA1_BYTES];
        struct state s;

        if (key_size > BLOCK)
                sha1(key, key_size, pad);
        else
                memcpy(pad, key, key_size);

        for (size_t i = 0; i < BLOCK; i++)
                pad[i] ^= 0x36;
        begin(&s);
        update(&s, pad, BLOCK);
        update(&s, data, size);
        end(&s, inner);

        for (size_t i = 0; i < BLOCK; i++)
                pad[i] ^= 0x36 ^ 0x5c;
        begin(&s);
        update(&s, pad, BLOCK);
        update(&s, inner, sizeof(inner));
        end(&s, out);
}
