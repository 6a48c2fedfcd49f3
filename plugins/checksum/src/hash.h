// Checksums that take their input in pieces.
#ifndef HASH_H
#define HASH_H

#include <stddef.h>
#include <stdint.h>

enum { MAX_BLOCK = 128, MAX_DIGEST = 64, ALGORITHMS = 6 };

struct hash;

// One way to compute a checksum: over blocks of a size, the last of which is worked on in `end`.
struct algorithm {
    const char *name;
    size_t block_size;
    size_t digest_size;
    void (*begin)(struct hash *);
    void (*compress)(struct hash *, const uint8_t *block);
    void (*end)(struct hash *, uint8_t *digest);
};

// A checksum that is being computed.
struct hash {
    const struct algorithm *algorithm;
    // How many bytes there were, those in `block` included.
    uint64_t length;
    // What has not been worked on: never nothing once there was a byte, because the last block is a special one.
    uint8_t block[MAX_BLOCK];
    size_t filled;
    union {
        uint32_t small[8];
        uint64_t large[8];
    } state;
};

// In the order of the world's flags.
extern const struct algorithm *const algorithms[ALGORITHMS];

extern const struct algorithm sha256, sha512, blake2b, sha1, md5, crc32;

void hash_begin(struct hash *hash, const struct algorithm *algorithm);
void hash_update(struct hash *hash, const uint8_t *data, size_t length);
// Writes `algorithm->digest_size` bytes.
void hash_end(struct hash *hash, uint8_t *digest);

// The padding of MD5 and SHA: a one bit, zeros, and the length in bits in the last bytes of a block.
void hash_pad(struct hash *hash, int big_endian);

#endif
