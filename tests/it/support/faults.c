/* Stands between the binary and the C library, where a test preloads it: lets operations on files fail, ends the process
 * in the middle of them, and moves the clock. It does nothing that it is not told by these variables:
 *
 *   FAULT_BELOW   only operations on files below this folder count
 *   FAULT_AT      the first operation that is hit, from 1
 *   FAULT_KIND    kill: SIGKILL instead of it; torn: SIGKILL after half of it was written;
 *                 full: ENOSPC for it and all that follow
 *   CLOCK_BY      seconds that are added to the time of day
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static const char *below;
static char kind;
static long at, clock_by;
static atomic_long count;

__attribute__((constructor)) static void read_variables(void) {
    const char *text;
    below = getenv("FAULT_BELOW");
    text = getenv("FAULT_KIND");
    kind = text ? text[0] : 0;
    text = getenv("FAULT_AT");
    at = text ? atol(text) : 0;
    text = getenv("CLOCK_BY");
    clock_by = text ? atol(text) : 0;
}

static int path_counts(const char *path) {
    return below && at && path && strncmp(path, below, strlen(below)) == 0;
}

static int file_counts(int fd) {
    char link[64], path[PATH_MAX];
    ssize_t length;
    if (!below || !at)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return path_counts(path);
}

static void die(void) {
    syscall(SYS_kill, (long)getpid(), (long)SIGKILL);
    for (;;)
        pause();
}

/* True where this operation has to fail; does not come back where the process has to end here. */
static int is_hit(int counts) {
    long now;
    if (!counts)
        return 0;
    now = atomic_fetch_add(&count, 1) + 1;
    if (now == at && kind == 'k')
        die();
    if (now >= at && kind == 'f') {
        errno = ENOSPC;
        return 1;
    }
    return now == at && kind == 't';
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *bytes, size_t length) {
    if (is_hit(file_counts(fd))) {
        if (kind == 'f')
            return -1;
        syscall(SYS_write, (long)fd, bytes, length / 2);
        die();
    }
    return syscall(SYS_write, (long)fd, bytes, length);
}

ssize_t writev(int fd, const struct iovec *parts, int number) {
    if (is_hit(file_counts(fd))) {
        if (kind == 'f')
            return -1;
        if (number > 0)
            syscall(SYS_write, (long)fd, parts[0].iov_base, parts[0].iov_len / 2);
        die();
    }
    return syscall(SYS_writev, (long)fd, parts, (long)number);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
    if (is_hit(file_counts(fd))) {
        if (kind == 'f')
            return -1;
        syscall(SYS_pwrite64, (long)fd, bytes, length / 2, offset);
        die();
    }
    return syscall(SYS_pwrite64, (long)fd, bytes, length, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
    return pwrite64(fd, bytes, length, offset);
}

/* What follows takes no room on a full disk, or gives some back; a process can end there all the same. */
static void may_end(int counts) {
    if (kind != 'f' && is_hit(counts))
        die();
}

int fsync(int fd) {
    may_end(file_counts(fd));
    return (int)syscall(SYS_fsync, (long)fd);
}

int fdatasync(int fd) {
    may_end(file_counts(fd));
    return (int)syscall(SYS_fdatasync, (long)fd);
}

int ftruncate64(int fd, off64_t length) {
    may_end(file_counts(fd));
    return (int)syscall(SYS_ftruncate, (long)fd, length);
}

int ftruncate(int fd, off_t length) {
    return ftruncate64(fd, length);
}

int rename(const char *from, const char *to) {
    may_end(path_counts(to));
    return REAL(rename)(from, to);
}

int unlink(const char *path) {
    may_end(path_counts(path));
    return REAL(unlink)(path);
}

int open64(const char *path, int flags, ...) {
    va_list more;
    mode_t mode = 0;
    if (flags & (O_CREAT | O_TMPFILE)) {
        va_start(more, flags);
        mode = va_arg(more, mode_t);
        va_end(more);
    }
    /* What is there already takes no room. */
    if ((flags & O_CREAT) && access(path, F_OK) != 0 && is_hit(path_counts(path))) {
        if (kind == 'f')
            return -1;
        die();
    }
    return (int)syscall(SYS_openat, (long)AT_FDCWD, path, (long)flags, (long)mode);
}

int open(const char *path, int flags, ...) {
    va_list more;
    mode_t mode = 0;
    if (flags & (O_CREAT | O_TMPFILE)) {
        va_start(more, flags);
        mode = va_arg(more, mode_t);
        va_end(more);
    }
    return open64(path, flags, mode);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = (int)syscall(SYS_clock_gettime, (long)clock, time);
    if (result == 0 && clock == CLOCK_REALTIME)
        time->tv_sec += clock_by;
    return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    struct timespec now;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return -1;
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *result) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (result)
        *result = now.tv_sec;
    return now.tv_sec;
}
