/* A disk with a will of its own, loaded before libc (LD_PRELOAD) into the process under test.

   DISK_DELAY_MS   every fsync takes so long
   DISK_KILL_AT    kill -9 at the nth call that makes something durable or takes it away
   DISK_KILL_AFTER "1": after that call instead of before it
   DISK_ARM        a file: calls are counted while it is there, and its "N AFTER" are the two above
   DISK_FULL_AT    from the nth fsync on, nothing more can be written to files (ENOSPC)
   DISK_HEARD      a file: voice packets (G.711) that were received are counted in its first four
                   bytes, which outlive the process
*/
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static atomic_int calls, syncs;

static int number(const char *name) {
    const char *text = getenv(name);
    return text ? atoi(text) : 0;
}

static void *next(const char *name) { return dlsym(RTLD_NEXT, name); }

static int counted(void) {
    const char *arm = getenv("DISK_ARM");
    if (arm && access(arm, F_OK)) return -1;
    return atomic_fetch_add(&calls, 1) + 1;
}

static void die(int call, int after) {
    int at = number("DISK_KILL_AT"), when = number("DISK_KILL_AFTER");
    const char *arm = getenv("DISK_ARM");
    FILE *file = arm && call > 0 ? fopen(arm, "r") : NULL;
    if (file) {
        if (fscanf(file, "%d %d", &at, &when) != 2) at = 0;
        fclose(file);
    }
    if (call == at && after == when) kill(getpid(), SIGKILL);
}

static int synced(const char *name, int fd) {
    int call = counted(), delay = number("DISK_DELAY_MS");
    atomic_fetch_add(&syncs, 1);
    die(call, 0);
    struct timespec pause = {delay / 1000, delay % 1000 * 1000000L};
    if (delay) nanosleep(&pause, NULL);
    int result = ((int (*)(int))next(name))(fd);
    die(call, 1);
    return result;
}

int fsync(int fd) { return synced("fsync", fd); }
int fdatasync(int fd) { return synced("fdatasync", fd); }
int syncfs(int fd) { return synced("syncfs", fd); }

int unlink(const char *path) {
    int ours = strstr(path, ".sealed") || strstr(path, ".slot");
    int call = ours ? counted() : -1;
    die(call, 0);
    int result = ((int (*)(const char *))next("unlink"))(path);
    die(call, 1);
    return result;
}

int ftruncate64(int fd, off_t size) {
    int call = counted();
    die(call, 0);
    int result = ((int (*)(int, off_t))next("ftruncate64"))(fd, size);
    die(call, 1);
    return result;
}

ssize_t write(int fd, const void *data, size_t size) {
    int full = number("DISK_FULL_AT");
    struct stat found;
    if (full && atomic_load(&syncs) >= full && !fstat(fd, &found) && S_ISREG(found.st_mode)) {
        errno = ENOSPC;
        return -1;
    }
    return ((ssize_t (*)(int, const void *, size_t))next("write"))(fd, data, size);
}

static ssize_t heard(ssize_t size, const void *data) {
    static atomic_int *count;
    const char *path = getenv("DISK_HEARD");
    const unsigned char *packet = data;
    if (!path || size < 172 || packet[0] != 0x80 || (packet[1] & 0x7f)) return size;
    if (!count) {
        int fd = open(path, O_RDWR | O_CREAT, 0666);
        if (fd < 0 || ftruncate(fd, sizeof *count)) return size;
        count = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
    }
    atomic_fetch_add(count, 1);
    return size;
}

ssize_t recv(int fd, void *data, size_t size, int flags) {
    return heard(((ssize_t (*)(int, void *, size_t, int))next("recv"))(fd, data, size, flags), data);
}

ssize_t recvfrom(int fd, void *data, size_t size, int flags, struct sockaddr *from, socklen_t *length) {
    ssize_t (*real)(int, void *, size_t, int, struct sockaddr *, socklen_t *) = next("recvfrom");
    return heard(real(fd, data, size, flags, from, length), data);
}
