/*
 * Counts UDP datagrams. Looks at its socket every millisecond, so that no tool pays for waking it up.
 *
 *   udp-sink PORT      prints READY; on SIGTERM prints JSON: all datagrams, and those whose words were swapped
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

enum { BATCH = 512, KEPT = 8, RECEIVE_BUFFER = 256 << 20 };

static volatile sig_atomic_t stopped;
static void stop(int signal) { stopped = signal; }

static struct mmsghdr messages[BATCH];
static struct iovec vectors[BATCH];
static unsigned char kept[BATCH][KEPT];

int main(int count, char **arguments) {
  if (count < 2) return 2;
  unsigned long received = 0, changed = 0;
  signal(SIGTERM, stop);
  int fd = socket(AF_INET, SOCK_DGRAM, 0), buffer = RECEIVE_BUFFER;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
  struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(atoi(arguments[1]))};
  if (bind(fd, (struct sockaddr *)&own, sizeof own)) {
    perror("bind");
    return 1;
  }
  for (int i = 0; i < BATCH; i++) {
    vectors[i] = (struct iovec){kept[i], KEPT};
    messages[i].msg_hdr.msg_iov = &vectors[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  puts("READY");
  fflush(stdout);
  for (;;) {
    int last = stopped;
    int n;
    do {
      n = recvmmsg(fd, messages, BATCH, MSG_DONTWAIT | MSG_TRUNC, 0);
      if (n > 0) received += n;
      for (int i = 0; i < n; i++) changed += kept[i][0] == 0x33;
    } while (n == BATCH);
    if (last) break;
    nanosleep(&(struct timespec){0, 1000000}, 0);
  }
  printf("{\"received\":%lu,\"changed\":%lu}\n", received, changed);
}
