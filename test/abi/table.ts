/**
 * Every number of the kernel's that the sources spell out, and what the headers call it.
 *
 * @module
 */
import { namesIn } from './source-constants.ts';

/** One constant of a file. */
export interface Row {
  /** Below src. */
  readonly file: string;
  readonly name: string;
  /** C expression; for several numbers one by key, `null` for those that are not the kernel's. */
  readonly expression: string | Readonly<Record<string, string | null>>;
  /** For the keys that are not in `expression`. */
  readonly other?: (key: string) => string;
  /** Kernel of the headers that have it, when those of older distributions do not. */
  readonly since?: readonly [number, number];
}

type Keys = Readonly<Record<string, string | null>>;

/** Every key is the rest of a name. */
const prefixed = (file: string, name: string, prefix: string, keys: Keys = {}): Row => ({
  file,
  name,
  expression: keys,
  other: (key) => `${prefix}${key}`,
});
const named = (file: string, name: string, keys: Keys = {}): Row => prefixed(file, name, '', keys);
const one = (file: string, name: string, expression: string): Row => ({ file, name, expression });

/** Keys are members, in capitals or as said; BYTES is the size. */
const layout = (file: string, name: string, type: string, members: Keys = {}): Row => ({
  file,
  name,
  expression: Object.fromEntries(
    Object.entries(members).map(([key, member]) => [
      key,
      member === null || /[( ]/.test(member) ? member : `offsetof(${type}, ${member})`,
    ]),
  ),
  other: (key) => (key === 'BYTES' ? `sizeof(${type})` : `offsetof(${type}, ${key.toLowerCase()})`),
});

/** End of a member: a call takes a union up to there. */
const upTo = (type: string, member: string): string =>
  `offsetof(${type}, ${member}) + sizeof(((${type} *)0)->${member})`;

const SYS = 'linux/sys/constants.ts';
const BPF = 'linux/bpf/constants.ts';
const CONTEXTS = 'linux/bpf/contexts.ts';
const NFT = 'linux/nftables/constants.ts';
const QUEUE = 'linux/nfqueue/constants.ts';
const DEVICES = 'linux/inject/devices.ts';
const INGRESS = 'linux/inject/ingress-program.ts';
const DIAG = 'linux/socket-layer/sock-diag.ts';
const MESSAGE = 'linux/netlink/message.ts';
const ATTR = 'union bpf_attr';

const SYSTEM: readonly Row[] = [
  named(SYS, 'ERRNO'),
  named(SYS, 'SOCKET'),
  named(SYS, 'OPTION'),
  named(SYS, 'MSG'),
  named(SYS, 'NETLINK'),
  named(SYS, 'SIGNAL_MASK', { BYTES: 'sizeof(sigset_t)' }),
  one(SYS, 'CLONE_NEWNET', 'CLONE_NEWNET'),
  named(SYS, 'PIDFD_CALL', {
    NR_PIDFD_OPEN: '__NR_pidfd_open',
    NR_PIDFD_GETFD: '__NR_pidfd_getfd',
  }),
  named(SYS, 'MOUNT_CALL', {
    NR_FSOPEN: '__NR_fsopen',
    NR_FSCONFIG: '__NR_fsconfig',
    NR_FSMOUNT: '__NR_fsmount',
  }),
  named(SYS, 'IOCTL'),
  named(SYS, 'PRCTL'),
  one(SYS, 'F_SETFD', 'F_SETFD'),
  named(SYS, 'CAPABILITY'),
  named(SYS, 'CAPSET', {
    VERSION_3: '_LINUX_CAPABILITY_VERSION_3',
    HEADER_BYTES: 'sizeof(struct __user_cap_header_struct)',
    EFFECTIVE: 'offsetof(struct __user_cap_data_struct, effective)',
    PERMITTED: 'offsetof(struct __user_cap_data_struct, permitted)',
    INHERITABLE: 'offsetof(struct __user_cap_data_struct, inheritable)',
    DATA_BYTES: 'sizeof(struct __user_cap_data_struct)',
  }),
  layout(SYS, 'IFREQ', 'struct ifreq', {
    NAME: 'ifr_name',
    VALUE: 'ifr_flags',
    HARDWARE_ADDRESS: 'ifr_hwaddr.sa_data',
  }),
  one('linux/sys/mmap.ts', 'PROT_READ', 'PROT_READ'),
  one('linux/sys/mmap.ts', 'PROT_WRITE', 'PROT_WRITE'),
  one('linux/sys/mmap.ts', 'MAP_SHARED', 'MAP_SHARED'),
  one('linux/nfqueue/chunk.ts', 'MMSGHDR_BYTES', 'sizeof(struct mmsghdr)'),
  one('linux/nfqueue/chunk.ts', 'MSG_IOV', 'offsetof(struct mmsghdr, msg_hdr.msg_iov)'),
  one('linux/nfqueue/chunk.ts', 'MSG_IOVLEN', 'offsetof(struct mmsghdr, msg_hdr.msg_iovlen)'),
  one('linux/nfqueue/chunk.ts', 'MSG_LEN', 'offsetof(struct mmsghdr, msg_len)'),
  one('linux/nfqueue/chunk.ts', 'IOVEC_BYTES', 'sizeof(struct iovec)'),
  one('linux/netlink/socket.ts', 'SOCKADDR_NL_BYTES', 'sizeof(struct sockaddr_nl)'),
  one('linux/netlink/socket.ts', 'SOCKADDR_NL_PORT', 'offsetof(struct sockaddr_nl, nl_pid)'),
  one('linux/inject/route-socket.ts', 'SOCKADDR_NL_BYTES', 'sizeof(struct sockaddr_nl)'),
  layout('linux/inject/raw-socket.ts', 'SOCKADDR_IN', 'struct sockaddr_in', {
    ADDRESS: 'sin_addr',
  }),
  layout('linux/inject/raw-socket.ts', 'SOCKADDR_IN6', 'struct sockaddr_in6', {
    ADDRESS: 'sin6_addr',
    SCOPE_ID: 'sin6_scope_id',
  }),
  one('linux/inject/raw-socket.ts', 'IPPROTO_RAW', 'IPPROTO_RAW'),
  one('linux/bpf/call.ts', 'ENOSYS', 'ENOSYS'),
  one('linux/bpf/call.ts', 'RLIMIT_MEMLOCK', 'RLIMIT_MEMLOCK'),
  one('linux/bpf/call.ts', 'RLIMIT_BYTES', 'sizeof(struct rlimit)'),
  named('linux/bpf/capability.ts', 'CAPABILITY'),
  prefixed('linux/socket-layer/context.ts', 'SOCKET_PROTOCOL', 'IPPROTO_'),
];

const NETLINK: readonly Row[] = [
  one('linux/netlink/attribute.ts', 'NLA_HEADER_BYTES', 'sizeof(struct nlattr)'),
  one('linux/netlink/attribute.ts', 'NLA_F_NESTED', 'NLA_F_NESTED'),
  one('linux/netlink/attribute.ts', 'NLA_TYPE_MASK', 'NLA_TYPE_MASK & 0xffff'),
  one(MESSAGE, 'NLMSG_HEADER_BYTES', 'sizeof(struct nlmsghdr)'),
  one(MESSAGE, 'NFGEN_HEADER_BYTES', 'sizeof(struct nfgenmsg)'),
  prefixed(MESSAGE, 'NLMSG', 'NLMSG_'),
  prefixed(MESSAGE, 'NLM_F', 'NLM_F_'),
  layout(MESSAGE, 'NLMSGERR', 'struct nlmsgerr', { MESSAGE: 'msg' }),
  one(MESSAGE, 'NLMSGERR_ATTR_MSG', 'NLMSGERR_ATTR_MSG'),
  one(MESSAGE, 'NLMSGERR_ATTR_OFFS', 'NLMSGERR_ATTR_OFFS'),
  one(MESSAGE, 'LENGTH', 'offsetof(struct nlmsghdr, nlmsg_len)'),
  one(MESSAGE, 'TYPE', 'offsetof(struct nlmsghdr, nlmsg_type)'),
  one(MESSAGE, 'FLAGS', 'offsetof(struct nlmsghdr, nlmsg_flags)'),
  one(MESSAGE, 'SEQUENCE', 'offsetof(struct nlmsghdr, nlmsg_seq)'),
  prefixed('linux/inject/route-socket.ts', 'NLM_F', 'NLM_F_'),
  prefixed(DEVICES, 'RTM', 'RTM_'),
  layout(DEVICES, 'RTMSG', 'struct rtmsg', { DST_LEN: 'rtm_dst_len', TYPE: 'rtm_type' }),
  prefixed(DEVICES, 'RTA', 'RTA_'),
  layout(DEVICES, 'IFINFOMSG', 'struct ifinfomsg', { INDEX: 'ifi_index', FLAGS: 'ifi_flags' }),
  one(DEVICES, 'IFADDRMSG_BYTES', 'sizeof(struct ifaddrmsg)'),
  ...['IFA_LOCAL', 'RTN_LOCAL', 'IFF_UP', 'IFLA_IFNAME'].map((name) => one(DEVICES, name, name)),
  one('linux/inject/tap.ts', 'IFF_TAP', 'IFF_TAP'),
  one('linux/inject/tap.ts', 'IFF_NO_PI', 'IFF_NO_PI'),
  one('linux/inject/tap.ts', 'TC_ACT_SHOT', 'TC_ACT_SHOT'),
  prefixed(INGRESS, 'RTM', 'RTM_'),
  layout(INGRESS, 'TCMSG', 'struct tcmsg', {
    IFINDEX: 'tcm_ifindex',
    HANDLE: 'tcm_handle',
    PARENT: 'tcm_parent',
    INFO: 'tcm_info',
  }),
  one(INGRESS, 'TC_H_CLSACT', 'TC_H_CLSACT'),
  one(INGRESS, 'CLSACT_HANDLE', 'TC_H_MAKE(TC_H_CLSACT, 0)'),
  one(INGRESS, 'CLSACT_INGRESS', 'TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)'),
  one(INGRESS, 'FIRST_FOR_ALL', '(1 << 16) | __builtin_bswap16(ETH_P_ALL)'),
  prefixed(INGRESS, 'TCA', 'TCA_'),
  prefixed(INGRESS, 'TCA_BPF', 'TCA_BPF_'),
  one(INGRESS, 'TCA_BPF_FLAG_ACT_DIRECT', 'TCA_BPF_FLAG_ACT_DIRECT'),
  one(DIAG, 'SOCK_DIAG_BY_FAMILY', 'SOCK_DIAG_BY_FAMILY'),
  one(DIAG, 'SOCK_DESTROY', 'SOCK_DESTROY'),
  {
    file: DIAG,
    name: 'REQUEST',
    expression: Object.fromEntries(
      Object.entries({
        FAMILY: 'sdiag_family',
        PROTOCOL: 'sdiag_protocol',
        STATES: 'idiag_states',
        SPORT: 'id.idiag_sport',
        SRC: 'id.idiag_src',
        DST: 'id.idiag_dst',
        COOKIE: 'id.idiag_cookie',
      }).map(([key, member]) => [
        key,
        `sizeof(struct nlmsghdr) + offsetof(struct inet_diag_req_v2, ${member})`,
      ]),
    ),
    other: (key) =>
      key === 'BYTES'
        ? 'sizeof(struct nlmsghdr) + sizeof(struct inet_diag_req_v2)'
        : `offsetof(struct nlmsghdr, nlmsg_${{ LENGTH: 'len', TYPE: 'type', FLAGS: 'flags' }[key]})`,
  },
  layout(DIAG, 'ANSWER', 'struct inet_diag_msg', {
    FAMILY: 'idiag_family',
    STATE: 'idiag_state',
    SPORT: 'id.idiag_sport',
    DPORT: 'id.idiag_dport',
    SRC: 'id.idiag_src',
    COOKIE: 'id.idiag_cookie',
    UID: 'idiag_uid',
    INODE: 'idiag_inode',
  }),
];

/** Constants of nf_tables whose keys follow their own name. */
const ATTRIBUTES = ['TABLE', 'CHAIN', 'HOOK', 'RULE', 'EXPR', 'META', 'BITWISE', 'BYTEORDER'];
const MORE_ATTRIBUTES = ['CMP', 'DATA', 'VERDICT', 'IMMEDIATE', 'FIB', 'TPROXY', 'QUEUE', 'HASH'];
const COMPAT_ATTRIBUTES = ['MATCH', 'TARGET', 'OBJ', 'OBJREF', 'COUNTER'];

const NETFILTER: readonly Row[] = [
  one(NFT, 'NFNL_SUBSYS_NFTABLES', 'NFNL_SUBSYS_NFTABLES'),
  one(NFT, 'NFNL_MSG_BATCH_BEGIN', 'NFNL_MSG_BATCH_BEGIN'),
  one(NFT, 'NFNL_MSG_BATCH_END', 'NFNL_MSG_BATCH_END'),
  prefixed(NFT, 'NFT_MSG', 'NFT_MSG_'),
  prefixed(NFT, 'NFPROTO', 'NFPROTO_'),
  prefixed(NFT, 'NF_INET', 'NF_INET_'),
  prefixed(NFT, 'NF', 'NF_'),
  one(NFT, 'NFT_TABLE_F_OWNER', 'NFT_TABLE_F_OWNER'),
  ...[...ATTRIBUTES, ...MORE_ATTRIBUTES, ...COMPAT_ATTRIBUTES].map((name) =>
    prefixed(NFT, `NFTA_${name}`, `NFTA_${name}_`),
  ),
  ...[
    'NFTA_LIST_ELEM',
    'NFTA_META_SREG',
    'NFT_JUMP',
    'NFT_HASH_SYM',
    'NFT_OBJECT_COUNTER',
    'NFT_META_MARK',
    'NFT_META_OIF',
    'NFT_FIB_RESULT_ADDRTYPE',
    'NFTA_FIB_F_DADDR',
    'NFT_BYTEORDER_HTON',
    'NFT_QUEUE_FLAG_BYPASS',
  ].map((name) => one(NFT, name, name)),
  prefixed(NFT, 'RTN', 'RTN_'),
  prefixed(NFT, 'NFT_CMP', 'NFT_CMP_'),
  named(NFT, 'NFT_REG', { VERDICT: 'NFT_REG_VERDICT', REG_1: 'NFT_REG_1' }),
  layout(NFT, 'XT_BPF_INFO_V1', 'struct xt_bpf_info_v1', {
    MODE_FD_ELF: '(XT_BPF_MODE_FD_ELF)',
    REVISION: null,
  }),
  layout(NFT, 'XT_NFQ_INFO_V3', 'struct xt_NFQ_info_v3', {
    // Information of xtables is padded.
    BYTES: 'XT_ALIGN(sizeof(struct xt_NFQ_info_v3))',
    QUEUENUM: 'queuenum',
    QUEUES_TOTAL: 'queues_total',
    FLAG_BYPASS: '(NFQ_FLAG_BYPASS)',
    REVISION: null,
  }),
  one(QUEUE, 'NFNL_SUBSYS_QUEUE', 'NFNL_SUBSYS_QUEUE'),
  prefixed(QUEUE, 'NFQNL_MSG', 'NFQNL_MSG_'),
  prefixed(QUEUE, 'NFQA', 'NFQA_'),
  prefixed(QUEUE, 'NFQA_CFG', 'NFQA_CFG_'),
  one(QUEUE, 'NFQNL_CFG_CMD_BIND', 'NFQNL_CFG_CMD_BIND'),
  one(QUEUE, 'NFQNL_COPY_PACKET', 'NFQNL_COPY_PACKET'),
  prefixed(QUEUE, 'NFQA_CFG_F', 'NFQA_CFG_F_'),
  prefixed(QUEUE, 'NFQA_SKB', 'NFQA_SKB_'),
  one(
    'linux/nfqueue/verdicts.ts',
    'VERDICT_BYTES',
    'sizeof(struct nlmsghdr) + sizeof(struct nfgenmsg) + sizeof(struct nlattr) + sizeof(struct nfqnl_msg_verdict_hdr)',
  ),
  one(
    'linux/nfqueue/verdicts.ts',
    'VERDICT_ID',
    'sizeof(struct nlmsghdr) + sizeof(struct nfgenmsg) + sizeof(struct nlattr) + offsetof(struct nfqnl_msg_verdict_hdr, id)',
  ),
  one(
    'linux/nfqueue/receiver.ts',
    'PACKET_HDR_HOOK',
    'offsetof(struct nfqnl_msg_packet_hdr, hook)',
  ),
  one(
    'linux/nfqueue/receiver.ts',
    'ERROR_CODE',
    'sizeof(struct nlmsghdr) + offsetof(struct nlmsgerr, error)',
  ),
  one(
    'linux/nfqueue/receiver.ts',
    'ERROR_MESSAGE',
    'sizeof(struct nlmsghdr) + offsetof(struct nlmsgerr, msg)',
  ),
];

const TEST_RUN = {
  PROG_FD: 'test.prog_fd',
  RETVAL: 'test.retval',
  DATA_SIZE_IN: 'test.data_size_in',
  DATA_SIZE_OUT: 'test.data_size_out',
  DATA_IN: 'test.data_in',
  REPEAT: 'test.repeat',
  DURATION: 'test.duration',
  CTX_SIZE_IN: 'test.ctx_size_in',
  CTX_SIZE_OUT: 'test.ctx_size_out',
  CTX_IN: 'test.ctx_in',
  BYTES: 'sizeof(((union bpf_attr *)0)->test)',
};
const BATCH = {
  IN_BATCH: 'batch.in_batch',
  OUT_BATCH: 'batch.out_batch',
  KEYS: 'batch.keys',
  VALUES: 'batch.values',
  COUNT: 'batch.count',
  MAP_FD: 'batch.map_fd',
  BYTES: 'sizeof(((union bpf_attr *)0)->batch)',
};
const INFO = {
  FD: 'info.bpf_fd',
  LENGTH: 'info.info_len',
  INFO: 'info.info',
  BYTES: 'sizeof(((union bpf_attr *)0)->info)',
};
const ELEMENT = { BYTES: `${upTo(ATTR, 'flags')}` };
const SK_BUFF = 'struct __sk_buff';

const PROGRAMS: readonly Row[] = [
  named(BPF, 'BPF_COMMAND'),
  prefixed(BPF, 'BPF_PROG_TYPE', 'BPF_PROG_TYPE_'),
  named(BPF, 'BPF_ATTACH_TYPE'),
  prefixed(BPF, 'BPF_MAP_TYPE', 'BPF_MAP_TYPE_'),
  named(BPF, 'BPF_MAP_FLAG'),
  named(BPF, 'BPF_UPDATE_FLAG'),
  one(BPF, 'MAX_NAME_BYTES', 'BPF_OBJ_NAME_LEN - 1'),
  prefixed('bpf/helper.ts', 'HELPER', 'BPF_FUNC_'),
  prefixed('bpf/opcode.ts', 'CLASS', 'BPF_'),
  prefixed('bpf/opcode.ts', 'SIZE', 'BPF_'),
  prefixed('bpf/opcode.ts', 'MODE', 'BPF_'),
  prefixed('bpf/opcode.ts', 'SOURCE', 'BPF_'),
  prefixed('bpf/opcode.ts', 'ALU', 'BPF_'),
  prefixed('bpf/opcode.ts', 'JUMP', 'BPF_'),
  one('bpf/opcode.ts', 'BPF_PSEUDO_MAP_FD', 'BPF_PSEUDO_MAP_FD'),
  one('bpf/opcode.ts', 'BPF_PSEUDO_MAP_VALUE', 'BPF_PSEUDO_MAP_VALUE'),
  one('bpf/instruction.ts', 'INSTRUCTION_BYTES', 'sizeof(struct bpf_insn)'),
  one('bpf/instruction.ts', 'OFFSET', 'offsetof(struct bpf_insn, off)'),
  one('bpf/instruction.ts', 'IMMEDIATE', 'offsetof(struct bpf_insn, imm)'),
  layout('linux/bpf/program.ts', 'ATTRIBUTE', ATTR),
  one('linux/bpf/program.ts', 'ATTRIBUTE_BYTES', upTo(ATTR, 'expected_attach_type')),
  layout('linux/bpf/map.ts', 'CREATE', ATTR, {
    BTF_FD: 'btf_fd',
    BTF_KEY_TYPE_ID: 'btf_key_type_id',
    BTF_VALUE_TYPE_ID: 'btf_value_type_id',
  }),
  layout('linux/bpf/map.ts', 'ELEMENT', ATTR),
  layout('linux/bpf/map.ts', 'BATCH', ATTR, BATCH),
  one('linux/bpf/map.ts', 'BATCH_BYTES', BATCH.BYTES),
  layout('linux/bpf/map-batch.ts', 'ATTRIBUTE', ATTR, BATCH),
  layout('linux/bpf/link.ts', 'UPDATE', ATTR, {
    LINK_FD: 'link_update.link_fd',
    NEW_PROG_FD: 'link_update.new_prog_fd',
    BYTES: 'sizeof(((union bpf_attr *)0)->link_update)',
  }),
  layout('linux/bpf/link.ts', 'TRACEPOINT', ATTR, {
    NAME: 'raw_tracepoint.name',
    PROG_FD: 'raw_tracepoint.prog_fd',
    BYTES: null,
  }),
  {
    ...layout('linux/bpf/link.ts', 'CREATE', ATTR, {
      PROG_FD: 'link_create.prog_fd',
      TARGET_FD: 'link_create.target_fd',
      ATTACH_TYPE: 'link_create.attach_type',
      FLAGS: 'link_create.flags',
      RELATIVE_FD: 'link_create.cgroup.relative_fd',
      BYTES:
        'offsetof(union bpf_attr, link_create.cgroup) + sizeof(((union bpf_attr *)0)->link_create.cgroup)',
    }),
    since: [6, 17],
  },
  { ...named('linux/bpf/link.ts', 'PLACE_FLAG'), since: [6, 17] },
  layout('linux/bpf/object-ids.ts', 'IDS', ATTR, { BYTES: upTo(ATTR, 'open_flags') }),
  layout('linux/bpf/object-ids.ts', 'INFO', ATTR, INFO),
  layout('linux/bpf/object-ids.ts', 'MAP_INFO', 'struct bpf_map_info', {
    BYTES: upTo('struct bpf_map_info', 'name'),
  }),
  layout('linux/bpf/object-ids.ts', 'PROGRAM_INFO', 'struct bpf_prog_info', {
    BYTES: 'offsetof(struct bpf_prog_info, map_ids)',
  }),
  layout('linux/bpf/object-ids.ts', 'ELEMENT', ATTR, ELEMENT),
  one('linux/bpf/object-ids.ts', 'BPF_F_RDONLY', 'BPF_F_RDONLY'),
  layout('linux/socket-layer/open-ports.ts', 'LOOKUP', ATTR, ELEMENT),
  layout('linux/socket-layer/handle-order.ts', 'INFO', ATTR, INFO),
  layout('linux/socket-layer/handle-order.ts', 'LINK_INFO', 'struct bpf_link_info', {
    BYTES: null,
  }),
  layout('linux/bpf/test-run.ts', 'ATTRIBUTE', ATTR, TEST_RUN),
  one('linux/bpf/test-run.ts', 'ATTRIBUTE_BYTES', TEST_RUN.BYTES),
  layout('linux/bpf/test-run.ts', 'CONTEXT', SK_BUFF),
  one('linux/bpf/test-run.ts', 'CONTEXT_BYTES', `sizeof(${SK_BUFF})`),
  layout('linux/bpf/syscall-program.ts', 'ATTRIBUTE', ATTR, TEST_RUN),
  one('linux/bpf/syscall-program.ts', 'BPF_F_SLEEPABLE', 'BPF_F_SLEEPABLE'),
  layout('linux/inject/ingress.ts', 'ATTRIBUTE', ATTR, TEST_RUN),
  layout('linux/inject/ingress.ts', 'CONTEXT', SK_BUFF, {
    BYTES: `offsetof(${SK_BUFF}, cb) + sizeof(((${SK_BUFF} *)0)->cb)`,
  }),
  one('linux/inject/ingress.ts', 'BPF_F_INGRESS', 'BPF_F_INGRESS'),
  one('linux/inject/tap.ts', 'BPF_F_INGRESS', 'BPF_F_INGRESS'),
  one('linux/inject/tap.ts', 'SKB_MARK', `offsetof(${SK_BUFF}, mark)`),
  one('linux/inject/mark.ts', 'SKB_MARK', `offsetof(${SK_BUFF}, mark)`),
  layout('linux/sniff-record.ts', 'SKB', SK_BUFF),
  layout('filter/bpf/frame.ts', 'SKB', SK_BUFF),
  layout('linux/bpf/btf.ts', 'HEADER', 'struct btf_header', {
    // Linux 7 has more; it takes shorter ones.
    BYTES: upTo('struct btf_header', 'str_len'),
  }),
  one('linux/bpf/btf.ts', 'BTF_MAGIC', 'BTF_MAGIC'),
  one('linux/bpf/btf.ts', 'BTF_VERSION', 'BTF_VERSION'),
  prefixed('linux/bpf/btf.ts', 'BTF_KIND', 'BTF_KIND_'),
  layout('linux/bpf/btf.ts', 'LOAD', ATTR, { BYTES: null }),
  one('linux/bpf/ringbuf.ts', 'RECORD_HEADER_BYTES', 'BPF_RINGBUF_HDR_SZ'),
  one('linux/bpf/ringbuf.ts', 'DISCARD_BIT', 'BPF_RINGBUF_DISCARD_BIT'),
];

const CONTEXT_LAYOUTS: readonly Row[] = [
  layout(CONTEXTS, 'SOCK', 'struct bpf_sock'),
  layout(CONTEXTS, 'SOCK_ADDR', 'struct bpf_sock_addr'),
  layout(CONTEXTS, 'SOCK_OPS', 'struct bpf_sock_ops', {
    CB_FLAGS: 'bpf_sock_ops_cb_flags',
  }),
  layout(CONTEXTS, 'SK_LOOKUP', 'struct bpf_sk_lookup'),
  layout(CONTEXTS, 'SKB', SK_BUFF),
  prefixed(CONTEXTS, 'SOCK_OPS_OP', 'BPF_SOCK_OPS_'),
  one(CONTEXTS, 'STATE_CB_FLAG', 'BPF_SOCK_OPS_STATE_CB_FLAG'),
  prefixed(CONTEXTS, 'TCP_STATE', 'BPF_TCP_'),
];

/** All of them. */
export const TABLE: readonly Row[] = [
  ...SYSTEM,
  ...NETLINK,
  ...NETFILTER,
  ...PROGRAMS,
  ...CONTEXT_LAYOUTS,
];

/** Files that have hardly anything but numbers of the kernel's, and those in them that are not. */
const FULL: Readonly<Record<string, readonly string[]>> = {
  [SYS]: ['NR_BPF', 'NR_BPF_OF', 'LOOPBACK_IFINDEX'],
  [BPF]: [],
  [CONTEXTS]: [],
  [NFT]: [],
  [QUEUE]: ['MAX_COPY_BYTES'],
  [MESSAGE]: ['NO_WORDS'],
};

/** Constants of those files that are missing in the table. */
export function findMissing(): string[] {
  return Object.entries(FULL).flatMap(([file, own]) =>
    namesIn(file)
      .filter((name) => !own.includes(name))
      .filter((name) => !TABLE.some((row) => row.file === file && row.name === name))
      .map((name) => `${file} ${name}`),
  );
}

/** What the C file includes. */
export const HEADERS: readonly string[] = [
  'stddef.h',
  'errno.h',
  'sched.h',
  'signal.h',
  'sys/socket.h',
  'sys/uio.h',
  'sys/ioctl.h',
  'sys/mman.h',
  'sys/resource.h',
  'netinet/in.h',
  'net/if.h',
  'asm/unistd.h',
  'linux/version.h',
  'linux/sockios.h',
  'linux/if_tun.h',
  'linux/prctl.h',
  'linux/fcntl.h',
  'linux/if_ether.h',
  'linux/if_link.h',
  'linux/if_addr.h',
  'linux/mount.h',
  'linux/capability.h',
  'linux/netlink.h',
  'linux/rtnetlink.h',
  'linux/sock_diag.h',
  'linux/inet_diag.h',
  'linux/pkt_sched.h',
  'linux/pkt_cls.h',
  'linux/netfilter.h',
  'linux/netfilter/nfnetlink.h',
  'linux/netfilter/nfnetlink_queue.h',
  'linux/netfilter/nf_tables.h',
  'linux/netfilter/nf_tables_compat.h',
  'linux/netfilter/x_tables.h',
  'linux/netfilter/xt_bpf.h',
  'linux/netfilter/xt_NFQUEUE.h',
  'linux/bpf.h',
  'linux/btf.h',
];
