// Integers in bytes, and bits that go round.
#ifndef BYTES_H
#define BYTES_H

#include <stdint.h>

static inline uint32_t rotl32(uint32_t x, int by) { return x << by | x >> (32 - by); }
static inline uint32_t rotr32(uint32_t x, int by) { return x >> by | x << (32 - by); }
static inline uint64_t rotr64(uint64_t x, int by) { return x >> by | x << (64 - by); }

static inline uint32_t load32_le(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}
static inline uint32_t load32_be(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | (uint32_t)p[3];
}
static inline uint64_t load64_le(const uint8_t *p) { return load32_le(p) | (uint64_t)load32_le(p + 4) << 32; }
static inline uint64_t load64_be(const uint8_t *p) { return (uint64_t)load32_be(p) << 32 | load32_be(p + 4); }

static inline void store_le(uint8_t *p, uint64_t x, int bytes) {
    for (int i = 0; i < bytes; i++) p[i] = (uint8_t)(x >> (8 * i));
}
static inline void store_be(uint8_t *p, uint64_t x, int bytes) {
    for (int i = 0; i < bytes; i++) p[i] = (uint8_t)(x >> (8 * (bytes - 1 - i)));
}

#endif
