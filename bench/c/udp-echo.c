/*
 * Round trips of one byte over UDP.
 *
 *   udp-echo server PORT                    prints READY
 *   udp-echo client ADDRESS PORT SECONDS    prints percentiles in microseconds as JSON
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

enum { WARM_UP = 5000, MAX_SAMPLES = 4000000, TIMEOUT_US = 300000 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

static int compare(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

static int serve(int fd, int port) {
  struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(port)}, peer;
  if (bind(fd, (struct sockaddr *)&own, sizeof own)) {
    perror("bind");
    return 1;
  }
  puts("READY");
  fflush(stdout);
  for (;;) {
    char bytes[64];
    socklen_t length = sizeof peer;
    int n = recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&peer, &length);
    if (n > 0) sendto(fd, bytes, n, 0, (struct sockaddr *)&peer, length);
  }
}

int main(int count, char **arguments) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (count == 3 && !strcmp(arguments[1], "server")) return serve(fd, atoi(arguments[2]));
  if (count != 5) return 2;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(arguments[3]))};
  inet_pton(AF_INET, arguments[2], &to.sin_addr);
  if (connect(fd, (struct sockaddr *)&to, sizeof to)) {
    perror("connect");
    return 1;
  }
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){0, TIMEOUT_US}, sizeof(struct timeval));
  char bytes[64] = {0};
  double seconds = atof(arguments[4]);
  for (int i = 0; i < (seconds < 1 ? WARM_UP / 10 : WARM_UP); i++) {
    send(fd, bytes, 1, 0);
    if (recv(fd, bytes, sizeof bytes, 0) < 0) i += WARM_UP / 10;
  }
  float *samples = malloc(MAX_SAMPLES * sizeof *samples);
  int n = 0, lost = 0;
  double start = now(), t = start;
  while (t < start + seconds && n < MAX_SAMPLES) {
    double sent = now();
    send(fd, bytes, 1, 0);
    int result = recv(fd, bytes, sizeof bytes, 0);
    t = now();
    if (result < 0) lost++;
    else samples[n++] = (t - sent) * 1e6;
  }
  if (n == 0) {
    fputs("no round trip came back\n", stderr);
    return 1;
  }
  qsort(samples, n, sizeof *samples, compare);
  printf("{\"roundTrips\":%d,\"lost\":%d,\"p50\":%.2f,\"p90\":%.2f,\"p99\":%.2f,\"p999\":%.2f}\n", n, lost,
         samples[n / 2], samples[(int)(n * .9)], samples[(int)(n * .99)], samples[(int)(n * .999)]);
}
