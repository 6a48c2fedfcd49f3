#include "hash.h"

#include <string.h>

#include "bytes.h"

const struct algorithm *const algorithms[ALGORITHMS] = {&sha256, &sha512, &blake2b, &sha1, &md5, &crc32};

void hash_begin(struct hash *hash, const struct algorithm *algorithm) {
    memset(hash, 0, sizeof *hash);
    hash->algorithm = algorithm;
    algorithm->begin(hash);
}

void hash_update(struct hash *hash, const uint8_t *data, size_t length) {
    const struct algorithm *algorithm = hash->algorithm;
    while (length > 0) {
        if (hash->filled == algorithm->block_size) {
            algorithm->compress(hash, hash->block);
            hash->filled = 0;
        }
        // Whole blocks are worked on where they are, but for the last.
        while (hash->filled == 0 && length > algorithm->block_size) {
            hash->length += algorithm->block_size;
            algorithm->compress(hash, data);
            data += algorithm->block_size;
            length -= algorithm->block_size;
        }
        size_t room = algorithm->block_size - hash->filled;
        size_t piece = length < room ? length : room;
        memcpy(hash->block + hash->filled, data, piece);
        hash->filled += piece;
        hash->length += piece;
        data += piece;
        length -= piece;
    }
}

void hash_end(struct hash *hash, uint8_t *digest) { hash->algorithm->end(hash, digest); }

void hash_pad(struct hash *hash, int big_endian) {
    const struct algorithm *algorithm = hash->algorithm;
    size_t size = algorithm->block_size;
    if (hash->filled == size) {
        algorithm->compress(hash, hash->block);
        hash->filled = 0;
    }
    hash->block[hash->filled++] = 0x80;
    memset(hash->block + hash->filled, 0, size - hash->filled);
    // The length has an eighth of the block.
    if (hash->filled > size - size / 8) {
        algorithm->compress(hash, hash->block);
        memset(hash->block, 0, size);
    }
    uint8_t *place = hash->block + size - 8;
    if (big_endian) {
        store_be(place, hash->length * 8, 8);
    } else {
        store_le(place, hash->length * 8, 8);
    }
    algorithm->compress(hash, hash->block);
}
