/*
 * A queue reader as fast as we know how: recvmmsg of 128 packets, large buffers, all verdicts of a turn in one
 * sendmsg, no library in between.
 *
 * Environment: MODE=accept|modify, GSO=0|1, VERDICT=each|batch (batch: one NFQNL_MSG_VERDICT_BATCH a turn)
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

enum {
  BATCH = 128,
  QUEUE_LENGTH = 65536,
  RECEIVE_BUFFER = 64 << 20,
  SEND_BUFFER = 32 << 20,
  STRIDE = 2048,
  STRIDE_LARGE = 69632,
  VERDICT_BYTES = 32,  /* nlmsghdr 16, nfgenmsg 4, nlattr 4, nfqnl_msg_verdict_hdr 8 */
  VERDICT_ROOM = 48,
  FIRST_WORD = 28,
  CHANGED = 32
};

static int fd;
static volatile sig_atomic_t stopped;
static void stop(int signal) { stopped = signal; }

static int is(const char *name, const char *value) {
  const char *set = getenv(name);
  return set && !strcmp(set, value);
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static char *attribute(char *at, int type, const void *data, int length) {
  struct nlattr *header = (void *)at;
  header->nla_len = NLA_HDRLEN + length;
  header->nla_type = type;
  memcpy(at + NLA_HDRLEN, data, length);
  return at + NLA_ALIGN(header->nla_len);
}

/* One NFQNL_MSG_CONFIG with one or two attributes, and its answer. */
static void configure(int type, const void *data, int length, int type2, const void *data2, int length2) {
  char message[128] = {0}, answer[4096];
  struct nlmsghdr *header = (void *)message;
  header->nlmsg_type = NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_CONFIG;
  header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  char *end = attribute(message + NLMSG_HDRLEN + sizeof(struct nfgenmsg), type, data, length);
  if (data2) end = attribute(end, type2, data2, length2);
  header->nlmsg_len = end - message;
  if (send(fd, message, header->nlmsg_len, 0) < 0) fail("configure");
  do {
    if (recv(fd, answer, sizeof answer, 0) < 0) fail("configure");
    header = (void *)answer;
  } while (header->nlmsg_type != NLMSG_ERROR);
  errno = -((struct nlmsgerr *)NLMSG_DATA(header))->error;
  if (errno) fail("configure");
}

static void openQueue(int gso) {
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  int receive = RECEIVE_BUFFER, transmit = SEND_BUFFER, one = 1;
  fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
  if (fd < 0 || bind(fd, (void *)&kernel, sizeof kernel) || connect(fd, (void *)&kernel, sizeof kernel)) fail("netlink");
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive, sizeof receive);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &transmit, sizeof transmit);
  setsockopt(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, &one, sizeof one);
  struct nfqnl_msg_config_cmd command = {.command = NFQNL_CFG_CMD_BIND, .pf = htons(AF_INET)};
  struct nfqnl_msg_config_params copy = {htonl(0xffff), NFQNL_COPY_PACKET};
  unsigned length = htonl(QUEUE_LENGTH), flags = htonl(gso ? NFQA_CFG_F_GSO : 0), mask = htonl(NFQA_CFG_F_GSO);
  configure(NFQA_CFG_CMD, &command, sizeof command, 0, 0, 0);
  configure(NFQA_CFG_PARAMS, &copy, 5, 0, 0, 0);
  configure(NFQA_CFG_QUEUE_MAXLEN, &length, 4, 0, 0, 0);
  configure(NFQA_CFG_FLAGS, &flags, 4, NFQA_CFG_MASK, &mask, 4);
}

static struct iovec received[BATCH], parts[2 * BATCH];
static struct mmsghdr messages[BATCH];
static char verdicts[BATCH * VERDICT_ROOM];

static void writeVerdict(char *at, int type, unsigned length, unsigned id) {
  struct nlmsghdr *header = (void *)at;
  header->nlmsg_len = length;
  header->nlmsg_type = NFNL_SUBSYS_QUEUE << 8 | type;
  header->nlmsg_flags = NLM_F_REQUEST;
  unsigned verdict[2] = {htonl(NF_ACCEPT), id};
  attribute(at + NLMSG_HDRLEN + sizeof(struct nfgenmsg), NFQA_VERDICT_HDR, verdict, sizeof verdict);
}

