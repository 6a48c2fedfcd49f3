// SHA-1 (FIPS 180-4).
#include <string.h>

#include "bytes.h"
#include "hash.h"

static const uint32_t initial[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};

static void begin(struct hash *hash) { memcpy(hash->state.small, initial, sizeof initial); }

static void compress(struct hash *hash, const uint8_t *block) {
    uint32_t *state = hash->state.small;
    uint32_t w[80];
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    for (int i = 0; i < 16; i++) w[i] = load32_be(block + 4 * i);
    for (int i = 16; i < 80; i++) w[i] = rotl32(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (int i = 0; i < 80; i++) {
        uint32_t mixed;
        switch (i / 20) {
        case 0: mixed = ((b & c) | (~b & d)) + 0x5a827999; break;
        case 1: mixed = (b ^ c ^ d) + 0x6ed9eba1; break;
        case 2: mixed = ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc; break;
        default: mixed = (b ^ c ^ d) + 0xca62c1d6; break;
        }
        uint32_t next = rotl32(a, 5) + mixed + e + w[i];
        e = d;
        d = c;
        c = rotl32(b, 30);
        b = a;
        a = next;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

static void end(struct hash *hash, uint8_t *digest) {
    hash_pad(hash, 1);
    for (int i = 0; i < 5; i++) store_be(digest + 4 * i, hash->state.small[i], 4);
}

const struct algorithm sha1 = {"sha1", 64, 20, begin, compress, end};
