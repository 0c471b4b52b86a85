/* Preloaded into a command: counts what it does to the files of a folder, and on the way kills it, stops it, asks it to
   end, or fills the disk.

   FAULTS_FOLDER   only files below it count
   FAULTS_ACT      trace:FILE    appends a line for each stage in the log (stderr) and each call on such a file
                   kill:K:PART   SIGKILL before, in the middle of (a half-written write), or after the K-th call
                   late:STAGE:N:USEC   SIGKILL so long after the N-th line "stage STAGE:" of the log
                   stop:K:PART   SIGSTOP there, until it is continued
                   term:STAGE:N:USEC:FILE   SIGTERM as with late; FILE gets the microseconds of the monotonic clock then
                   full:K        from the K-th call on nothing can be added to the folder: ENOSPC
   faults_configure() reads both again; a forked process calls it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { BEFORE, MIDDLE, AFTER };
static char folder[4096], stage[64], told[4096];
static int trace = -1, part, sent;
static long target, full, wanted, delay, calls, seen;

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static ssize_t plain_write(int fd, const void *data, size_t size) {
    REAL(ssize_t, "write", int, const void *, size_t);
    return real(fd, data, size);
}

static void note(const char *format, ...) {
    if (trace < 0) return;
    char line[512];
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int length = snprintf(line, sizeof line, "%lld ", (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    va_list rest;
    va_start(rest, format);
    length += vsnprintf(line + length, sizeof line - length, format, rest);
    va_end(rest);
    if (length > (int)sizeof line - 2) length = sizeof line - 2;
    line[length++] = '\n';
    if (plain_write(trace, line, length) != length) abort();
}

static void end(void) {
    if (sent == SIGTERM) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        char line[32];
        int file = open(told, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
        int length = snprintf(line, sizeof line, "%lld", (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
        if (plain_write(file, line, length) != length || close(file)) abort();
    }
    kill(getpid(), sent);
    while (sent == SIGKILL) pause();
}

__attribute__((constructor)) void faults_configure(void) {
    const char *where = getenv("FAULTS_FOLDER"), *act = getenv("FAULTS_ACT");
    char kind[16] = "";
    folder[0] = stage[0] = 0;
    target = full = wanted = delay = calls = seen = 0;
    trace = -1;
    sent = SIGKILL;
    if (!where || !act) return;
    snprintf(folder, sizeof folder, "%s/", where);
    if (!strncmp(act, "trace:", 6)) trace = open(act + 6, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    else if (sscanf(act, "kill:%ld:%15s", &target, kind) == 2) part = kind[0] == 'b' ? BEFORE : kind[0] == 'm' ? MIDDLE : AFTER;
    else if (sscanf(act, "stop:%ld:%15s", &target, kind) == 2) {
        part = kind[0] == 'b' ? BEFORE : kind[0] == 'm' ? MIDDLE : AFTER;
        sent = SIGSTOP;
    } else if (sscanf(act, "term:%63[^:]:%ld:%ld:%4095s", stage, &wanted, &delay, told) == 4) sent = SIGTERM;
    else if (sscanf(act, "late:%63[^:]:%ld:%ld", stage, &wanted, &delay) != 3) sscanf(act, "full:%ld", &full);
}

static int below(const char *path) {
    if (!folder[0] || !path) return 0;
    char whole[8192];
    if (path[0] != '/') {
        if (!getcwd(whole, 4000)) return 0;
        strcat(whole, "/");
        strncat(whole, path, 4000);
        path = whole;
    }
    return !strncmp(path, folder, strlen(folder));
}

static int ours(int fd) {
    if (!folder[0] || fd < 3) return 0;
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return below(path);
}

/* Whether the disk is full at this call. */
static int begins(const char *name, size_t size) {
    long number = __sync_add_and_fetch(&calls, 1);
    note("call %ld %s %zu", number, name, size);
    if (number == target && part == BEFORE) end();
    return full && number >= full;
}

static int dies_within(void) { return calls == target && part == MIDDLE; }

static void ends(void) {
    if (calls == target && part != BEFORE) end();
}

