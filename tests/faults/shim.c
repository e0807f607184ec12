/* A disk that fails when it is told to, for LD_PRELOAD: stands before the calls that write to files below one folder,
 * or make, name and remove them, and before the COMMIT that goes to a database. It can kill the process instead.
 *
 * FAULTS_CONTROL names a file that is shared with who tells (laid out as `struct control`; shim.py has the same), and
 * FAULTS_FOLDER the folder. It also counts, and knows from where on a file has not been synced. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum kind { NONE, IO_ERROR, NO_SPACE, SHORT_WRITE, FULL, KILL };
enum call { WRITE = 1, SYNC = 2, TRUNCATE = 4, CREATE = 8, NAME = 16, COMMIT = 32 };

#define FILES 16

struct file {
    char name[48];
    uint64_t writes, syncs;
    int64_t unsynced; /* the lowest offset written to since the last sync; -1: none */
};

struct control {
    uint32_t kind, calls;   /* what happens, and to which calls */
    int64_t skip, times;    /* how many are left alone first, how many fail then (-1: until disarmed) */
    uint64_t seen, failed;  /* since it was armed */
    struct file files[FILES];
};

static struct control *control;
static char folder[4096];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int rest_fails = -1; /* the descriptor of which half a write was taken */

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off64_t);
static int (*real_fsync)(int), (*real_fdatasync)(int), (*real_ftruncate)(int, off64_t);

__attribute__((constructor)) static void begin(void) {
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    const char *name = getenv("FAULTS_CONTROL"), *below = getenv("FAULTS_FOLDER");
    int shared = name ? open(name, O_RDWR) : -1;
    if (shared < 0 || !below || !realpath(below, folder)) return;
    void *map = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, shared, 0);
    close(shared);
    if (map != MAP_FAILED) control = map;
}

/* The entry of a file below the folder, NULL of any other. */
static struct file *file_of(int fd) {
    char link[32], path[4096];
    if (!control) return NULL;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    size_t prefix = strlen(folder);
    if (length <= (ssize_t)prefix + 1) return NULL;
    path[length] = 0;
    if (strncmp(path, folder, prefix) || path[prefix] != '/') return NULL;
    for (int i = 0; i < FILES; i++) {
        struct file *file = &control->files[i];
        if (!file->name[0]) {
            strncpy(file->name, path + prefix + 1, sizeof file->name - 1);
            file->unsynced = -1;
        }
        if (!strncmp(file->name, path + prefix + 1, sizeof file->name - 1)) return file;
    }
    return NULL;
}

/* Whether this call fails. It is asked once for each. */
static int fails(enum call call, int fd, off64_t end) {
    uint32_t kind = __atomic_load_n(&control->kind, __ATOMIC_ACQUIRE);
    struct stat status;
    if (kind == NONE || !(control->calls & call)) return 0;
    if (kind == FULL && call == CREATE) end = INT64_MAX;
    else if (kind == FULL && (call == SYNC || fstat(fd, &status) || end <= status.st_size)) return 0;
    control->seen++;
    if (control->skip > 0) return control->skip--, 0;
    if (!control->times) return 0;
    if (control->times > 0) control->times--;
    control->failed++;
    if (kind == KILL) raise(SIGKILL);
    return 1;
}

static ssize_t written(int fd, const void *data, size_t size, off64_t offset, int moves) {
    pthread_mutex_lock(&lock);
    struct file *file = file_of(fd);
    off64_t at = file && moves ? lseek64(fd, 0, SEEK_CUR) : offset;
    int error = 0;
    if (file) {
        if (rest_fails == fd) {
            error = ENOSPC;
            rest_fails = -1;
        } else if (fails(WRITE, fd, at + (off64_t)size)) {
            if (control->kind == SHORT_WRITE && size > 1) {
                size /= 2;
                rest_fails = fd;
            } else {
                error = control->kind == IO_ERROR ? EIO : ENOSPC;
            }
        }
        file->writes++;
        if (!error && (file->unsynced < 0 || at < file->unsynced)) file->unsynced = at;
    }
    pthread_mutex_unlock(&lock);
    if (error) return errno = error, -1;
    return moves ? real_write(fd, data, size) : real_pwrite(fd, data, size, offset);
}

static int synced(int fd, int (*sync)(int)) {
    pthread_mutex_lock(&lock);
    struct file *file = file_of(fd);
    int error = 0;
    if (file) {
        if (fails(SYNC, fd, 0)) error = control->kind == IO_ERROR ? EIO : ENOSPC;
        file->syncs++;
        if (!error) file->unsynced = -1;
    }
    pthread_mutex_unlock(&lock);
    return error ? errno = error, -1 : sync(fd);
}

static int truncated(int fd, off64_t size) {
    pthread_mutex_lock(&lock);
    struct file *file = file_of(fd);
    int error = file && fails(TRUNCATE, fd, size) ? (control->kind == IO_ERROR ? EIO : ENOSPC) : 0;
    pthread_mutex_unlock(&lock);
    return error ? errno = error, -1 : real_ftruncate(fd, size);
}

