import { type Command, Option } from 'commander';
import type { Done } from '../program.ts';
import {
  parseBatch,
  parseDelay,
  parseEndpoint,
  parseInteger,
  parsePort,
  parseRate,
  parseShare,
  parseWorkers,
} from '../values.ts';
import {
  addFileOptions,
  addRunOptions,
  addTrafficOptions,
  durationOption,
  joinFilter,
  jsonOption,
  layerOption,
  namespaceOption,
  priorityOption,
} from './options.ts';

/** Commands that take packets out of the network stack. */
export function declareActing(program: Command, done: Done): void {
  declarePass(program, done);
  declareBlock(program, done);
  declareWeb(program, done);
  declareStream(program, done);
  declareShape(program, done);
}

function declarePass(program: Command, done: Done): void {
  const pass = program
    .command('pass')
    .description('take packets out and put them back unchanged: measures what interception costs');
  addFileOptions(addTrafficOptions(pass))
    .option('-b, --batch <packets>', 'packets handled at once, 1 to 255', parseBatch, 255)
    .option('--workers <n>', 'spread the packets over so many threads, flow by flow', parseWorkers)
    .action(async (words: string[], options) => {
      const command = await import('../commands/pass.ts');
      done(await command.pass(joinFilter(words), options));
    });
}

function declareBlock(program: Command, done: Done): void {
  const block = program.command('block').description('drop packets, or reject them');
  addFileOptions(addTrafficOptions(block))
    .option('--reject', 'tell both ends: reset TCP connections, ICMP unreachable for the rest')
    .addOption(
      new Option('--reason <reason>', 'with --reject: what is unreachable').choices([
        'port',
        'host',
        'network',
        'prohibited',
      ]),
    )
    .action(async (words: string[], options) => {
      const command = await import('../commands/block.ts');
      done(await command.block(words.length === 0 ? undefined : joinFilter(words), options));
    });
}

function declareWeb(program: Command, done: Done): void {
  const web = program
    .command('web')
    .description('block web sites by name: a page for HTTP, a reset for TLS')
    .argument('[blocklist]', 'file with a name a line, or a hosts file; - for standard input');
  addFileOptions(addRunOptions(web))
    .option('--host <name>', 'block this name and those below it (may be repeated)', collect, [])
    .option('--page <file>', 'HTML to show instead of the built-in page')
    .option('--port <port>', 'port to look at, default 80 and 443 (may be repeated)', collectPorts)
    .option('--block-quic', 'reject QUIC, so that browsers use TLS over TCP')
    .action(async (path: string | undefined, options) => {
      const command = await import('../commands/web.ts');
      done(await command.web(path, options));
    });
}

function declareStream(program: Command, done: Done): void {
  const stream = program
    .command('stream')
    .description('lead TCP connections to a proxy on this host, or write down what they carry')
    .argument('<filter...>', 'packets of clients, such as tcp.DstPort == 80');
  stream
    .addOption(new Option('--to <host:port>', 'where the proxy listens').argParser(parseEndpoint))
    .option('--save <folder>', 'connect them on, and write each direction to a file there')
    .option('--exclude <filter>', 'packets that stay out of it')
    .addOption(namespaceOption())
    .addOption(layerOption('network', 'forward'))
    .addOption(priorityOption())
    .addOption(durationOption())
    .addOption(jsonOption())
    .action(async (words: string[], options) => {
      const command = await import('../commands/stream.ts');
      done(await command.stream(joinFilter(words), options));
    });
}

function declareShape(program: Command, done: Done): void {
  const shape = program
    .command('shape')
    .description('make a link worse: latency, loss, a low rate and the like')
    .argument('[filter...]', 'which packets; default: all');
  addFileOptions(addRunOptions(shape))
    .option('--latency <time>', 'each packet takes so long, each way (100 or 100ms)', parseDelay)
    .option('--jitter <time>', 'so much longer or shorter at most', parseDelay)
    .option('--loss <share>', 'share of packets that are lost (5% or 0.05)', parseShare)
    .option('--duplicate <share>', 'share that comes twice', parseShare)
    .option('--reorder <share>', 'share that others overtake', parseShare)
    .option('--corrupt <share>', 'share with a wrong bit', parseShare)
    .option('--reset <share>', 'share of TCP segments that reset their connection', parseShare)
    .option('--rate <rate>', 'bits a second, each way (800kbit, 2mbit)', parseRate)
    .addOption(
      new Option('--on <direction>', 'one direction only').choices(['outbound', 'inbound']),
    )
    .option('--seed <n>', 'the same seed, the same decisions', parseInteger)
    .option('--preset <name>', 'a link: edge, 3g, 4g, dsl, wifi, satellite, or of a file')
    .option('--presets <file>', 'JSON file with links of your own')
    .action(async (words: string[], options) => {
      const command = await import('../commands/shape.ts');
      done(await command.shape(joinFilter(words), options));
    });
}

function collect(text: string, before: readonly string[]): readonly string[] {
  return [...before, text];
}

function collectPorts(text: string, before: readonly number[] = []): readonly number[] {
  return [...before, parsePort(text)];
}
