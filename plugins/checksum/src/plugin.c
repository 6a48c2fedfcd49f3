// The functions that wit/world.wit exports, on the bindings that are generated from it.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "component.h"
#include "hash.h"

enum { PIECE = 64 << 10, REPORT_EVERY = 16 << 20, MAX_PATH = 4096 };

// The checksums that were asked for.
struct hashes {
    struct hash of[ALGORITHMS];
    size_t count;
};

static void hashes_begin(struct hashes *hashes, const component_algorithms_t *wanted) {
    hashes->count = 0;
    for (int i = 0; i < ALGORITHMS; i++) {
        // Nothing, or nothing in particular, means the first: SHA-256.
        if (wanted && *wanted ? *wanted >> i & 1 : i == 0) hash_begin(&hashes->of[hashes->count++], algorithms[i]);
    }
}

static void hashes_update(struct hashes *hashes, const uint8_t *data, size_t length) {
    for (size_t i = 0; i < hashes->count; i++) hash_update(&hashes->of[i], data, length);
}

static void write_hex(struct hash *hash, component_string_t *hex) {
    uint8_t digest[MAX_DIGEST];
    char digits[2 * MAX_DIGEST];
    size_t length = hash->algorithm->digest_size;
    hash_end(hash, digest);
    for (size_t i = 0; i < 2 * length; i++) digits[i] = "0123456789abcdef"[digest[i / 2] >> (i % 2 ? 0 : 4) & 15];
    component_string_dup_n(hex, digits, 2 * length);
}

static void hashes_end(struct hashes *hashes, component_checksums_t *result) {
    result->size = hashes->of[0].length;
    result->digests.len = hashes->count;
    result->digests.ptr = calloc(hashes->count, sizeof *result->digests.ptr);
    if (!result->digests.ptr) abort();
    for (size_t i = 0; i < hashes->count; i++) {
        component_string_dup(&result->digests.ptr[i].algorithm, hashes->of[i].algorithm->name);
        write_hex(&hashes->of[i], &result->digests.ptr[i].hex);
    }
}

static void fail(component_string_t *error, const char *what, const char *path, const char *why) {
    char message[MAX_PATH + 128] = "";
    // The path is shorter than MAX_PATH, and the rest is ours.
    strcat(strcat(strcat(strcat(message, what), path), ": "), why);
    component_string_dup(error, message);
}

// Reads a file in pieces. Gives false, and says why, where that fails.
static bool hash_path(const component_string_t *path, struct hashes *hashes, component_string_t *error) {
    static uint8_t piece[PIECE];
    char name[MAX_PATH];
    if (path->len == 0 || path->len >= sizeof name || memchr(path->ptr, 0, path->len)) {
        component_string_dup(error, "`path` must have from 1 to 4095 bytes, and no NUL among them");
        return false;
    }
    memcpy(name, path->ptr, path->len);
    name[path->len] = 0;

    struct stat status;
    int file = open(name, O_RDONLY);
    if (file < 0 || fstat(file, &status) != 0) {
        fail(error, "opening ", name, strerror(errno));
        if (file >= 0) close(file);
        return false;
    }
    if (S_ISDIR(status.st_mode)) {
        fail(error, "reading ", name, "it is a folder");
        close(file);
        return false;
    }
    uint64_t done = 0, reported = 0;
    ssize_t length;
    while ((length = read(file, piece, sizeof piece)) > 0) {
        hashes_update(hashes, piece, (size_t)length);
        done += (uint64_t)length;
        if (done - reported >= REPORT_EVERY) {
            double total = (double)status.st_size;
            toolhatch_plugin_progress_report((double)done, &total, NULL);
            reported = done;
        }
    }
    if (length < 0) fail(error, "reading ", name, strerror(errno));
    close(file);
    return length == 0;
}

static void hash_data(const uint8_t *data, size_t length, const component_algorithms_t *wanted,
                      component_checksums_t *result) {
    struct hashes hashes;
    hashes_begin(&hashes, wanted);
    hashes_update(&hashes, data, length);
    hashes_end(&hashes, result);
}

void exports_component_hash_text(component_string_t *text, component_algorithms_t *maybe_algorithms,
                                 component_checksums_t *result) {
    hash_data(text->ptr, text->len, maybe_algorithms, result);
    component_string_free(text);
}

void exports_component_hash_bytes(component_list_u8_t *data, component_algorithms_t *maybe_algorithms,
                                  component_checksums_t *result) {
    hash_data(data->ptr, data->len, maybe_algorithms, result);
    component_list_u8_free(data);
}

bool exports_component_hash_file(component_string_t *path, component_algorithms_t *maybe_algorithms,
                                 component_checksums_t *result, component_string_t *error) {
    struct hashes hashes;
    hashes_begin(&hashes, maybe_algorithms);
    bool read = hash_path(path, &hashes, error);
    if (read) hashes_end(&hashes, result);
    component_string_free(path);
    return read;
}

static const struct algorithm *of_length(size_t digits) {
    static const struct algorithm *const by_length[] = {&crc32, &md5, &sha1, &sha256, &sha512};
    for (size_t i = 0; i < sizeof by_length / sizeof *by_length; i++) {
        if (digits == 2 * by_length[i]->digest_size) return by_length[i];
    }
    return NULL;
}

static bool is_hex(const component_string_t *text) {
    for (size_t i = 0; i < text->len; i++) {
        uint8_t digit = text->ptr[i] | 0x20;
        if (!((digit >= '0' && digit <= '9' && text->ptr[i] == digit) || (digit >= 'a' && digit <= 'f'))) return false;
    }
    return true;
}

bool exports_component_verify_file(component_string_t *path, component_string_t *expected,
                                   component_verdict_t *result, component_string_t *error) {
    const struct algorithm *algorithm = of_length(expected->len);
    bool read = algorithm && is_hex(expected);
    if (!read) {
        component_string_dup(error, "`expected` is no checksum: that is 8, 32, 40, 64 or 128 digits in hexadecimal");
    } else {
        struct hashes hashes = {.count = 1};
        hash_begin(&hashes.of[0], algorithm);
        read = hash_path(path, &hashes, error);
        if (read) {
            for (size_t i = 0; i < expected->len; i++) {
                if (expected->ptr[i] >= 'A' && expected->ptr[i] <= 'F') expected->ptr[i] |= 0x20;
            }
            write_hex(&hashes.of[0], &result->found);
            result->matches = memcmp(result->found.ptr, expected->ptr, expected->len) == 0;
            component_string_dup(&result->algorithm, algorithm->name);
            component_string_dup_n(&result->expected, (const char *)expected->ptr, expected->len);
        }
    }
    component_string_free(path);
    component_string_free(expected);
    return read;
}
