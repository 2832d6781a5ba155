/**
 * Tables and flowtables of nf_tables, of whomever they are.
 *
 * @module
 */

import { parseAttributes, readString } from '../../linux/netlink/attribute.ts';
import { NFGEN_HEADER_BYTES, NLM_F } from '../../linux/netlink/message.ts';
import { NetlinkSocket } from '../../linux/netlink/socket.ts';
import { NFNL_SUBSYS_NFTABLES, NFTA_TABLE } from '../../linux/nftables/constants.ts';
import { Transaction } from '../../linux/nftables/transaction.ts';
import { withNamespace } from '../../linux/sys/namespace.ts';

/** enum nf_tables_msg_types */
const NFT_MSG_GETTABLE = 1;
const NFT_MSG_GETFLOWTABLE = 23;
/** enum nft_flowtable_attributes */
const NFTA_FLOWTABLE = { TABLE: 1, NAME: 2 } as const;
const NFPROTO_UNSPEC = 0;

export interface NftTable {
  /** NFPROTO_*. */
  readonly family: number;
  readonly name: string;
}

/** Lists the tables of a namespace. */
export function listNftTables(namespace?: string): Promise<NftTable[]> {
  return withSocket(namespace, (socket) =>
    dump(socket, 'list the tables', NFT_MSG_GETTABLE).map(({ attributes, family }) => ({
      family,
      name: readString(attributes.get(NFTA_TABLE.NAME) ?? new Uint8Array(0)),
    })),
  );
}

/** Names of the flowtables of a namespace, each behind that of its table. */
export function listFlowtables(namespace?: string): Promise<string[]> {
  return withSocket(namespace, (socket) =>
    dump(socket, 'list the flowtables', NFT_MSG_GETFLOWTABLE).map(({ attributes }) =>
      [NFTA_FLOWTABLE.TABLE, NFTA_FLOWTABLE.NAME]
        .map((type) => readString(attributes.get(type) ?? new Uint8Array(0)))
        .join('/'),
    ),
  );
}

/** Deletes a table, unless another process owns it. */
export function deleteNftTable({ family, name }: NftTable, namespace?: string): Promise<void> {
  return withSocket(namespace, (socket) => {
    new Transaction(name, family).deleteTable().commit(socket, `delete the table ${name}`);
  });
}

async function withSocket<T>(
  namespace: string | undefined,
  action: (socket: NetlinkSocket) => T,
): Promise<T> {
  const socket = withNamespace(namespace, () => new NetlinkSocket());
  try {
    return action(socket);
  } finally {
    await socket.close();
  }
}

function dump(
  socket: NetlinkSocket,
  operation: string,
  message: number,
): { family: number; attributes: Map<number, Uint8Array> }[] {
  const answers = socket.query(operation, {
    type: (NFNL_SUBSYS_NFTABLES << 8) | message,
    flags: NLM_F.DUMP,
    family: NFPROTO_UNSPEC,
    resource: 0,
    attributes: [],
  });
  return answers.map((answer) => ({
    family: answer[0] ?? 0,
    attributes: parseAttributes(answer.subarray(NFGEN_HEADER_BYTES)),
  }));
}