/* Where the packet's number and bytes are in a message; 0 when it is no packet. */
static int parse(struct nlmsghdr *header, int length, unsigned *id, unsigned char **packet, int *bytes) {
  if (header->nlmsg_type != (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET)) return 0;
  char *at = (char *)header + NLMSG_HDRLEN + sizeof(struct nfgenmsg), *end = (char *)header + length;
  *packet = 0;
  *bytes = 0;
  while (at + NLA_HDRLEN <= end) {
    struct nlattr *found = (void *)at;
    int type = found->nla_type & NLA_TYPE_MASK;
    if (found->nla_len < NLA_HDRLEN) break;
    if (type == NFQA_PACKET_HDR) *id = ((struct nfqnl_msg_packet_hdr *)(at + NLA_HDRLEN))->packet_id;
    if (type == NFQA_PAYLOAD) {
      *packet = (unsigned char *)at + NLA_HDRLEN;
      *bytes = found->nla_len - NLA_HDRLEN;
    }
    at += NLA_ALIGN(found->nla_len);
  }
  return 1;
}

static void swapWords(unsigned char *packet) {
  unsigned char word[2];
  memcpy(word, packet + FIRST_WORD, 2);
  memcpy(packet + FIRST_WORD, packet + FIRST_WORD + 2, 2);
  memcpy(packet + FIRST_WORD + 2, word, 2);
}

/* Writes the verdicts of a turn; returns how many parts they have. */
static int decide(int count, int modify, int batch) {
  int used = 0, bytes;
  unsigned id = 0;
  unsigned char *packet;
  char *at = verdicts;
  for (int i = 0; i < count; i++) {
    if (!parse(received[i].iov_base, messages[i].msg_len, &id, &packet, &bytes) || batch) continue;
    if (modify && bytes >= CHANGED) {
      swapWords(packet);
      struct nlattr payload = {NLA_HDRLEN + bytes, NFQA_PAYLOAD};
      writeVerdict(at, NFQNL_MSG_VERDICT, VERDICT_BYTES + NLA_ALIGN(payload.nla_len), id);
      memcpy(at + VERDICT_BYTES, &payload, sizeof payload);
      parts[used++] = (struct iovec){at, VERDICT_BYTES + NLA_HDRLEN};
      parts[used++] = (struct iovec){packet, NLA_ALIGN(bytes)};
      at += VERDICT_ROOM;
    } else {
      writeVerdict(at, NFQNL_MSG_VERDICT, VERDICT_BYTES, id);
      if (modify) parts[used++] = (struct iovec){at, VERDICT_BYTES};
      at += modify ? VERDICT_ROOM : VERDICT_BYTES;
    }
  }
  if (batch && id) {
    writeVerdict(at, NFQNL_MSG_VERDICT_BATCH, VERDICT_BYTES, id);
    at += VERDICT_BYTES;
  }
  if (modify) return used;
  parts[0] = (struct iovec){verdicts, at - verdicts};
  return at > verdicts;
}

int main(void) {
  int gso = is("GSO", "1"), modify = is("MODE", "modify"), batch = !modify && is("VERDICT", "batch");
  size_t stride = gso ? STRIDE_LARGE : STRIDE;
  struct sigaction action = {.sa_handler = stop};
  sigaction(SIGTERM, &action, 0);
  openQueue(gso);
  char *memory = mmap(0, stride * BATCH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) fail("mmap");
  for (int i = 0; i < BATCH; i++) {
    received[i] = (struct iovec){memory + stride * i, stride};
    messages[i].msg_hdr.msg_iov = &received[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  puts("READY");
  fflush(stdout);
  while (!stopped) {
    int count = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, 0);
    if (count < 0 && errno != EINTR && errno != ENOBUFS) fail("recvmmsg");
    int used = count > 0 ? decide(count, modify, batch) : 0;
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = used};
    if (used && sendmsg(fd, &message, 0) < 0) perror("sendmsg");
  }
}
