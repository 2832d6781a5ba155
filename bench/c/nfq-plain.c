/*
 * A queue reader as the examples of libnetfilter_queue show it: one packet received, one verdict sent.
 *
 * Environment: MODE=accept|modify, GSO=0|1, TUNED=0|1 (long queue, large receive buffer)
 */
#include <arpa/inet.h>
#include <errno.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/netfilter.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { QUEUE_LENGTH = 65536, RECEIVE_BUFFER = 64 << 20, FIRST_WORD = 28, CHANGED = 32 };

static int modify;
static volatile sig_atomic_t stopped;
static void stop(int signal) { stopped = signal; }

static int isSet(const char *name) {
  const char *value = getenv(name);
  return value && atoi(value);
}

static int handle(struct nfq_q_handle *queue, struct nfgenmsg *message, struct nfq_data *data, void *own) {
  (void)message, (void)own;
  unsigned id = ntohl(nfq_get_msg_packet_hdr(data)->packet_id);
  if (!modify) return nfq_set_verdict(queue, id, NF_ACCEPT, 0, NULL);
  unsigned char *packet, word[2];
  int length = nfq_get_payload(data, &packet);
  if (length >= CHANGED) {
    memcpy(word, packet + FIRST_WORD, 2);
    memcpy(packet + FIRST_WORD, packet + FIRST_WORD + 2, 2);
    memcpy(packet + FIRST_WORD + 2, word, 2);
  }
  return nfq_set_verdict(queue, id, NF_ACCEPT, length, packet);
}

int main(void) {
  const char *mode = getenv("MODE");
  modify = mode && !strcmp(mode, "modify");
  struct sigaction action = {.sa_handler = stop};
  sigaction(SIGTERM, &action, 0);
  struct nfq_handle *library = nfq_open();
  struct nfq_q_handle *queue = library ? nfq_create_queue(library, 0, handle, 0) : NULL;
  if (!queue) {
    perror("nfq_create_queue");
    return 1;
  }
  nfq_set_mode(queue, NFQNL_COPY_PACKET, 0xffff);
  if (isSet("GSO")) nfq_set_queue_flags(queue, NFQA_CFG_F_GSO, NFQA_CFG_F_GSO);
  int fd = nfq_fd(library);
  if (isSet("TUNED")) {
    int bytes = RECEIVE_BUFFER;
    nfq_set_queue_maxlen(queue, QUEUE_LENGTH);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
  }
  puts("READY");
  fflush(stdout);
  static char buffer[70000] __attribute__((aligned(16)));
  while (!stopped) {
    int length = recv(fd, buffer, sizeof buffer, 0);
    if (length >= 0) nfq_handle_packet(library, buffer, length);
    else if (errno != ENOBUFS && errno != EINTR) {
      perror("recv");
      return 1;
    }
  }
}
