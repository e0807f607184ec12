/* A disk that fails when it is told to, for LD_PRELOAD: stands before the calls that write to files below one folder.
 *
 * FAULTS_CONTROL names a file that is shared with who tells (laid out as `struct control`; shim.py has the same), and
 * FAULTS_FOLDER the folder. It also counts, and knows from where on a file has not been synced. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum kind { NONE, IO_ERROR, NO_SPACE, SHORT_WRITE, FULL };
enum call { WRITE = 1, SYNC = 2, TRUNCATE = 4 };

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
    if (kind == FULL && (call == SYNC || fstat(fd, &status) || end <= status.st_size)) return 0;
    control->seen++;
    if (control->skip > 0) return control->skip--, 0;
    if (!control->times) return 0;
    if (control->times > 0) control->times--;
    control->failed++;
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
