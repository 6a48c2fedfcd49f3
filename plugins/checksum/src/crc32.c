// CRC-32 (IEEE 802.3), with a table for half a byte at a time.
#include "bytes.h"
#include "hash.h"

static const uint32_t table[16] = {
    0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
    0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
};

static void add(struct hash *hash, const uint8_t *data, size_t length) {
    uint32_t crc = hash->state.small[0];
    for (size_t i = 0; i < length; i++) {
        crc ^= data[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    hash->state.small[0] = crc;
}

static void begin(struct hash *hash) { hash->state.small[0] = UINT32_MAX; }

static void compress(struct hash *hash, const uint8_t *block) { add(hash, block, 64); }

static void end(struct hash *hash, uint8_t *digest) {
    add(hash, hash->block, hash->filled);
    store_be(digest, ~hash->state.small[0], 4);
}

const struct algorithm crc32 = {"crc32", 64, 4, begin, compress, end};