static void *later(void *unused) {
    struct timespec wait = {delay / 1000000, delay % 1000000 * 1000};
    nanosleep(&wait, NULL);
    end();
    return unused;
}

static void listen_to(const void *data, size_t size) {
    if (!folder[0] || size < 8 || memcmp(data, "stage ", 6)) return;
    const char *name = (const char *)data + 6, *colon = memchr(name, ':', size - 6);
    if (!colon) return;
    note("stage %.*s", (int)(size - 6 - (((const char *)data)[size - 1] == '\n')), name);
    if (wanted && (size_t)(colon - name) == strlen(stage) && !memcmp(name, stage, colon - name) && ++seen == wanted) {
        pthread_t thread;
        if (!delay) end();
        pthread_create(&thread, NULL, later, NULL);
    }
}

#define FAILS(name, size) \
    if (begins(name, size)) { \
        errno = ENOSPC; \
        return -1; \
    }

ssize_t write(int fd, const void *data, size_t size) {
    if (fd == 2) {
        ssize_t done = plain_write(fd, data, size);
        listen_to(data, size);
        return done;
    }
    if (!ours(fd)) return plain_write(fd, data, size);
    FAILS("write", size);
    ssize_t done = plain_write(fd, data, dies_within() ? (size + 1) / 2 : size);
    ends();
    return done;
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
    if (!ours(fd)) return real(fd, data, size, at);
    FAILS("write", size);
    ssize_t done = real(fd, data, dies_within() ? (size + 1) / 2 : size, at);
    ends();
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return pwrite64(fd, data, size, at); }

ssize_t writev(int fd, const struct iovec *parts, int n) {
    REAL(ssize_t, "writev", int, const struct iovec *, int);
    if (!ours(fd)) return real(fd, parts, n);
    FAILS("write", 0);
    ssize_t done = real(fd, parts, dies_within() ? (n + 1) / 2 : n);
    ends();
    return done;
}

int ftruncate64(int fd, off64_t size) {
    REAL(int, "ftruncate64", int, off64_t);
    if (!ours(fd)) return real(fd, size);
    FAILS("truncate", 0);
    int done = real(fd, size);
    ends();
    return done;
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

int fsync(int fd) {
    REAL(int, "fsync", int);
    struct stat found;
    if (!ours(fd)) return real(fd);
    if (begins("fsync", 0) && !fstat(fd, &found) && S_ISREG(found.st_mode)) {
        errno = ENOSPC;
        return -1;
    }
    int done = real(fd);
    ends();
    return done;
}

#define OF_TWO_PATHS(name) \
    int name(const char *one, const char *two) { \
        REAL(int, #name, const char *, const char *); \
        if (!below(two)) return real(one, two); \
        FAILS(#name, 0); \
        int done = real(one, two); \
        ends(); \
        return done; \
    }
OF_TWO_PATHS(rename)
OF_TWO_PATHS(link)

int renameat(int at, const char *one, int to, const char *two) {
    REAL(int, "renameat", int, const char *, int, const char *);
    if (!below(two)) return real(at, one, to, two);
    FAILS("rename", 0);
    int done = real(at, one, to, two);
    ends();
    return done;
}

int renameat2(int at, const char *one, int to, const char *two, unsigned int flags) {
    REAL(int, "renameat2", int, const char *, int, const char *, unsigned int);
    if (!below(two)) return real(at, one, to, two, flags);
    FAILS("rename", 0);
    int done = real(at, one, to, two, flags);
    ends();
    return done;
}

int linkat(int at, const char *one, int to, const char *two, int flags) {
    REAL(int, "linkat", int, const char *, int, const char *, int);
    if (!below(two)) return real(at, one, to, two, flags);
    FAILS("link", 0);
    int done = real(at, one, to, two, flags);
    ends();
    return done;
}

int mkdir(const char *path, mode_t mode) {
    REAL(int, "mkdir", const char *, mode_t);
    if (!below(path)) return real(path, mode);
    FAILS("mkdir", 0);
    int done = real(path, mode);
    ends();
    return done;
}

int unlink(const char *path) {
    REAL(int, "unlink", const char *);
    if (!below(path)) return real(path);
    begins("unlink", 0);
    int done = real(path);
    ends();
    return done;
}