ssize_t write(int fd, const void *data, size_t size) { return written(fd, data, size, 0, 1); }
ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) { return written(fd, data, size, offset, 0); }
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) { return written(fd, data, size, offset, 0); }
int fsync(int fd) { return synced(fd, real_fsync); }
int fdatasync(int fd) { return synced(fd, real_fdatasync); }
int ftruncate(int fd, off_t size) { return truncated(fd, size); }
int ftruncate64(int fd, off64_t size) { return truncated(fd, size); }

/* Calls that make, name or remove files: `fails` for a path below the folder. A disk that is full still removes. */

static void *next(const char *name) { return dlsym(RTLD_NEXT, name); }

static int below(int at, const char *path) {
    char whole[8192], link[32];
    size_t prefix = strlen(folder), length = 0;
    if (!control || !path) return 0;
    if (path[0] != '/') {
        if (at == AT_FDCWD) snprintf(link, sizeof link, "/proc/self/cwd");
        else snprintf(link, sizeof link, "/proc/self/fd/%d", at);
        ssize_t got = readlink(link, whole, 4096);
        if (got < 0) return 0;
        length = (size_t)got;
        whole[length++] = '/';
    }
    snprintf(whole + length, sizeof whole - length, "%s", path);
    return !strncmp(whole, folder, prefix) && whole[prefix] == '/';
}

static int stopped(enum call call, int at, const char *path) {
    pthread_mutex_lock(&lock);
    int stops = below(at, path) && fails(call, -1, 0);
    pthread_mutex_unlock(&lock);
    if (stops) errno = control->kind == IO_ERROR ? EIO : ENOSPC;
    return stops;
}

#define MODE(flags) \
    va_list rest; \
    va_start(rest, flags); \
    mode_t mode = (flags) & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
    va_end(rest)

static int makes(int at, const char *path, int flags) {
    if (flags & O_TRUNC) return 1;
    return (flags & O_CREAT) && faccessat(at, path, F_OK, AT_SYMLINK_NOFOLLOW);
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        MODE(flags); \
        if (makes(AT_FDCWD, path, flags) && stopped(CREATE, AT_FDCWD, path)) return -1; \
        return ((int (*)(const char *, int, mode_t))next(#name))(path, flags, mode); \
    }
#define OPEN_AT(name) \
    int name(int at, const char *path, int flags, ...) { \
        MODE(flags); \
        if (makes(at, path, flags) && stopped(CREATE, at, path)) return -1; \
        return ((int (*)(int, const char *, int, mode_t))next(#name))(at, path, flags, mode); \
    }
OPEN(open)
OPEN(open64)
OPEN_AT(openat)
OPEN_AT(openat64)

int mkdir(const char *path, mode_t mode) {
    if (stopped(CREATE, AT_FDCWD, path)) return -1;
    return ((int (*)(const char *, mode_t))next("mkdir"))(path, mode);
}

int rename(const char *from, const char *to) {
    if (stopped(NAME, AT_FDCWD, to)) return -1;
    return ((int (*)(const char *, const char *))next("rename"))(from, to);
}

int link(const char *from, const char *to) {
    if (stopped(NAME, AT_FDCWD, to)) return -1;
    return ((int (*)(const char *, const char *))next("link"))(from, to);
}

int linkat(int from_at, const char *from, int to_at, const char *to, int flags) {
    if (stopped(NAME, to_at, to)) return -1;
    return ((int (*)(int, const char *, int, const char *, int))next("linkat"))(from_at, from, to_at, to, flags);
}

/* What removes files fails for no want of space; it can only be the last that a process does. */
static void removing(int at, const char *path) {
    if (control && control->kind == KILL && !faccessat(at, path, F_OK, AT_SYMLINK_NOFOLLOW)) stopped(NAME, at, path);
}

int unlink(const char *path) {
    removing(AT_FDCWD, path);
    return ((int (*)(const char *))next("unlink"))(path);
}

int unlinkat(int at, const char *path, int flags) {
    removing(at, path);
    return ((int (*)(int, const char *, int))next("unlinkat"))(at, path, flags);
}

int rmdir(const char *path) {
    removing(AT_FDCWD, path);
    return ((int (*)(const char *))next("rmdir"))(path);
}

static ssize_t copied(const char *name, int to, int from, off64_t *offset, size_t size) {
    pthread_mutex_lock(&lock);
    int stops = file_of(to) && fails(WRITE, to, INT64_MAX);
    pthread_mutex_unlock(&lock);
    if (stops) return errno = control->kind == IO_ERROR ? EIO : ENOSPC, -1;
    return ((ssize_t (*)(int, int, off64_t *, size_t))next(name))(to, from, offset, size);
}

ssize_t sendfile(int to, int from, off_t *offset, size_t size) { return copied("sendfile", to, from, offset, size); }
ssize_t sendfile64(int to, int from, off64_t *offset, size_t size) {
    return copied("sendfile64", to, from, offset, size);
}

/* A COMMIT on its way to a database is a step too. */
ssize_t send(int fd, const void *data, size_t size, int flags) {
    if (control && control->kind == KILL && memmem(data, size, "COMMIT", 6)) {
        pthread_mutex_lock(&lock);
        fails(COMMIT, -1, 0);
        pthread_mutex_unlock(&lock);
    }
    return ((ssize_t (*)(int, const void *, size_t, int))next("send"))(fd, data, size, flags);
}
