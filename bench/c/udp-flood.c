/*
 * Sends UDP datagrams as fast as it can, or paced, and prints what it sent as JSON.
 *
 *   udp-flood -d ADDRESS -s SIZE -t SECONDS [-n COUNT] [-r PACKETS_PER_SECOND] [-g TRAIN] [-p PORT] [-f FLOWS]
 *
 * -g: trains of datagrams in one call (UDP_SEGMENT), which the kernel cuts up. -n: stop after so many. -f: from so many ports in turn,
 * a batch from each.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
enum { BATCH = 64, SEND_BUFFER = 8 << 20, MAX_TRAIN = 65000, MAX_FLOWS = 1024 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

int main(int count, char **arguments) {
  const char *address = "127.0.0.1";
  int port = 9000, size = 64, train = 0, flows = 1, option;
  double seconds = 1, rate = 0;
  unsigned long limit = 0;
  while ((option = getopt(count, arguments, "d:p:s:t:r:g:n:f:")) > 0) {
    switch (option) {
      case 'd': address = optarg; break;
      case 'p': port = atoi(optarg); break;
      case 's': size = atoi(optarg); break;
      case 't': seconds = atof(optarg); break;
      case 'r': rate = atof(optarg); break;
      case 'g': train = atoi(optarg); break;
      case 'f': flows = atoi(optarg); break;
      case 'n': limit = strtoul(optarg, NULL, 10); break;
      default: return 2;
    }
  }
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
  inet_pton(AF_INET, address, &to.sin_addr);
  int fds[MAX_FLOWS], buffer = SEND_BUFFER;
  if (flows < 1 || flows > MAX_FLOWS) return 2;
  for (int i = 0; i < flows; i++) {
    fds[i] = socket(AF_INET, SOCK_DGRAM, 0);
    setsockopt(fds[i], SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer);
    if (connect(fds[i], (struct sockaddr *)&to, sizeof to)) {
      perror("connect");
      return 1;
    }
  }

  /* The first two words of the payload: tools that change packets swap them, and the checksum stays right. */
  unsigned char *payload = calloc(1, 65536);
  for (int i = 0; i < size; i++) payload[i] = i & 0xff;
  memcpy(payload, "\x11\x22\x33\x44", 4);
  struct iovec vector = {payload, size};
  struct mmsghdr messages[BATCH] = {0};
  int batch = BATCH;
  for (int i = 0; i < BATCH; i++) {
    messages[i].msg_hdr.msg_iov = &vector;
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  if (train) {
    if (size * train > MAX_TRAIN) train = MAX_TRAIN / size;
    for (int i = 0; i < flows; i++) {
      if (setsockopt(fds[i], IPPROTO_UDP, UDP_SEGMENT, &size, sizeof size)) {
        perror("UDP_SEGMENT");
        return 1;
      }
    }
    for (int i = 1; i < train; i++) memcpy(payload + i * size, payload, size);
    vector.iov_len = size * train;
    batch = 1;
  }

  unsigned long sent = 0, errors = 0, turn = 0;
  double start = now(), t;
  while ((t = now()) < start + seconds) {
    if (limit && sent >= limit) break;
    if (rate > 0 && sent > (t - start) * rate) continue;
    int want = batch;
    if (limit && !train && limit - sent < (unsigned long)want) want = limit - sent;
    int n = sendmmsg(fds[turn++ % flows], messages, want, 0);
    if (n < 0) errors++;
    else sent += train ? (unsigned long)n * train : (unsigned long)n;
  }
  double elapsed = now() - start;
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  double cpu = used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e-6;
  printf("{\"sent\":%lu,\"errors\":%lu,\"seconds\":%.4f,\"cpuSeconds\":%.6f}\n", sent, errors, elapsed, cpu);
}
