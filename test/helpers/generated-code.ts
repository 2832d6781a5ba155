/**
 * What generated JavaScript may be made of.
 *
 * @module
 */

/** No string, no bracket access but to bytes, no other name. */
const TOKEN =
  /(?:const|let|if|else|return|break|true|false|scanPacket|versionOfPacket|hashPacketWords|L\d+|x\d+[abc]?|t\d+|[imosfqvhpnew]|\d+|>>>|<<|===|!==|&&|\|\||<=|>=|[-+&|<>!?:;,.(){}[\]=])/y;
const PROPERTY =
  /\.(?:memory|offset|length|flags|event|interfaceIndex|subInterfaceIndex|timestampLow|timestampHigh|endpointIdLow|endpointIdHigh|parentEndpointIdLow|parentEndpointIdHigh|processId|hasProcess|userId|processName[0-3]|hasWords|local[0-3]|remote[0-3]|localPort|remotePort|protocol|handleLayer|priority|version|headersEnd|payloadOffset|payloadLength|fragment|tcp|udp|icmp|icmpv6)(?!\w)/y;

/** The first place that is not on the list, null when there is none. */
export function findForeignText(code: string): string | null {
  let at = 0;
  while (at < code.length) {
    if (code[at] === ' ') {
      at++;
      continue;
    }
    const pattern = code[at] === '.' ? PROPERTY : TOKEN;
    pattern.lastIndex = at;
    const found = pattern.exec(code);
    if (found === null) return code.slice(at, at + 60);
    // A word must end where the token does: no allowed name may be the start of another one.
    if (/\w$/.test(found[0]) && /^\w/.test(code.slice(pattern.lastIndex)))
      return code.slice(at, at + 60);
    at = pattern.lastIndex;
  }
  return null;
}
