/**
 * Advice on fields and events that another layer has.
 *
 * @module
 */

import type { Layer } from '../../packet/address.ts';
import { EVENT_MACROS, FIELDS, layersOf } from '../fields.ts';
import type { HintRule } from './context.ts';

function layerList(mask: number): string {
  const layers = layersOf(mask);
  const names =
    layers.length > 1 ? `${layers.slice(0, -1).join(', ')} and ${layers.at(-1)}` : `${layers[0]}`;
  return `the ${names} layer${layers.length > 1 ? 's' : ''}`;
}

function opening(mask: number): string {
  return `{ layer: '${layersOf(mask)[0]}' }`;
}

/** What says the same on the flow and socket layers, which have no packet. */
const WITHOUT_PACKET: ReadonlyMap<string, string> = new Map([
  ['tcp.SrcPort', 'localPort or remotePort, by direction, together with tcp'],
  ['tcp.DstPort', 'remotePort (localPort for incoming connections) together with tcp'],
  ['udp.SrcPort', 'localPort or remotePort, by direction, together with udp'],
  ['udp.DstPort', 'remotePort (localPort for incoming packets) together with udp'],
  ['ip.SrcAddr', 'localAddr or remoteAddr, by direction'],
  ['ip.DstAddr', 'remoteAddr (localAddr for incoming connections)'],
  ['ipv6.SrcAddr', 'localAddr or remoteAddr, by direction'],
  ['ipv6.DstAddr', 'remoteAddr (localAddr for incoming connections)'],
  ['ip.Protocol', 'protocol'],
  ['ipv6.NextHdr', 'protocol'],
]);

/** What says the same on the forward layer, which has no direction and no local end. */
const FORWARDED: ReadonlyMap<string, string> = new Map([
  ['localAddr', 'ip.SrcAddr or ip.DstAddr'],
  ['remoteAddr', 'ip.SrcAddr or ip.DstAddr'],
  ['localPort', 'tcp.SrcPort, tcp.DstPort, udp.SrcPort or udp.DstPort'],
  ['remotePort', 'tcp.SrcPort, tcp.DstPort, udp.SrcPort or udp.DstPort'],
  ['protocol', 'ip.Protocol or ipv6.NextHdr'],
]);

function counterpart(name: string, layer: Layer): string | undefined {
  if (layer === 'flow' || layer === 'socket') return WITHOUT_PACKET.get(name);
  return layer === 'forward' ? FORWARDED.get(name) : undefined;
}

/** A field that the layer does not have. */
export const layerHint: HintRule = ({ reason, layer }) => {
  if (reason.kind !== 'layer') return null;
  const field = FIELDS[reason.field];
  if (field === undefined) return null;
  if (field.name === 'processId' && (layer === 'network' || layer === 'forward')) {
    return "Packets carry no process id. Open with { attribution: true } and look at packet.process, or use the flow or socket layer, as in { layer: 'flow' }";
  }
  if (layer === 'forward' && (field.name === 'inbound' || field.name === 'outbound')) {
    return 'Forwarded packets have no direction; match ifIdx or the addresses';
  }
  const same = counterpart(field.name, layer);
  if (same) return `On the ${layer} layer write ${same}`;
  return `It exists on ${layerList(field.layers)}: open with ${opening(field.layers)}`;
};

/** An event that the layer does not report. */
export const eventHint: HintRule = ({ reason, word, layer }) => {
  if (reason.kind !== 'macro' && reason.kind !== 'expected') return null;
  const owners = EVENT_MACROS.filter(({ name }) => name === word);
  if (owners.length === 0) return null;
  if (reason.kind === 'expected') return `An event is compared: event == ${word}`;
  const mask = owners.reduce((layers, event) => layers | event.layers, 0);
  const here = EVENT_MACROS.filter((event) => layersOf(event.layers).includes(layer));
  return `It is an event of ${layerList(mask)}; the ${layer} layer has ${here.map(({ name }) => name).join(', ')}`;
};
