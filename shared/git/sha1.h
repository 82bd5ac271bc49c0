/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * SHA-1 (FIPS 180-4) and HMAC-SHA-1 (RFC 2104): only to look up hashed names in known_hosts
 *
 * Nothing is authenticated with it: the HMAC hides host names in the file. libsodium does not have it.
 */

#include <stddef.h>
#include <stdint.h>

#define SHA1_BYTES 20

void sha1(const void *data, size_t size, uint8_t out[SHA1_BYTES]);
void sha1_hmac(const uint8_t *key, size_t key_size, const void *data, size_t size, uint8_t out[SHA1_BYTES]);
