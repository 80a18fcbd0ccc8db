/* The wire side of the relay's load: sends packets that were protected ahead, evenly spread, and
 * takes what comes back. In C so that the generator's core is not the first to be full: the
 * interpreter is spent at some 400 calls. Built and called by _rtp_generator.py.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BURST 8         /* sent before what has come is looked at again */
#define READY 64
#define LARGEST 2048
#define SETTLE 300000000LL
#define PACKET_TIME 20000000LL

struct figures {
    int64_t got;        /* packets that came, of all that were sent */
    int64_t relayed;    /* of them while the worker's CPU was measured */
    int64_t cpu;        /* of the worker meanwhile, ns */
    int64_t late;       /* the last packet behind its time, ns */
    int64_t delays;     /* how many were written */
};

static int64_t now(void) {
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    return at.tv_sec * 1000000000LL + at.tv_nsec;
}

static int64_t cpu_of(int schedstat) {
    char line[128];
    ssize_t length = pread(schedstat, line, sizeof line - 1, 0);
    if (length <= 0)
        return -1;
    line[length] = 0;
    return strtoll(line, NULL, 10);
}

struct run {
    int legs, packets, warm_up, epoll;
    const int32_t *sockets;
    int64_t *sent_at;   /* of every packet of every leg */
    int32_t *first;     /* sequence number that came first; -1 before */
    double *delays;     /* us */
    struct figures *figures;
};

/* The legs of a call are neighbours: what came at one was sent by the other. */
static void take(struct run *run, int leg) {
    unsigned char data[LARGEST];
    char control[CMSG_SPACE(sizeof(struct timespec))];
    struct iovec part = {data, sizeof data};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1,
                             .msg_control = control, .msg_controllen = sizeof control};
    if (recvmsg(run->sockets[leg], &message, MSG_DONTWAIT) < 12)
        return;
    run->figures->got++;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header == NULL || header->cmsg_type != SO_TIMESTAMPNS)
        return;
    struct timespec stamp;
    memcpy(&stamp, CMSG_DATA(header), sizeof stamp);
    int sequence = data[2] << 8 | data[3];
    if (run->first[leg] < 0)
        run->first[leg] = sequence;
    int index = (sequence - run->first[leg]) & 0xFFFF;
    if (index < run->warm_up || index >= run->packets)
        return;
    int64_t sent = run->sent_at[(int64_t)(leg ^ 1) * run->packets + index];
    int64_t arrived = stamp.tv_sec * 1000000000LL + stamp.tv_nsec;
    run->delays[run->figures->delays++] = (arrived - sent) / 1000.0;
}

static void receive(struct run *run) {
    struct epoll_event ready[READY];
    int count = epoll_wait(run->epoll, ready, READY, 0);
    for (int at = 0; at < count; at++)
        take(run, ready[at].data.u32);
}

static void sleep_until(int64_t then) {
    struct timespec at = {then / 1000000000LL, then % 1000000000LL};
    clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &at, NULL);
}

/* 0, or -1 where the kernel refused. `wires` has `size` bytes for each packet of each leg. */
int rtp_load(int legs, const int32_t *sockets, int packets, int warm_up, const unsigned char *wires,
             int size, int worker, double *delays, struct figures *figures) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/schedstat", worker);
    int schedstat = open(path, O_RDONLY);
    struct run run = {legs, packets, warm_up, epoll_create1(0), sockets,
                      calloc((size_t)legs * packets, sizeof(int64_t)),
                      malloc(legs * sizeof(int32_t)), delays, figures};
    if (schedstat < 0 || run.epoll < 0 || run.sent_at == NULL || run.first == NULL)
        return -1;
    memset(figures, 0, sizeof *figures);
    for (int leg = 0; leg < legs; leg++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = leg};
        int on = 1;
        run.first[leg] = -1;
        if (epoll_ctl(run.epoll, EPOLL_CTL_ADD, sockets[leg], &event) < 0 ||
            setsockopt(sockets[leg], SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) < 0)
            return -1;
    }
    int64_t total = (int64_t)legs * packets, measured = (int64_t)legs * warm_up, sent = 0;
    int64_t start = now() + PACKET_TIME, cpu = 0, before = 0;
    while (sent < total) {
        int64_t due = (now() - start) * legs / PACKET_TIME + 1;
        for (int burst = 0; burst < BURST && sent < due && sent < total; burst++, sent++) {
            int leg = sent % legs;
            int64_t index = (int64_t)leg * packets + sent / legs;
            if (sent == measured) {
                cpu = cpu_of(schedstat);
                before = figures->got;
            }
            run.sent_at[index] = now();
            send(sockets[leg], wires + index * size, size, 0); /* what fails is lost, and counted */
        }
        receive(&run);
        /* Sleeping, not spinning: two virtual cores may share one real core. */
        if (sent < total)
            sleep_until(start + sent * PACKET_TIME / legs);
    }
    figures->cpu = cpu_of(schedstat) - cpu;
    figures->relayed = figures->got - before;
    figures->late = now() - start - (int64_t)packets * PACKET_TIME;
    int64_t end = now() + SETTLE;
    while (now() < end)
        receive(&run);
    free(run.sent_at);
    free(run.first);
    close(run.epoll);
    close(schedstat);
    return 0;
}
